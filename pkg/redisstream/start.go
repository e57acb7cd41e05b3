package redisstream

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redisstream/strangers"
)

// found is what a start meets: cursor, side key and newest entry as they were at
// one moment.
type found struct {
	script.Found
	side *script.Side // nil without one
}

// led reports whether another writer leads, as far as can be known.
func (f *found) led() bool { return f.Leader != "" && !lease.Dead(f.Leader) }

// find reads what a start meets.
func (w *Writer) find(ctx context.Context) (f found, err error) {
	err = w.config.retry(ctx, "compare cursor and stream", func(ctx context.Context) (err error) {
		f.Found, err = script.Find(ctx, w.client, w.keys, w.lease.ID)
		return err
	})
	if err != nil && redis.HasErrorPrefix(err, "WRONGTYPE") {
		if _, _, _, why := w.readState(ctx); why != nil {
			err = why // which names the key
		}
	}
	if err != nil || f.Side == nil {
		return f, err
	}
	side, broken := script.ParseSide(f.Side)
	if broken {
		return f, w.foreign("the side key is not a JSON object")
	}
	f.side = &side
	return f, nil
}

// inOrder looks whether stream and cursor are as the last writer left them. While
// another leads that is its to find, and ours once we lead.
func (w *Writer) inOrder(ctx context.Context) error {
	f, err := w.find(ctx)
	if err != nil || !f.Present || f.side == nil || f.led() {
		return err
	}
	return w.removed(ctx, f)
}

// contradicts refuses a cursor of which nobody knows whose number it is: something
// that knows nothing of side keys moved it, such as the Python bridge, which reads
// its own relay whatever its settings say (contract §7.2). A process that has run
// knows better.
func (w *Writer) contradicts(ctx context.Context, first bool) error {
	if !first || w.config.Identity.partitions() > 1 || w.config.adopts() {
		return nil
	}
	f, err := w.find(ctx)
	if err != nil || !f.Present || f.side == nil || f.led() || w.asks(f.side) || !f.side.Contradicts(f.Cursor) {
		return err
	}
	return w.moveOnly(fmt.Errorf("cursor %s holds %s, but %s tells that it was left at %s of %s: something else moved it, and the Python bridge would have filled it with %s's numbers; nothing was changed",
		w.config.CursorKey, f.Cursor, w.config.SideKey(), f.side.Own, f.side.Relay, script.BridgeRelay), f.Cursor, f.side.Own)
}

// strange refuses to restore a vanished cursor beside entries of which nobody knows
// whose numbers they have.
func (w *Writer) strange(f found) error {
	if f.side == nil || f.Present || f.side.Upto == 0 || f.Newest <= event.Seq(f.side.Upto) || w.config.adopts() {
		return nil
	}
	left := event.Seq(f.side.Upto)
	return w.moveOnly(fmt.Errorf("cursor %s is gone, and the stream does not end where it was left, at %s of %s, but with seq %s: something else appended, and the Python bridge appends %s's numbers; nothing was changed",
		w.config.CursorKey, left, f.side.Relay, f.Newest, script.BridgeRelay), f.Newest, left)
}

// moveOnly is a fault that only an operator's move of the cursor ends.
func (w *Writer) moveOnly(err error, holds, left event.Seq) error {
	relay := w.config.Identity.Relay
	move := func(to event.Seq) string {
		return fault.Remedy{Do: fault.MoveCursor, Value: to.String()}.With("relay", relay)
	}
	return fault.New(fault.Cursor, err, fmt.Sprintf(
		"stop the other writer; then start live here: %s, or go on where it was left: %s; only if %s really is %s's: %s",
		fault.CursorTo("live"), move(left), holds, relay, move(holds)))
}

// removed looks for entries that were stored and are there no more, and goes back
// for what is needed of them. A start that was asked to begin elsewhere only tells.
func (w *Writer) removed(ctx context.Context, f found) error {
	stored := event.Seq(f.side.Stored)
	w.stored = f.side.Stored
	switch {
	case stored == 0:
		return nil
	case w.asks(f.side):
		return w.once(w.passedOver(ctx, f, stored))
	case f.Length == 0:
		w.acked, w.epoch = f.Cursor, f.side.Epoch
		return w.emptied(ctx, f.Cursor)
	case f.Newest > 0 && f.Newest < min(stored, f.Cursor):
		if w.groups.Acknowledged(ctx) {
			w.floor.Known, w.floor.Seq = true, f.Cursor
		}
		return w.shortened(ctx, f)
	}
	return nil
}

// passedOver tells of entries that are gone where this start was asked to begin
// behind them.
func (w *Writer) passedOver(ctx context.Context, f found, stored event.Seq) error {
	from, end := w.config.From.At, min(stored, f.Cursor)
	g := floor.Gone{To: end, Kept: from.Seq}
	switch {
	case f.Length == 0 && w.floor.Known:
		g.From = w.floor.Seq + 1
	case f.Length == 0:
	case f.Newest > 0 && f.Newest < end:
		g.From = f.Newest + 1
	default:
		return nil
	}
	if from.Start == event.After {
		g.To = min(g.To, from.Seq)
	}
	if from.Start == event.Oldest || g.From > g.To {
		return nil // all of it is read again
	}
	w.note(ctx, g)
	return &event.Moved{To: from, Alarm: event.AlarmRemoved, Detail: fmt.Sprintf(
		"entries of %s were removed while nobody stored, and reading begins behind them, as requested: what not every group had read of %s is gone", w.config.StreamKey, g)}
}

// once gives what is told without anything being changed a single time: asked again,
// it is nil.
func (w *Writer) once(err error) error {
	moved, ok := asMoved(err)
	if !ok || moved.To.Start == event.After && w.acked > 0 {
		return err
	}
	if w.toldOnce == moved.Detail {
		return nil
	}
	w.toldOnce = moved.Detail
	return moved
}

// shortened: the stream ends below the last entry stored. Where that entry was
// removed, and those before it, they are read again, unless every group had
// acknowledged them.
func (w *Writer) shortened(ctx context.Context, f found) error {
	end := min(event.Seq(f.side.Stored), f.Cursor)
	there, sure, err := w.stillHolds(ctx, f)
	if err != nil {
		return err
	}
	c, lost := &w.config, floor.Gone{From: f.Newest + 1, To: end, Kept: f.Cursor}
	switch {
	case there:
		c.Logger.Warn("Something else appended entries of lower seqs while nobody stored", "stream", c.StreamKey, "newest", f.Newest.String(), "stored", end.String())
		return nil
	case !sure:
		err := w.once(&event.Moved{Alarm: event.AlarmRemoved, Detail: fmt.Sprintf(
			"%s ends with seq %s, but %s was stored, and is not among its newest %d entries: something else removed entries, or appended many; %s may be gone, and is not read again",
			c.StreamKey, f.Newest, end, strangers.MostLooked, lost)})
		if err != nil {
			w.note(ctx, lost)
		}
		return err
	}
	to := f.Newest
	if w.floor.Known {
		to = max(to, w.needed(f.Cursor))
	}
	w.acked, w.epoch = f.Cursor, f.side.Epoch
	m, err := w.goBack(ctx, f.Cursor, to)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("entries of %s were removed while nobody stored: %s", c.StreamKey, lost)
	if m.Cursor == f.Cursor {
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmRemoved, what+"; every group had acknowledged them, so nothing is read again")
	}
	return w.movedTo(m.Cursor, m.Epoch, event.AlarmRemoved, fmt.Sprintf("%s; going back to %s: seq %d to %s is read again", what, m.Cursor, m.Cursor+1, f.Cursor))
}

// stillHolds looks for the last entry stored in a stream whose newest entry has a
// lower seq: it is there if something else appended behind it. sure is false where
// the stream is too long to be looked through.
func (w *Writer) stillHolds(ctx context.Context, f found) (there, sure bool, err error) {
	if w.groups.LastDeleted(ctx, reader.ID(f.ID)) {
		return false, true, nil
	}
	there, err = w.others.Holds(ctx, event.Seq(f.side.Stored))
	return there, there || f.Length <= strangers.MostLooked, err
}

// note writes what is gone into the ledger of losses, under no group's name: it is
// gone for all. Failure is logged; the alarm tells all the same.
func (w *Writer) note(ctx context.Context, g floor.Gone) {
	if !w.retention.ledger {
		return
	}
	key := w.config.LedgerKey()
	err := w.config.retry(ctx, "note what is gone", func(ctx context.Context) error { return w.groups.Note(ctx, key, g) })
	if err != nil {
		w.config.Logger.Warn("What is gone could not be noted in the ledger of losses", "ledger", key, "err", err)
	}
}
