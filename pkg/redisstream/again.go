package redisstream

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redisstream/strangers"
)

// Return moves the cursor back to seq, of the same numbering, since the numbers above it
// were not all true. The entries above it stay, and what they hold is not stored a second
// time: the side key says up to where the stream holds entries of ours above the cursor
// (again), so that a process that dies midway, or another that takes over, knows as well.
//
// An event whose number an entry of another account has cannot be stored any more: it is
// told of, and noted in the ledger of losses.
//
// It waits for Redis as Commit does. An *event.Moved error means that the cursor was not
// where this Writer left it.
func (w *Writer) Return(ctx context.Context, to event.Seq) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if to >= w.acked {
		return nil
	}
	from, err := w.others.FirstAbove(ctx, to)
	if err != nil {
		return err
	}
	c, until := &w.config, w.acked
	head := c.head(nil, w.time, 0, int64(to), w.floor.UpTo(to))
	head = fmt.Appendf(head, `,"othersFrom":"%s","othersTo":%d,"again":%[2]d`, from, until)
	var m script.State
	err = c.retry(ctx, "move cursor back", func(ctx context.Context) (err error) {
		m, err = script.Rebase{From: until, To: to, Owner: c.owner(), Epoch: w.epoch, Side: string(head), Keep: true}.Run(ctx, w.client, w.keys)
		return err
	})
	switch {
	case err != nil:
		return err
	case m.Status == script.Missing:
		return w.restore(ctx, until.String(), "")
	case m.Status == script.BadCursor:
		return w.badCursor(m.Detail)
	case m.Status == script.Mismatch:
		return w.foreign(m.Detail)
	case m.Status == script.Conflict && (m.Cursor != to || m.Epoch != w.epoch): // else an earlier try had moved it
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmConflict, fmt.Sprintf("the cursor is %s, %s was acknowledged", m.Cursor, until))
	}
	w.acked, w.epoch, w.floor, w.ahead = to, m.Epoch, w.floor.UpTo(to), ahead{}
	w.stored, w.hasSide = 0, true
	w.at = continuation{expected: to.String(), epoch: m.Epoch}
	w.others.Stop()
	w.others.Start()
	w.others.OwnUpTo(until)
	return nil
}

// wentOver reports whether a cursor below what this process knew to be stored was moved
// there by Return: nothing is lost.
func (w *Writer) wentOver(ctx context.Context, m script.State) bool {
	_, present, stored, err := w.stateOnce(ctx)
	return err == nil && present && stored != nil && stored.Again >= int64(w.acked) && m.Epoch == stored.Epoch
}

// tellTaken tells of events whose numbers entries of other accounts have, and that are not
// stored for that reason (G7).
func (w *Writer) tellTaken(ctx context.Context, b *event.Batch) {
	n, first, last := w.others.Are(strangers.Taken, b)
	if n == 0 {
		return
	}
	w.note(ctx, floor.Gone{From: first, To: last, Kept: last + 1})
	w.config.Alarm(event.AlarmLeap, first, fmt.Sprintf(
		"%d events, %s, are not stored: false events that came before them have their numbers in %s", n, strangers.RangeOf(first, last), w.config.StreamKey))
}
