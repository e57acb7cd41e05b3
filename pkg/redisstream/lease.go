package redisstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

const (
	// leaseFor is how long a writer leads after its last sign of life. It
	// bounds how long nobody stores when a leader dies.
	leaseFor = 1500 * time.Millisecond
	// leaseEach is how often a leader with nothing to store renews.
	leaseEach = leaseFor / 3
	// leaseStill is how long a lease may stay as it is, by the clock of one that
	// stands by, before its writer is taken for dead, whatever Redis's clock
	// says. It is longer than a leader takes to renew when it waits for room.
	leaseStill = 2 * leaseFor
)

// lease is what a Writer knows of who leads. The lease only saves the others
// work: what may be appended is decided by comparing cursors, whoever leads.
type lease struct {
	id      string // of this Writer; "" takes no part
	leading bool
	since   time.Time // when Redis last gave or prolonged it
	// followed is set while another leads, and until its end is dealt with.
	followed bool
	// seen is the lease of another as it was last read, and seenSince when first.
	seen      string
	seenSince time.Time
	// sideGone is since when the cursor followed has had no side key.
	sideGone time.Time
	// passed is set once another writer has moved the cursor: a place this
	// run was asked to begin from is then a thing of the past.
	passed bool
}

// newLease gives each Writer an id of its own, NAME/RANDOM/PID@WHERE: a process
// that was restarted under the same name is another writer.
func newLease(name string) lease {
	if name == "" {
		return lease{}
	}
	return lease{id: fmt.Sprintf("%s/%s/%d@%s", name, strings.ToLower(rand.Text()[:8]), os.Getpid(), pidSpace())}
}

// nameIn is the name in an id, which is all that people want to read.
func nameIn(id string) string {
	parts := strings.Split(id, "/")
	return strings.Join(parts[:max(1, len(parts)-2)], "/")
}

// beats splits a lease into a writer's id and whether a number behind it rises
// with each renewal; older versions wrote the id alone.
func beats(lease string) (id string, counted bool) {
	if i := strings.LastIndexByte(lease, '#'); i >= 0 {
		return lease[:i], true
	}
	return lease, false
}

// dead reports whether the writer with that lease is a process of this machine that
// has ended. It is false whenever that cannot be known.
func dead(lease string) bool {
	id, _ := beats(lease)
	i := strings.LastIndexByte(id, '/')
	pid, where, ok := strings.Cut(id[i+1:], "@")
	n, err := strconv.Atoi(pid)
	return ok && err == nil && n > 0 && where != "" && where == pidSpace() && ended(n)
}

// still reports whether another's lease has not been renewed for so long that it
// ought to have expired: Redis's clock was set back, or stands.
func (l *lease) still(lease string) bool {
	if lease != l.seen {
		l.seen, l.seenSince = lease, time.Now()
		return false
	}
	_, counted := beats(lease)
	return counted && time.Since(l.seenSince) > leaseStill
}

// held notes that Redis has just given or prolonged the lease.
func (l *lease) held() {
	l.leading, l.followed, l.since, l.seen = l.id != "", false, time.Now(), ""
}

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
	l := &w.lease
	switch {
	case l.id != "" && !l.leading:
		return w.ask(ctx)
	case l.id != "" && time.Since(l.since) >= leaseEach:
		return w.renew(ctx)
	}
	return event.Lead{Leading: true, Cursor: w.acked}, nil
}

// renew tries once, within the time that the lease has at most.
func (w *Writer) renew(ctx context.Context) (event.Lead, error) {
	once, cancel := context.WithTimeout(ctx, leaseFor)
	defer cancel()
	m, err := w.callLease(once, leaseFor, "")
	if fault.Ended(ctx) == nil {
		w.outage.Doing = "renew the lease"
		w.outage.Observe(err)
	}
	if err == nil && m.Status == script.Led {
		return event.Lead{By: nameIn(m.Detail)}, w.led(m.Detail)
	}
	if err == nil && m.Status == script.OK {
		w.lease.held()
		// Not for longer than once lasts: a batch may be waiting for its turn.
		if moved := (*event.Moved)(nil); errors.As(w.stillThere(once, m), &moved) {
			return event.Lead{Leading: true, Cursor: w.acked}, moved
		}
		w.remember(once) // a group may have been made at the beginning since
	}
	return event.Lead{Leading: true, Cursor: w.acked}, nil
}

// stillThere notices, although nothing is stored just now, that what was stored
// is gone or that the cursor was moved: the next event may be long in coming.
func (w *Writer) stillThere(ctx context.Context, m script.State) error {
	switch {
	case w.acked == 0 || w.at.jump:
		return nil
	case !m.Present:
		return w.restore(ctx, w.acked.String(), "")
	case m.Epoch > w.epoch:
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmConflict, fmt.Sprintf("the cursor was moved to %s on purpose", m.Cursor))
	case m.Epoch < w.epoch || m.Cursor < w.acked:
		return w.movedTo(m.Cursor, m.Epoch, event.AlarmRollback, fmt.Sprintf(
			"Redis lost acknowledged writes: the cursor is %s, %s was acknowledged", m.Cursor, w.acked))
	case m.Detail != "":
		return w.reclaim(ctx)
	}
	return nil
}

// callLease runs the lease script; 0 gives the lease back. It may take it from
// one that is dead.
func (w *Writer) callLease(ctx context.Context, d time.Duration, dead string) (script.State, error) {
	return script.Lease{Writer: w.lease.id, Milliseconds: d.Milliseconds(), Owner: w.config.owner(), Dead: dead}.Run(ctx, w.client, w.keys)
}

// ask is Lead for one that does not lead yet.
func (w *Writer) ask(ctx context.Context) (event.Lead, error) {
	var m script.State
	err := w.config.retry(ctx, "read the lease", func(ctx context.Context) (err error) {
		m, err = w.callLease(ctx, leaseFor, "")
		if err == nil && m.Status == script.Led && (w.lease.still(m.Detail) || dead(m.Detail)) {
			m, err = w.callLease(ctx, leaseFor, m.Detail) // nobody will come back to it
		}
		return err
	})
	if err != nil {
		return event.Lead{}, err
	}
	switch m.Status {
	case script.BadCursor:
		return event.Lead{}, w.badCursor(m.Detail)
	case script.Mismatch:
		if m.Detail == "absent" && w.lease.followed && m.Cursor == w.acked {
			// It was there: lost, and not another's cursor.
			return event.Lead{}, w.restore(ctx, w.acked.String(), m.Cursor.String())
		}
		if m.Detail == "absent" && w.lease.followed {
			return w.withoutSide()
		}
		return event.Lead{}, w.foreign(m.Detail)
	case script.Led:
		w.lease.followed, w.lease.sideGone = true, time.Time{}
		if w.behindUs(m) && !w.wentOver(ctx, m) {
			return event.Lead{}, w.rolledBack(m)
		}
		w.follow(m)
		w.remember(ctx)
		return event.Lead{By: nameIn(m.Detail), Cursor: w.acked}, nil
	}
	return event.Lead{Leading: true, Cursor: m.Cursor}, w.takeOver(ctx, m)
}

// withoutSide goes on following although the side key, which told whose cursor it is,
// has vanished: the leader, which moved the cursor since, writes it again with
// its next batch. It does not for long.
func (w *Writer) withoutSide() (event.Lead, error) {
	l := &w.lease
	if l.sideGone.IsZero() {
		l.sideGone = time.Now()
	}
	if time.Since(l.sideGone) > 2*leaseFor {
		return event.Lead{}, w.foreign("absent")
	}
	return event.Lead{By: "unknown, for the side key is gone", Cursor: w.acked}, nil
}

// follow notes how far the leader has come. When the cursor is gone, what was
// known of it is kept: it is what has to be restored.
func (w *Writer) follow(m script.State) {
	if m.Present && (m.Cursor != w.acked || m.Epoch != w.epoch) {
		w.lease.passed = true
		w.acked, w.epoch = m.Cursor, m.Epoch
		w.at = continuation{expected: m.Cursor.String(), epoch: m.Epoch}
	}
}

// takeOver begins to lead. Redis may have lost what the former leader stored,
// and its lease with it: then it is ours to notice.
func (w *Writer) takeOver(ctx context.Context, m script.State) error {
	followed := w.lease.followed
	w.lease.held()
	switch {
	case !followed:
		return nil
	case !m.Present && w.acked > 0:
		return w.restore(ctx, w.acked.String(), "")
	case w.behindUs(m) && !w.wentOver(ctx, m):
		return w.rolledBack(m)
	}
	w.follow(m)
	return nil
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

// led notes that another writer has the lease.
func (w *Writer) led(id string) error {
	w.lease.leading, w.lease.followed, w.lease.passed = false, true, true
	return &event.Led{By: nameIn(id)}
}

// release gives the lease back, so that another can lead at once; one that has
// run out meanwhile is nobody's to give, and a Redis that is away takes none. A
// Commit under way keeps it.
func (w *Writer) release() {
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	if !w.lease.leading || w.outage.Attempts() > 0 || time.Since(w.lease.since) > leaseFor {
		return
	}
	w.lease.leading = false
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := w.callLease(ctx, 0, ""); err != nil {
		w.config.Logger.Debug("Cannot give the lease back; it ends by itself", "err", err)
	}
}
