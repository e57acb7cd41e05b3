package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

const (
	streamBatch      = 500
	streamBatchBytes = 1 << 20
)

// appender stores entries in a stream that is not the live one, with a cursor
// of its own beside it. It is the script and the discipline of ingest: what the
// cursor covers is never appended again.
type appender struct {
	w     endpoint.RedisSink
	close func()
	from  event.Seq
	at    event.Position
	max   event.Seq
	batch event.Batch
	times event.Times // of the last events
	count *replayCount
	// failed is set once Redis refused a batch, which is not sent again.
	failed bool
}

// replayCursor is the name of the cursor of replays into a stream. In a cluster
// both keys must share a slot.
func replayCursor(url, key string, partitions int) string {
	names := endpoint.ReplayCursors(key, partitions)
	if strings.Contains(url, "cluster") {
		return names[len(names)-1]
	}
	return names[0]
}

// isLive reports whether a key is a live stream's by its name alone.
func isLive(cfg *config.Config, key string) bool {
	return key == cfg.Redis.StreamKey || key == keyspace.DefaultStream
}

const liveHint = "consumers would take the events for new ones; choose another --to-stream, or say --append-to-live-stream"

// checkTarget refuses a live stream, and a cursor of an earlier replay that
// nobody asked to resume. It gives the seq to go on after.
func (p *replayPlan) checkTarget(ctx context.Context, env *shell.Env, cfg *config.Config, connection conn.Connection, identity string) (event.Seq, error) {
	r, err := reader.Open(ctx, reader.Config{Connection: connection, StreamKey: p.toStream, CursorKey: replayCursor(connection.URL, p.toStream, p.toPartitions), Partitions: p.toPartitions})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	ours, err := r.Cursor(ctx)
	if err != nil {
		return 0, err
	}
	_, err = r.Bounds(ctx)
	exists := err == nil
	if err != nil && !errors.Is(err, reader.ErrNoStream) {
		return 0, err
	}
	if exists && !ours.Present && !p.appendToLive {
		if err := p.looksLive(ctx, cfg, connection, ours.Status); err != nil {
			return 0, err
		}
	}
	if ours.Present && !exists {
		return 0, fault.New(fault.Conflict, fmt.Errorf("the replay cursor %s stands at seq %s, but stream %s is gone", r.CursorKey(), ours.Seq, p.toStream),
			beginAnew(r))
	}
	return p.resumeAfter(r, ours, identity)
}

// looksLive refuses a stream that no replay made on a Redis that a writer
// feeds.
func (p *replayPlan) looksLive(ctx context.Context, cfg *config.Config, connection conn.Connection, beat dashboard.Heartbeat) error {
	if beat.Present {
		return fault.New(fault.Conflict, fmt.Errorf("stream %s exists and no replay made it, while a writer is at work on this Redis (%s)", p.toStream, dashboard.StatusKey), liveHint)
	}
	live, err := reader.Open(ctx, reader.Config{Connection: connection, StreamKey: p.toStream, CursorKey: cfg.Redis.CursorKey, Partitions: cfg.Redis.Partitions})
	if err != nil {
		return err
	}
	defer live.Close()
	cursor, err := live.Cursor(ctx)
	if err == nil && cursor.Present {
		err = fault.New(fault.Conflict, fmt.Errorf("stream %s exists and no replay made it, while this Redis has a live cursor (%s)", p.toStream, live.CursorKey()), liveHint)
	}
	return err
}

func (p *replayPlan) resumeAfter(r *reader.Reader, ours reader.CursorState, identity string) (event.Seq, error) {
	switch {
	case !ours.Present:
		return 0, nil
	case ours.NotSeq:
		return 0, fault.New(fault.Cursor, fmt.Errorf("cursor %s is not a seq", r.CursorKey()), beginAnew(r))
	case !p.resume:
		return 0, fault.New(fault.Conflict, fmt.Errorf("an earlier replay into %s stands at seq %s (%s)", p.toStream, ours.Seq, r.CursorKey()),
			"go on behind it: --resume; or choose another --to-stream; or "+beginAnew(r))
	case ours.SidePresent && (ours.Side.Relay != identity || ours.Side.Filter != p.sel.keep.Fingerprint()):
		return 0, fault.New(fault.Cursor, fmt.Errorf("the replay into %s was begun from %s with other settings (this run: %s)", p.toStream, ours.Side.Relay, identity),
			"use the same source and filters, or choose another --to-stream")
	}
	return ours.Seq, nil
}

// openAppender opens the stream that a plan writes to.
func openAppender(ctx context.Context, env *shell.Env, cfg *config.Config, p *replayPlan, o *origin, count *replayCount) (receiver, error) {
	connection, _, closeServer, err := p.redis(env.Log, cfg, p.target.Url, p.toPasswordFile)
	if err != nil {
		return nil, err
	}
	identity := reader.ReplayPrefix + o.identity
	from, err := p.checkTarget(ctx, env, cfg, connection, identity)
	if err != nil || p.dryRun {
		closeServer()
		return nowhere{from: from, entries: true}, err
	}
	w, err := endpoint.OpenSink(ctx, redisstream.Config{
		Connection: connection, StreamKey: p.toStream, CursorKey: replayCursor(connection.URL, p.toStream, p.toPartitions),
		MaxLen: p.toMaxLen, AllowEviction: cfg.Redis.AllowEviction,
		Identity: redisstream.Identity{Relay: identity, Filter: p.sel.keep.Fingerprint(), Partitions: p.toPartitions},
	})
	if err != nil {
		closeServer()
		return nil, err
	}
	t := &appender{w: w, close: closeServer, count: count}
	at, err := w.Resume(ctx)
	if err != nil {
		_ = w.Close()
		closeServer()
		return nil, err
	}
	t.at = at.Position
	if t.at.Start == event.After {
		t.from, t.max = t.at.Seq, t.at.Seq
	} else {
		t.at = event.Position{Start: event.Oldest}
	}
	t.batch.Reset(t.at)
	return t, nil
}

// beginAnew says how to forget a replay into a stream.
func beginAnew(r *reader.Reader) string {
	var keys []string
	for _, part := range r.Partitions() {
		keys = append(keys, part.StreamKey(), part.CursorKey(), part.CursorKey()+":meta")
	}
	return "begin anew: DEL " + strings.Join(keys, " ")
}

func (t *appender) after() event.Seq { return t.from }

func (t *appender) put(ctx context.Context, p *played) (bool, error) {
	known := p.kind == event.KindCommit || p.kind == event.KindIdentity || p.kind == event.KindAccount
	if !p.entry || p.seq == 0 || !known {
		return false, nil
	}
	if len(t.batch.Entries) >= streamBatch || len(t.batch.Entries) > 0 && t.batch.Bytes+len(p.data) > streamBatchBytes {
		if err := t.flush(ctx); err != nil {
			return false, err
		}
	}
	if len(t.batch.Entries) == 0 {
		t.batch.Arrived = time.Now()
	}
	if p.sent != "" {
		t.times.Note([]byte(p.sent))
	}
	if len(p.data) > shell.LargeItem { // stored before the next is read
		t.batch.Lend(p.seq, p.kind, []byte(p.data))
		p.data, p.stored = "", reader.Stored{} // or there would be two of it
		return true, t.flush(ctx)
	}
	t.batch.Add(p.seq, p.kind, []byte(p.data))
	return true, nil
}

func (t *appender) flush(ctx context.Context) error {
	if len(t.batch.Entries) == 0 || t.failed {
		return nil
	}
	for _, e := range t.batch.Entries {
		t.max = max(t.max, e.Seq)
	}
	t.batch.Upto = t.max
	sent, _, _ := t.times.Middle()
	t.batch.Time = append(t.batch.Time[:0], sent...)
	receipts, err := t.w.Commit(ctx, []*event.Batch{&t.batch})
	t.failed = err != nil
	var moved *event.Moved
	if errors.As(err, &moved) {
		return fault.New(fault.Conflict, fmt.Errorf("append to the target: %w", err), "another replay writes into this stream: let one finish")
	}
	if err != nil {
		return err
	}
	t.count.repeats += int64(receipts[0].Present)
	t.count.stored -= int64(receipts[0].Present)
	t.at = event.AfterSeq(receipts[0].Cursor)
	t.batch.Reset(t.at)
	return nil
}

// stopDrain is how long what was read may take to be stored when stopping.
const stopDrain = 6 * time.Second

func (t *appender) finish(ctx context.Context, _ bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopDrain)
	defer cancel()
	defer t.close()
	return errors.Join(t.flush(ctx), t.w.Close())
}
