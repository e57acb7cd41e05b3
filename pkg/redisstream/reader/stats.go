package reader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// DeadLetterKey is the stream of entries that consumers gave up on. They own
// it (contract §1, §6): fhctl only looks.
const DeadLetterKey = "firehose:dead-letters"

const (
	// newestPage keeps a sample of large entries from being held at once.
	newestPage = 200
	// memorySamples is how many nodes of the stream MEMORY USAGE measures.
	memorySamples = 5
)

// Now is the server's clock, which ids are made of. ok is false when this Redis
// user may ask for it neither by TIME nor by INFO.
func (r *Reader) Now(ctx context.Context) (now time.Time, ok bool, err error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	server, err := r.client.ForKey(once, r.config.StreamKey)
	if err != nil {
		return now, false, r.config.Classed(ctx, "read the clock", err)
	}
	now, err = server.Time(once).Result()
	why, err := r.declined(ctx, "read the clock", "TIME", err)
	if why != "" && err == nil {
		return r.nowByInfo(ctx)
	}
	return now.UTC(), err == nil, err
}

// nowByInfo is the clock for a user that may not run TIME, from Redis 6.2 on.
func (r *Reader) nowByInfo(ctx context.Context) (now time.Time, ok bool, err error) {
	v, err := r.Vitals(ctx)
	if err != nil || v.Clock.IsZero() {
		return time.Time{}, false, err
	}
	return v.Clock, true, nil
}

// MemoryUsage is what the server estimates the stream takes, from a few of its
// nodes. why says, in words, that it does not tell.
func (r *Reader) MemoryUsage(ctx context.Context) (bytes int64, why string, err error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	bytes, err = r.client.MemoryUsage(once, r.config.StreamKey, memorySamples).Result()
	if errors.Is(err, redis.Nil) {
		return 0, "there is no such key", nil
	}
	why, err = r.declined(ctx, "measure memory", "MEMORY USAGE", err)
	return bytes, why, err
}

// EntriesAdded counts the entries ever added, trimmed ones included; -1 where
// the server (before Redis 7) does not count. ErrNoStream without a stream.
func (r *Reader) EntriesAdded(ctx context.Context) (int64, error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	row, err := r.client.Do(once, "xinfo", "stream", r.config.StreamKey).Result()
	if err != nil && strings.Contains(err.Error(), "no such key") {
		return -1, fmt.Errorf("read stream %s: %w", r.config.StreamKey, ErrNoStream)
	}
	if err != nil {
		return -1, r.config.Classed(ctx, "read stream "+r.config.StreamKey, err)
	}
	return conn.RowOf(row).Number("entries-added"), nil
}

// Following is the first entry behind an id; found is false when there is none.
func (r *Reader) Following(ctx context.Context, id ID) (s Stored, found bool, err error) {
	entries, err := r.heads(ctx, "xrange", id.Next(), "+", 1)
	if err != nil || len(entries) == 0 {
		return Stored{}, false, err
	}
	return entries[0], true, nil
}

// Newest yields the last n entries, newest first, reading a few at a time: a
// caller that stops early has read little more. An error ends it.
func (r *Reader) Newest(ctx context.Context, n int) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		to, ok := ID("+"), true
		for ok && n > 0 {
			ask := min(n, newestPage)
			entries, more, err := r.page(ctx, "xrevrange", to, "-", ask)
			if err != nil {
				yield(Stored{}, err)
				return
			}
			for _, s := range entries {
				if !yield(s, nil) {
					return
				}
			}
			if n -= len(entries); !more {
				return
			}
			to, ok = entries[len(entries)-1].ID.Previous()
		}
	}
}

// Redeliveries looks at the oldest pending entries of a group.
type Redeliveries struct {
	Examined int64 // at most pendingLook
	Entries  int64 // of those, delivered more than once
	Max      int64 // deliveries of one entry
}

// Redeliveries counts pending entries that were delivered again. The group must
// exist; one that has gone meanwhile has none.
func (r *Reader) Redeliveries(ctx context.Context, group string) (d Redeliveries, err error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	rows, err := r.client.XPendingExt(once, &redis.XPendingExtArgs{
		Stream: r.config.StreamKey, Group: group, Start: "-", End: "+", Count: pendingLook,
	}).Result()
	if err != nil && redis.HasErrorPrefix(err, "NOGROUP") {
		return d, nil
	}
	if err != nil {
		return d, r.config.Classed(ctx, "read pending entries", err)
	}
	for _, row := range rows {
		d.Examined++
		d.Max = max(d.Max, row.RetryCount)
		if row.RetryCount > 1 {
			d.Entries++
		}
	}
	return d, nil
}

// DeadLetters is what consumers gave up on. Newest is zero without any. Why says,
// in words, that it could not be looked at: the key is not fhctl's.
type DeadLetters struct {
	Length int64
	Newest Stored
	Why    string
}

// DeadLetters reads length and newest entry of DeadLetterKey. A missing stream
// has length 0.
func (r *Reader) DeadLetters(ctx context.Context) (d DeadLetters, err error) {
	b, err := r.of(DeadLetterKey).Bounds(ctx)
	switch class := fault.ClassOf(err); {
	case errors.Is(err, ErrNoStream):
		return d, nil
	case class == fault.Refused:
		return DeadLetters{Why: "this Redis user may not read it"}, nil
	case class == fault.Data:
		return DeadLetters{Why: "it is not a stream"}, nil
	}
	return DeadLetters{Length: b.Length, Newest: b.Last}, err
}

// declined turns a server's refusal of an optional command into words.
func (r *Reader) declined(ctx context.Context, doing, command string, err error) (why string, other error) {
	var reply redis.Error
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &reply) || conn.CauseOf(err) != "":
		return "", r.config.Classed(ctx, doing, err)
	case conn.IsDenied(err):
		return "this Redis user may not run " + command, nil
	}
	return "this server does not answer " + command, nil
}

// How far Streams looks: a prompt waits for it.
const (
	streamsScans  = 20
	streamsAtOnce = 1000
	streamsMost   = 100
)

// Streams lists keys that hold streams, in no order: not all of them where there
// are very many keys, those of one node in Redis Cluster, and none where this
// Redis user may not run SCAN. It is meant for completion.
func (r *Reader) Streams(ctx context.Context) (keys []string, err error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	next := uint64(0)
	for range streamsScans {
		some, cursor, err := r.client.ScanType(once, next, "*", streamsAtOnce, "stream").Result()
		if why, err := r.declined(ctx, "list streams", "SCAN", err); why != "" || err != nil {
			return nil, err
		}
		keys, next = append(keys, some...), cursor
		if next == 0 || len(keys) >= streamsMost {
			break
		}
	}
	return keys, nil
}
