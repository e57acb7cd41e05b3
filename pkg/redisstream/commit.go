package redisstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/partitions"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redisstream/strangers"
)

// commit is one call of Commit: what is left to store and what is known of it.
type commit struct {
	w        *Writer
	left     []*event.Batch
	receipts []event.Receipt
	full     bool // send the script's text: the server does not know it
	unsure   bool // a call whose reply is unknown may have been applied
	partial  int  // PARTIAL replies in a row
	severed  severed
	refusals int // entries of the first batch that were left out
}

// Commit stores batches in order, all in one exchange, and returns a receipt
// for each that was stored; the slice is reused by the next call. It tries
// again, for as long as ctx allows, whatever passes: timeouts, lost
// connections, LOADING, READONLY, MASTERDOWN, NOREPLICAS, TRYAGAIN, BUSY,
// CLUSTERDOWN, MISCONF, OOM and moved slots. A batch that an earlier try had
// stored is acknowledged with its entries as Present.
//
// An *event.Moved error means that the next batch was not stored, since the
// cursor is not where it continues from; an *event.Led error, that another writer
// leads and the next batch was not stored either. Other errors are final and classed as
// the package comment says; when ctx ends, the error wraps its cause.
//
// A batch without entries moves the cursor to its watermark.
func (w *Writer) Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := commit{w: w, left: batches, receipts: w.plan[:0]}
	w.outage.Doing = "store events"
	err := c.run(ctx)
	w.plan = c.receipts
	if _, back := asMoved(err); back || err == nil {
		w.remember(ctx)
	}
	return c.receipts, err
}

// run exchanges until nothing is left.
func (c *commit) run(ctx context.Context) error {
	for len(c.left) > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("store events: %w", err)
		}
		if err := c.w.watch(ctx, c.left); err != nil {
			return err
		}
		sent := time.Now()
		calls := c.send(ctx)
		err := c.receive(ctx, calls, time.Since(sent))
		for i := range calls {
			calls[i].Forget()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// send makes one exchange of all that is left. The batch that starts or jumps
// goes alone: behind somebody else's cursor those after it could still fit.
func (c *commit) send(ctx context.Context) []call {
	w, batches := c.w, c.left
	at := w.continues(batches[0])
	if at.expected == "" || at.jump || c.severed.alone {
		batches = batches[:1]
	}
	if len(w.calls) < len(batches) {
		w.calls = append(w.calls, make([]call, len(batches)-len(w.calls))...)
	}
	calls := w.calls[:len(batches)]
	defer context.AfterFunc(ctx, w.client.Interrupt)()
	size := 0
	for _, b := range batches {
		size += b.Bytes
	}
	ctx, cancel := w.config.WithinFor(ctx, size)
	defer cancel()
	w.sending = w.sending[:0]
	stored := w.stored
	for i, b := range batches {
		k := &calls[i]
		k.build(w, b, at, stored, c.full && i == 0)
		stored = k.stored
		w.sending = append(w.sending, &k.Call)
		at = continuation{expected: b.Upto.String(), epoch: at.epoch}
	}
	script.Send(ctx, w.client, w.sending)
	c.full = false
	return calls
}

// continues is where a batch continues from. One that follows another says so
// itself; the first after Resume may not.
func (w *Writer) continues(b *event.Batch) continuation {
	if b.After.Start == event.After && w.at.expected != "" && !w.at.jump {
		return continuation{expected: b.After.Seq.String(), epoch: w.epoch}
	}
	return w.at
}

// receive works through the replies of one exchange, in order, up to the first
// that is not OK. The rest of them answer calls that built on it.
func (c *commit) receive(ctx context.Context, calls []call, took time.Duration) error {
	for i := range calls {
		r, err := calls[i].Reply()
		if err != nil {
			return c.failed(ctx, err, len(calls))
		}
		if r.Status != script.Partial { // which may be the outage itself
			c.w.outage.Over()
		}
		if r.Status != script.OK {
			return c.refused(ctx, r)
		}
		if err := c.accept(ctx, r, took, &calls[i]); err != nil {
			return err
		}
	}
	return nil
}

// failed handles an error instead of a reply to what was sent.
func (c *commit) failed(ctx context.Context, err error, sent int) error {
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		c.full = true
		return nil
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		c.unsure = true
	}
	again := c.severed.note(err, sent, c.left[0].Bytes)
	switch {
	case again:
		return nil
	case c.severed.sure():
		return c.oversize(err)
	}
	cause := conn.CauseOf(err)
	if cause == "" {
		return fmt.Errorf("store events: %w", c.w.config.Final(err))
	}
	return c.w.outage.Failed(ctx, err, cause)
}

// accept acknowledges the first batch left.
func (c *commit) accept(ctx context.Context, r script.Reply, took time.Duration, k *call) error {
	w, b := c.w, c.left[0]
	c.receipts = append(c.receipts, event.Receipt{
		Appended: r.Appended, Present: r.Present + k.foreign + k.ours, Foreign: k.foreign, Lost: k.lost,
		Cursor: r.Cursor, Length: r.Length, Took: took, Trimmed: w.retention.losses(r.Trimmed), Refused: c.refusals,
	})
	w.stored = k.stored
	if k.lost > 0 {
		w.teller.Lost(w.others.Are(strangers.Lost, b))
		w.tellTaken(ctx, b)
	}
	c.left, c.partial, c.unsure, c.severed, c.refusals = c.left[1:], 0, false, severed{}, 0
	if w.at.expected == "" {
		w.floor.Began(partitions.Base(b))
	}
	w.acked, w.epoch, w.hadEntries, w.hasSide = r.Cursor, r.Epoch, r.Length > 0, true
	w.at = continuation{expected: r.Cursor.String(), epoch: r.Epoch}
	w.lease.Take(lease.Given)
	w.retention.tellOdd(r.Detail)
	if w.ahead.stuck(r, b.Upto) {
		return w.movedTo(r.Cursor, r.Epoch, event.AlarmConflict, fmt.Sprintf(
			"the cursor stays at %s, ahead of the event %s just read: somebody set it", r.Cursor, b.Upto))
	}
	return nil
}

// refused handles a reply that stored less than the whole batch. Nil means:
// send what is left again.
func (c *commit) refused(ctx context.Context, r script.Reply) error {
	w := c.w
	switch r.Status {
	case script.Led:
		return w.led(r.Detail)
	case script.Behind:
		return c.behind(r)
	case script.Conflict:
		if c.ours(r) {
			w.at = continuation{expected: r.Cursor.String(), epoch: r.Epoch}
			w.epoch = r.Epoch
			return nil
		}
		return w.movedTo(r.Cursor, r.Epoch, event.AlarmConflict, fmt.Sprintf(
			"the cursor is %s, epoch %d, where this writer left %s, epoch %d: %s", r.Cursor, r.Epoch, w.acked, w.epoch, r.Detail))
	case script.Foreign:
		w.others.Start()
		return nil
	case script.Missing:
		return w.restore(ctx, w.acked.String(), "")
	case script.Emptied:
		return w.emptied(ctx, r.Cursor)
	case script.BadCursor:
		return w.badCursor(r.Detail)
	case script.Mismatch:
		if r.Detail == "absent" && c.own(r.Cursor) {
			return w.restore(ctx, w.acked.String(), r.Cursor.String())
		}
		return w.foreign(r.Detail)
	case script.Partial:
		return c.partly(ctx, r)
	case script.Trimmed:
		w.retention.trimmed(r.Trimmed, r.Detail)
		return nil
	case script.Full:
		return w.noRoom(ctx, r.Held)
	}
	return fmt.Errorf("store events: %w: status %s", conn.ErrReply, r.Status)
}

// ours reports whether a cursor that appeared is the work of an earlier try
// whose reply was lost: starting and jumping are the calls that cannot simply
// be repeated.
func (c *commit) ours(r script.Reply) bool {
	w := c.w
	if !c.unsure || w.at.expected != "" && !w.at.jump {
		return false
	}
	c.unsure = false
	for _, b := range c.left {
		if r.Cursor == b.Upto {
			return true
		}
	}
	return false
}

// behind: the cursor is lower than the batch expects. If it is one that was
// acknowledged, an earlier batch is missing and is still held here. Below that
// Redis forgot, or an operator rewound.
func (c *commit) behind(r script.Reply) error {
	w := c.w
	if r.Cursor == w.acked && c.left[0].After == event.AfterSeq(w.acked) {
		return nil
	}
	alarm, why := event.AlarmRollback, "Redis lost acknowledged writes"
	if r.Epoch > w.epoch {
		alarm, why = event.AlarmConflict, "the cursor was moved back on purpose"
	}
	return w.movedTo(r.Cursor, r.Epoch, alarm, fmt.Sprintf("%s: the cursor is %s, %s was acknowledged", why, r.Cursor, w.acked))
}

func asMoved(err error) (*event.Moved, bool) { return errors.AsType[*event.Moved](err) }

// movedTo drops what this Writer knows and asks for reading from cursor.
func (w *Writer) movedTo(cursor event.Seq, epoch int64, alarm event.Alarm, detail string) error {
	w.acked, w.epoch, w.ahead, w.hadEntries = cursor, epoch, ahead{}, false
	w.floor.Next = time.Time{} // groups may have gone back as well
	w.at = continuation{expected: cursor.String(), epoch: epoch}
	w.others.Stop() // behind another cursor other entries count
	if w.stored > int64(cursor) {
		w.stored = 0 // what is stored behind the cursor is not known to be there
	}
	return &event.Moved{To: event.Behind(cursor), Alarm: alarm, Detail: detail}
}

// partly: an append failed midway; the cursor says how far it came. What is
// left is sent once more, or for as long as its cause may pass.
func (c *commit) partly(ctx context.Context, r script.Reply) error {
	w := c.w
	if w.at.expected == "" {
		w.floor.Began(partitions.Base(c.left[0]))
	}
	w.acked, w.epoch = r.Cursor, r.Epoch
	w.at = continuation{expected: r.Cursor.String(), epoch: r.Epoch}
	if r.Appended > 0 {
		w.stored = int64(r.Cursor)
	}
	err := conn.ServerError(r.Detail)
	if cause := conn.CauseOf(err); cause != "" {
		return c.w.outage.Failed(ctx, err, cause)
	}
	if c.partial++; c.partial == 1 {
		return nil
	}
	return fmt.Errorf("append to %s, which is stored up to the cursor %s: %w", w.config.StreamKey, r.Cursor, w.config.Final(err))
}

// ahead notices a cursor that somebody set above what the relay sends. Another
// live writer is ahead as well, but its cursor moves.
type ahead struct {
	cursor event.Seq
	since  time.Time
}

// aheadFor is how long a cursor may stand still above what is being read.
const aheadFor = 2 * time.Second

func (a *ahead) stuck(r script.Reply, upto event.Seq) bool {
	if r.Cursor <= upto {
		*a = ahead{}
		return false
	}
	if a.cursor != r.Cursor {
		*a = ahead{cursor: r.Cursor, since: time.Now()}
		return false
	}
	return time.Since(a.since) >= aheadFor
}
