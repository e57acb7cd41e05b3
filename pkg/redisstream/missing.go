package redisstream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
)

// floor remembers, from time to time, the seq before the oldest entry that
// some group has not acknowledged. If stream and cursor vanish together, that
// is what reading must go back to.
type floor struct {
	known bool
	seq   event.Seq
	next  time.Time
}

// floorEach is how often groups are asked, at most.
const floorEach = 2 * time.Second

// remember refreshes the floor. Failure only leaves it older, which is safe; a
// Redis that went away is told of, and asked again after the next batch.
func (w *Writer) remember(ctx context.Context) {
	now := time.Now()
	if now.Before(w.floor.next) {
		return
	}
	once, cancel := w.config.within(ctx)
	defer cancel()
	seq, err := w.readFloor(once)
	if ctx.Err() == nil {
		w.outage.doing = "read the stream's groups"
		w.outage.heard(err)
	}
	switch {
	case err == nil:
		w.floor.known, w.floor.seq = true, seq
	case causeOf(err) != "" || strings.Contains(err.Error(), "no such key"):
		return // without a stream there is nothing to remember yet: soon there will be
	}
	// A server where this is slow is asked more rarely.
	w.floor.next = time.Now().Add(max(floorEach, 20*time.Since(now)))
}

// began notes the floor of a stream that b begins: nothing is older.
func (f *floor) began(b *event.Batch) {
	if !f.known {
		f.known, f.seq = true, startOf(b)
	}
}

// readFloor is the seq before the oldest entry that some group has not
// acknowledged; the last acknowledged cursor when all have. Without groups
// nobody has acknowledged anything: consumers create theirs at the oldest entry
// (contract §1).
func (w *Writer) readFloor(ctx context.Context) (event.Seq, error) {
	groups, err := w.client.XInfoGroups(ctx, w.config.StreamKey).Result()
	if err != nil {
		return 0, err
	}
	if len(groups) == 0 {
		groups = []redis.XInfoGroup{{LastDeliveredID: "0"}}
	}
	lowest := w.acked
	for _, g := range groups {
		from := "(" + g.LastDeliveredID
		if g.Pending > 0 {
			pending, err := w.client.XPending(ctx, w.config.StreamKey, g.Name).Result()
			if err != nil {
				return 0, err
			}
			if pending.Lower != "" {
				from = pending.Lower
			}
		}
		rows, err := w.client.XRangeN(ctx, w.config.StreamKey, from, "+", 1).Result()
		if err != nil {
			return 0, err
		}
		if len(rows) == 0 {
			continue
		}
		if seq, ok := seqOf(rows[0]); ok {
			lowest = min(lowest, seq-1)
		}
	}
	return lowest, nil
}

func seqOf(row redis.XMessage) (event.Seq, bool) {
	text, _ := row.Values["seq"].(string)
	seq, ok := event.ParseSeq(text)
	return seq, ok && seq > 0
}

// restore sets the cursor that vanished to the newest entry's seq or, when the
// stream is gone too, to the floor; never live. With own, the cursor is there
// and this writer's, and only the side key vanished.
func (w *Writer) restore(ctx context.Context, own string) error {
	fallback := w.acked
	if w.floor.known {
		fallback = min(fallback, w.floor.seq)
	}
	var m moved
	err := w.config.patiently(ctx, "restore cursor", func(ctx context.Context) (err error) {
		m, err = w.run(ctx, restoreScript, fallback.String(), w.epoch, string(w.config.head(nil, w.time, 0, -1)), own)
		return err
	})
	if err != nil {
		return err
	}
	key, why := w.config.CursorKey, "restored from the newest entry in the stream"
	switch {
	case m.status == "PRESENT":
		why = "it is back"
	case m.detail == "side":
		key, why = w.config.SideKey(), "the cursor beside it is where this run left it, so it is written again"
	case m.detail == "memory":
		why = "the stream is empty as well: going back to what not every group had acknowledged"
	}
	return w.movedTo(m.cursor, m.epoch, event.AlarmCursorMissing, fmt.Sprintf("%s vanished; %s, at %s", key, why, m.cursor))
}

// emptied: the cursor stands, but the entries are gone: deleted, evicted, or
// trimmed by somebody else. What not every group had acknowledged is read again,
// as when both vanish. Like a cursor that is restored, this is no operator's move:
// the epoch stays, so that a set whose leader dies before the other partitions have
// heard of it is not taken for one that was moved in part.
func (w *Writer) emptied(ctx context.Context, r reply) error {
	to := r.cursor
	if w.floor.known {
		to = min(to, w.floor.seq)
	}
	// Also where the cursor stays: the side key must tell of no entry any more.
	m, err := w.moveFrom(ctx, r.cursor, to, "kept")
	if err != nil {
		return err
	}
	switch m.status {
	case "MISSING":
		return w.restore(ctx, "")
	case "BADCURSOR":
		return w.badCursor(m.detail)
	case "MISMATCH":
		return w.foreign(m.detail)
	}
	return w.movedTo(m.cursor, m.epoch, event.AlarmCursorMissing, fmt.Sprintf(
		"the entries of %s vanished, but not the cursor %s: going back to what not every group had acknowledged, at %s", w.config.StreamKey, r.cursor, m.cursor))
}

// own reports whether a cursor without a side key is the one this writer left
// there: then the side key, which it had found, was lost since.
func (c *commit) own(cursor event.Seq) bool {
	if cursor == c.w.acked {
		return cursor > 0
	}
	for _, b := range c.left {
		if c.unsure && cursor == b.Upto {
			return true
		}
	}
	return false
}
