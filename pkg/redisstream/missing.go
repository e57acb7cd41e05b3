package redisstream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// floorEach is how often groups are asked, at most.
const floorEach = 2 * time.Second

// remember refreshes the floor. Failure only leaves it older, which is safe; a
// Redis that went away is told of, and asked again after the next batch.
func (w *Writer) remember(ctx context.Context) {
	now := time.Now()
	if now.Before(w.floor.Next) {
		return
	}
	once, cancel := w.config.Within(ctx)
	defer cancel()
	seq, newest, err := w.groups.Read(once, w.acked)
	if ctx.Err() == nil {
		w.outage.Doing = "read the stream's groups"
		w.outage.Observe(err)
	}
	switch {
	case err == nil && (newest == 0 || newest < event.Seq(w.stored)):
		// Entries are missing: that nothing is left to read does not mean that it was
		// read. What was known before holds.
		if w.floor.Seq = min(w.floor.Seq, seq); w.groups.Acknowledged(once) {
			w.floor.Known, w.floor.Seq = true, w.acked
		}
		w.tellGone(once, w.floor.InsideRemoved(once, w.groups, w.acked, false))
	case err == nil:
		told := w.tellGone(once, w.floor.Removed(once, w.groups, seq, w.acked, event.Seq(w.stored)))
		w.tellGone(once, w.floor.InsideRemoved(once, w.groups, w.acked, told))
		w.floor.Known, w.floor.Seq = true, seq
	case conn.CauseOf(err) != "" || strings.Contains(err.Error(), "no such key"):
		return // without a stream there is nothing to remember yet: soon there will be
	}
	// A server where this is slow is asked more rarely.
	w.floor.Next = time.Now().Add(max(floorEach, 20*time.Since(now)))
}

// tellGone tells of what groups lost, if anything.
func (w *Writer) tellGone(ctx context.Context, l *floor.Loss) (told bool) {
	if l == nil {
		return false
	}
	w.note(ctx, l.Gone)
	w.config.Alarm(event.AlarmRemoved, l.From, l.Detail)
	return true
}

// restore sets the cursor that vanished to where the stream ends or, when the
// stream is gone too, to the floor; never live. left is where this writer left
// it, "" when it has just started. With own, the cursor is there and this
// writer's, and only the side key vanished.
func (w *Writer) restore(ctx context.Context, left, own string) error {
	until, _ := event.ParseSeq(left)
	return w.restoreUntil(ctx, left, own, until)
}

// restoreUntil is restore for a start that knows from the side key how far the stream
// had come.
func (w *Writer) restoreUntil(ctx context.Context, left, own string, until event.Seq) error {
	var m script.State
	err := w.config.retry(ctx, "restore cursor", func(ctx context.Context) (err error) {
		m, err = script.Restore{Left: left, Epoch: w.epoch, Side: string(w.config.head(nil, w.time, 0, -1, floor.Floor{})), Own: own, Floor: w.floor.Text()}.Run(ctx, w.client, w.keys)
		return err
	})
	if err != nil {
		return err
	}
	key := w.config.CursorKey
	switch {
	case m.Status == script.Nothing:
		return &event.Moved{Alarm: event.AlarmCursorMissing, Detail: fmt.Sprintf(
			"%s vanished, and neither stream nor side key tells where it was: events may be missing", key)}
	case m.Status == script.Present:
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmCursorMissing, fmt.Sprintf("%s vanished; it is back, at %s", key, m.Cursor))
	case m.Detail == "side":
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmCursorMissing, fmt.Sprintf(
			"%s vanished; the cursor beside it is where this run left it, so it is written again, at %s", w.config.SideKey(), m.Cursor))
	case m.Detail == "entry", m.Detail == "left":
		from := "restored from the newest entry in the stream"
		if m.Detail == "left" {
			from = "restored to where it was left, as the side key tells"
		}
		err := w.movedTo(m.Cursor, m.Epoch, event.AlarmCursorMissing, fmt.Sprintf("%s vanished; %s, at %s", key, from, m.Cursor))
		w.hadEntries = true
		return err
	}
	w.floor = floor.Emptied(m.Cursor) // of what is stored from now on
	what := fmt.Sprintf("%s vanished, and %s is empty as well", key, w.config.StreamKey)
	return w.goneBack(ctx, m, max(until, m.Cursor), what, m.Detail == "floor")
}

// emptied: the cursor stands, but the entries are gone: deleted, evicted, or
// trimmed by somebody else. What not every group had acknowledged is read again,
// as when both vanish. Like a cursor that is restored, this is no operator's move:
// the epoch stays, so that a set whose leader dies before the other partitions have
// heard of it is not taken for one that was moved in part.
func (w *Writer) emptied(ctx context.Context, cursor event.Seq) error {
	if w.groups.Acknowledged(ctx) { // the groups outlast the entries, unless the stream was deleted
		w.floor = floor.Emptied(cursor)
	}
	to, known := w.needed(cursor), w.floor.Known
	w.floor = floor.Emptied(to) // of what is stored from now on
	// Also where the cursor stays: the side key must tell of no entry any more.
	m, err := w.goBack(ctx, cursor, to)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("the entries of %s vanished, but not the cursor %s", w.config.StreamKey, cursor)
	return w.goneBack(ctx, m, cursor, what, known)
}

// needed is where reading has to go back to if all entries up to the cursor are gone:
// not at all where every group had acknowledged the last one, since what lies behind
// that yielded none. Without a floor it is the cursor.
func (w *Writer) needed(cursor event.Seq) event.Seq {
	if !w.floor.Known || w.stored > 0 && w.floor.Seq >= event.Seq(w.stored) {
		return cursor
	}
	return min(cursor, w.floor.Seq)
}

// goBack moves the cursor because entries vanished.
func (w *Writer) goBack(ctx context.Context, cursor, to event.Seq) (script.State, error) {
	w.floor.Deleted = "" // what is told now tells of it
	m, err := w.moveFrom(ctx, cursor, to, true)
	switch {
	case err != nil:
		return m, err
	case m.Status == script.Missing:
		return m, w.restore(ctx, cursor.String(), "")
	case m.Status == script.BadCursor:
		return m, w.badCursor(m.Detail)
	case m.Status == script.Mismatch:
		return m, w.foreign(m.Detail)
	case m.Status == script.Conflict && (m.Cursor != to || m.Epoch != w.epoch): // else an earlier try had done it
		return m, w.movedTo(m.Cursor, m.Epoch, event.AlarmConflict, fmt.Sprintf(
			"the cursor was moved to %s while entries of %s were missed", m.Cursor, w.config.StreamKey))
	}
	return m, nil
}

// goneBack tells of entries that vanished, up to a seq, once the cursor is where it
// has to be: what is read again and, where it is not known what groups had
// acknowledged, what is gone. It says nothing that is not so (G7).
func (w *Writer) goneBack(ctx context.Context, m script.State, until event.Seq, what string, known bool) error {
	switch {
	case !known:
		w.note(ctx, floor.Gone{To: until, Kept: m.Cursor})
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmRemoved, fmt.Sprintf(
			"%s: it is not known what groups had acknowledged, so nothing is read again; what they had not read up to seq %s is gone", what, until))
	case m.Cursor == until:
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmCursorMissing, fmt.Sprintf(
			"%s: every group had acknowledged everything up to %s, so nothing is read again", what, until))
	}
	return w.movedTo(m.Cursor, m.Epoch, event.AlarmCursorMissing, fmt.Sprintf(
		"%s: going back to where every group was known to have acknowledged everything, %s: seq %d to %s is read again", what, m.Cursor, m.Cursor+1, until))
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
