package redisstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Lead asks to lead, or to go on leading, and tells who does. Call it a few
// times a second: one that leads and stores renews with every batch, so that
// asking costs an exchange only when nothing is stored. One that does not lead
// learns here how far the leader has come.
//
// An *event.Moved error comes with the lead when what the former leader stored
// is gone, as after a rollback; an *event.Led error when the lead was lost.
// Without Config.Writer it always leads. Like Commit it waits for Redis, but
// not to renew: the next batch will.
func (w *Writer) Lead(ctx context.Context) (event.Lead, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lead, err := w.lead(ctx)
	if _, back := asMoved(err); back {
		w.remember(ctx)
	}
	return lead, err
}

func (w *Writer) lead(ctx context.Context) (event.Lead, error) {
	switch {
	case !w.lease.Leads():
		return w.ask(ctx)
	case w.lease.ID != "" && w.lease.RenewalDue():
		return w.renew(ctx)
	}
	return event.Lead{Leading: true, Cursor: w.acked}, nil
}

// renew tries once, within the time that the lease has at most. That what was stored is
// gone, or that the cursor was moved, is noticed here while nothing is stored: the next
// event may be long in coming.
func (w *Writer) renew(ctx context.Context) (event.Lead, error) {
	once, cancel := context.WithTimeout(ctx, lease.Lasts)
	defer cancel()
	m, err := w.callLease(once, lease.Lasts, "")
	if fault.Ended(ctx) == nil {
		w.outage.Doing = "renew the lease"
		w.outage.Observe(err)
	}
	leading := event.Lead{Leading: true, Cursor: w.acked}
	if err != nil {
		return leading, nil // the next batch renews
	}
	// Not for longer than once lasts: a batch may be waiting for its turn.
	err = w.act(once, w.lease.Take(w.understand(once, m)), m)
	var led *event.Led
	var moved *event.Moved
	switch {
	case errors.As(err, &led):
		return event.Lead{By: led.By}, err
	case errors.As(err, &moved):
		return event.Lead{Leading: true, Cursor: w.acked}, moved
	case m.Status == script.OK:
		w.remember(once) // a group may have been made at the beginning since
	}
	return leading, nil
}

// understand is what an answer of the lease script means to what this writer knows.
func (w *Writer) understand(ctx context.Context, m script.State) lease.Answer {
	switch {
	case m.Status == script.BadCursor:
		return lease.NotANumber
	case m.Status == script.Mismatch && m.Detail != "absent":
		return lease.NotOurs
	case m.Status == script.Mismatch && m.Cursor == w.acked:
		return lease.NoSide
	case m.Status == script.Mismatch:
		return lease.NoSideElsewhere
	case m.Status == script.Led && w.lease.State() != lease.Leading && w.behindUs(m) && !w.wentOver(ctx, m):
		return lease.LedLower
	case m.Status == script.Led:
		return lease.Led
	case w.acked == 0, w.lease.State() == lease.Idle, w.lease.State() == lease.Leading && w.at.jump:
		return lease.Given // there is nothing to compare with
	case !m.Present:
		return lease.GivenNoCursor
	case m.Epoch > w.epoch:
		return lease.GivenMoved
	case m.Cursor < w.acked && (w.lease.State() == lease.Leading || !w.wentOver(ctx, m)):
		return lease.GivenLower
	case m.Epoch < w.epoch:
		return lease.GivenEarlier
	case m.Detail != "":
		return lease.GivenDisputed
	}
	return lease.Given
}

// act does what the table of the lease says.
func (w *Writer) act(ctx context.Context, do lease.Action, m script.State) error {
	switch do {
	case lease.Follow:
		w.follow(m)
	case lease.Restore:
		return w.restore(ctx, w.acked.String(), "")
	case lease.RestoreSide: // it was there: lost, and not another's cursor
		return w.restore(ctx, w.acked.String(), m.Cursor.String())
	case lease.GoBack:
		return w.rolledBack(m)
	case lease.GoThere:
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmConflict, fmt.Sprintf("the cursor was moved to %s on purpose", m.Cursor))
	case lease.PutBack:
		return w.reclaim(ctx)
	case lease.StandBy:
		w.lease.NoteAnother()
		return &event.Led{By: lease.Name(m.Detail)}
	case lease.Refuse:
		return w.foreign(m.Detail)
	case lease.RefuseValue:
		return w.badCursor(m.Detail)
	}
	return nil
}

// callLease runs the lease script; 0 gives the lease back. It may take it from
// one that is dead.
func (w *Writer) callLease(ctx context.Context, d time.Duration, dead string) (script.State, error) {
	return script.Lease{Writer: w.lease.ID, Milliseconds: d.Milliseconds(), Owner: w.config.owner(), Dead: dead}.Run(ctx, w.client, w.keys)
}

// ask is Lead for one that does not lead yet.
func (w *Writer) ask(ctx context.Context) (event.Lead, error) {
	var m script.State
	err := w.config.retry(ctx, "read the lease", func(ctx context.Context) (err error) {
		m, err = w.callLease(ctx, lease.Lasts, "")
		if err == nil && m.Status == script.Led && (w.lease.Frozen(m.Detail) || lease.Dead(m.Detail)) {
			m, err = w.callLease(ctx, lease.Lasts, m.Detail) // nobody will come back to it
		}
		return err
	})
	if err != nil {
		return event.Lead{}, err
	}
	do := w.lease.Take(w.understand(ctx, m))
	err = w.act(ctx, do, m)
	switch {
	case w.lease.Leads():
		return event.Lead{Leading: true, Cursor: m.Cursor}, err
	case err != nil:
		return event.Lead{}, err
	case do == lease.Wait:
		return event.Lead{By: "unknown, for the side key is gone", Cursor: w.acked}, nil
	}
	w.remember(ctx)
	return event.Lead{By: lease.Name(m.Detail), Cursor: w.acked}, nil
}

// follow notes how far the leader has come. When the cursor is gone, what was
// known of it is kept: it is what has to be restored.
func (w *Writer) follow(m script.State) {
	if m.Present && (m.Cursor != w.acked || m.Epoch != w.epoch) {
		w.lease.NoteAnother()
		w.acked, w.epoch = m.Cursor, m.Epoch
		w.at = continuation{expected: m.Cursor.String(), epoch: m.Epoch}
	}
}

// behindUs reports whether what was known to be stored no longer is. The epoch
// goes back with it; a higher one is an operator's move.
func (w *Writer) behindUs(m script.State) bool {
	return m.Present && m.Cursor < w.acked && m.Epoch <= w.epoch
}

func (w *Writer) rolledBack(m script.State) error {
	return w.movedTo(m.Cursor, m.Epoch, event.AlarmRollback, fmt.Sprintf(
		"Redis lost acknowledged writes: the cursor is %s, %s was stored", m.Cursor, w.acked))
}

// led notes that a batch met another writer's lease.
func (w *Writer) led(id string) error {
	w.lease.Take(lease.Led)
	w.lease.NoteAnother()
	return &event.Led{By: lease.Name(id)}
}

// release gives the lease back, so that another can lead at once; one that has
// run out meanwhile is nobody's to give, and a Redis that is away takes none. A
// Commit under way keeps it.
func (w *Writer) release() {
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	if w.lease.State() != lease.Leading || w.outage.Attempts() > 0 || w.lease.RunOut() {
		return
	}
	w.lease.Take(lease.GivenBack)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := w.callLease(ctx, 0, ""); err != nil {
		w.config.Logger.Debug("Cannot give the lease back; it ends by itself", "err", err)
	}
}
