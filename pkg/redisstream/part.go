package redisstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/partitions"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// OpenPartitions is Open for a set of cfg.Identity.Partitions, 2 to
// keyspace.MostPartitions. MaxLen is the whole set's: each stream keeps its share.
func OpenPartitions(ctx context.Context, cfg Config) (*partitions.Set, error) {
	set, _, err := openPartitions(ctx, cfg)
	return set, err
}

// openPartitions gives the parts of the set as well.
func openPartitions(ctx context.Context, cfg Config) (set *partitions.Set, parts []part, err error) {
	cfg = cfg.withDefaults()
	servers := map[string]bool{}
	set, err = partitions.Open(partitions.Config{
		Partitions: cfg.Identity.partitions(), StreamKey: cfg.StreamKey, CursorKey: cfg.CursorKey,
		Shared: cfg.Writer != "", From: cfg.From.At, Requested: cfg.From.Requested,
		Beside: func(ctx context.Context) error { return parts[0].besideOne(ctx, cfg.CursorKey) },
		Hooks:  partitions.Hooks{Notify: cfg.Notify, Alarm: cfg.Alarm, CursorMoved: cfg.CursorMoved},
	}, func(i int, heard partitions.Hooks) (partitions.Part, error) {
		w, err := Open(ctx, cfg.ofPart(i, heard, servers))
		if err != nil {
			return nil, err // w would be no nil partitions.Part
		}
		parts = append(parts, part{w})
		return part{w}, nil
	})
	return set, parts, err
}

// ofPart is the configuration of one partition's Writer.
func (c Config) ofPart(i int, heard partitions.Hooks, servers map[string]bool) Config {
	n := int64(c.Identity.partitions())
	c.leader = Config{CursorKey: keyspace.Partition(c.CursorKey, 0)}.LeaseKey()
	c.StreamKey, c.CursorKey = keyspace.Partition(c.StreamKey, i), keyspace.Partition(c.CursorKey, i)
	c.MaxLen = (c.MaxLen + n - 1) / n
	c.Logger = c.Logger.With("partition", i)
	if i > 0 {
		c.Writer = "" // who leads the first partition leads the set
	}
	c.warned = servers
	c.Notify, c.Alarm, c.CursorMoved = heard.Notify, heard.Alarm, heard.CursorMoved
	return c
}

// part is a Writer as one of a set.
type part struct{ *Writer }

var _ partitions.Part = part{}

// AwaitRoom waits where Commit found the stream full.
func (w part) AwaitRoom(ctx context.Context) error { return w.awaitRoom(ctx) }

// Look reads cursor and side key, waiting for Redis.
func (w part) Look(ctx context.Context) (st partitions.Standing, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	text, st.Present, st.Side, err = w.state(ctx)
	if moved, back := asMoved(err); back { // it had vanished
		st.Restored, st.Told = true, moved
		text, st.Present, st.Side, err = w.state(ctx)
	}
	if err != nil {
		return st, err
	}
	w.floor.Learn(st.Side)
	var ok bool
	if st.Cursor, ok = event.ParseSeq(text); st.Present && !ok {
		return st, w.badCursor(text) // whose it is does not matter
	}
	if err := w.checkOwner(st.Side, st.Present); err != nil {
		return st, err
	}
	if st.Present {
		st.Cursor, err = w.settle(ctx, st.Cursor, st.Side)
	}
	return st, err
}

// Side reads the side key as it is.
func (w part) Side(ctx context.Context) (*script.Side, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _, side, err := w.stateOnce(ctx)
	return side, err
}

// Known takes all that is known of the cursor at once.
func (w part) Known() partitions.Known {
	w.mu.Lock()
	defer w.mu.Unlock()
	return partitions.Known{Cursor: w.acked, Epoch: w.epoch, Filter: w.config.Identity.Filter,
		Followed: w.lease.Followed(), AnotherHasLed: w.lease.AnotherHasLed()}
}

// Remember learns what no group has acknowledged, however lately that was asked.
func (w part) Remember(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.floor.Next = time.Time{}
	w.remember(ctx)
}

// Jump makes the next batch leave the saved cursor.
func (w part) Jump() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at.jump = true
}

// ColdStart begins without a cursor.
func (w part) ColdStart(st *partitions.Standing) event.Resume {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.continueFrom(st)
	return w.coldStart(st.Side)
}

// Adopt makes the Writer continue from what was read.
func (w part) Adopt(st *partitions.Standing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.continueFrom(st)
}

func (w part) continueFrom(st *partitions.Standing) {
	w.ahead, w.former = ahead{}, nil
	w.acked, w.epoch = st.Cursor, st.Epoch()
	w.at = continuation{expected: st.Cursor.String(), epoch: w.epoch}
	w.time, w.stored, w.hadEntries = w.time[:0], 0, false
	if w.hasSide = st.Side != nil; w.hasSide {
		w.time, w.stored, w.hadEntries = append(w.time, st.Side.EventTime...), st.Side.Stored, st.Side.Stored > 0
	}
}

// InOrder is Writer.inOrder of one partition; led is set when another writer leads
// the set.
func (w part) InOrder(ctx context.Context) (led bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := w.find(ctx)
	if err != nil || f.led() || !f.Present || f.side == nil {
		return err == nil && f.led(), err
	}
	return false, w.removed(ctx, f)
}

// Restore restores the cursor that is missing beside others: to what this
// Writer remembers, else to the lowest of the others. There is nothing to tell where
// the set is young: a cold start was cut short.
func (w part) Restore(ctx context.Context, lowest event.Seq, epoch int64, young bool) (*event.Moved, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	young = young && !w.floor.Known
	if young {
		w.floor = floor.Emptied(lowest)
	}
	if w.acked == 0 {
		w.acked, w.epoch = lowest, epoch
	}
	err := w.restore(ctx, w.acked.String(), "")
	moved, ok := asMoved(err)
	if !ok {
		return nil, err
	}
	w.config.Logger.Warn("A partition had no cursor; it is never live while others are saved", "at", moved.To.String(), "detail", moved.Detail)
	if young {
		return nil, nil
	}
	return moved, nil
}

// Replace lets the next read of the side key replace a filter set.
func (w part) Replace(former string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.former, former) {
		w.former = append(w.former, former)
	}
}

// peek reads a cursor that is not this Writer's; "" is none, or one that this
// Redis user may not read.
func (w *Writer) peek(ctx context.Context, key string) (cursor string, err error) {
	err = w.config.retry(ctx, "read cursor", func(ctx context.Context) (err error) {
		cursor, err = w.client.Get(ctx, key).Result()
		var reply redis.Error
		if errors.Is(err, redis.Nil) || errors.As(err, &reply) && conn.CauseOf(err) == "" {
			err = nil
		}
		return err
	})
	return cursor, err
}

// otherCount refuses to start live beside a cursor of another number of
// partitions.
func otherCount(key, cursor string, have, want int) error {
	return fault.New(fault.Cursor, fmt.Errorf("there is no cursor for %d partitions, but %s, of another number of partitions, stands at %.32q: starting live would leave a gap; nothing was changed", want, key, cursor),
		"take it over with all writers stopped: "+takeOver(want, count(have))+"; or choose where to start with "+fault.To("from", ""))
}

// takeOver is the remedy of making a cursor of one number of partitions one of another.
func takeOver(want int, have string) string {
	return fault.Remedy{Do: fault.MoveCursor}.With("partitions", strconv.Itoa(want)) + " with " + fault.To("from-partitions", have)
}

// count is a number of partitions; 0 is one that is not known.
func count(n int) string {
	if n == 0 {
		return "N"
	}
	return strconv.Itoa(n)
}

// besideOne refuses a cold start of a set where one stream of the same names has a cursor.
func (w part) besideOne(ctx context.Context, key string) error {
	cursor, err := w.peek(ctx, key)
	if err != nil || cursor == "" {
		return err
	}
	return otherCount(key, cursor, 1, w.config.Identity.partitions())
}

// besideSet refuses a cold start of one stream where a partitioned one of the
// same names has a cursor.
func (w *Writer) besideSet(ctx context.Context) error {
	key := keyspace.Partition(w.config.CursorKey, 0)
	if w.config.From.Requested || w.config.Identity.partitions() > 1 || keyspace.CheckPartitions(key[:len(w.config.CursorKey)]) != nil {
		return nil
	}
	cursor, err := w.peek(ctx, key)
	if err != nil || cursor == "" {
		return err
	}
	return otherCount(key, cursor, 0, 1)
}
