package follow

import (
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

var (
	errGap   = errors.New("an event came from inside a gap: what lies behind the gap's beginning is asked for again")
	errLeap  = errors.New("the numbers leapt: another connection shall confirm it")
	errStray = errors.New("the relay sends only events below those asked for")
)

// Follower follows one relay's numbering from connection to connection: it drops
// repeats, has leaps confirmed by other connections, and notices a relay that counts
// anew, as the pipeline does. Make it with New. Its methods are called from the
// goroutine that ranges over the source's chunks, from which the source also asks
// where to Resume.
type Follower struct {
	tracker event.Tracker
	judge   Judge
	idle    time.Duration
	log     *slog.Logger
	chunk   event.Chunk // of the present frames, for its connection

	asked uint64        // the connection that showed a leap last
	leap  *time.Timer   // hangs up when nothing but the leap comes
	stood atomic.Uint64 // the connection that it hung up

	stray  *time.Timer   // hangs up when nothing but repeats comes
	tired  atomic.Uint64 // the connection that it hung up
	closed bool          // the present connection, by us: what it still sends is dropped

	taken []event.Seq // before a gap was left again, rising: they are not taken twice
}

// New begins at a position. Idle is after how long without a new event the source ends
// a connection, 0 is never; a nil logger is silent.
func New(at event.Position, idle time.Duration, log *slog.Logger) *Follower {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Follower{tracker: *event.NewTracker(at), idle: idle, log: log}
}

// Last is the last seq that was taken, 0 before the first.
func (f *Follower) Last() event.Seq { return f.tracker.Last() }

// At is what the last seq that was taken covers.
func (f *Follower) At() event.Position { return f.tracker.Position() }

// Astray reports whether the present connection has sent nothing yet but events below
// those asked for.
func (f *Follower) Astray() bool { return f.judge.Overdue() == Restarted }

// Resume is where to read on. Restarted is set, once, when the connection that has
// ended showed that the relay counts anew: first is the seq it began with, and what
// is asked for will never come.
func (f *Follower) Resume() (at event.Position, restarted bool, first event.Seq) {
	if tired := f.tired.Swap(0); tired != 0 && tired == f.judge.Conn() && f.Astray() {
		return f.tracker.Position(), true, f.judge.Lowest()
	}
	return f.tracker.Position(), false, 0
}

// Rewind goes on from another position, with what is known of the relay forgotten.
func (f *Follower) Rewind(at event.Position) {
	f.stopTimers()
	f.tracker = *event.NewTracker(at)
	f.judge, f.asked, f.taken = Judge{}, 0, nil
}

// Enter notes whose frames follow.
func (f *Follower) Enter(chunk *event.Chunk) {
	f.chunk = event.Chunk{Conn: chunk.Conn, Arrived: chunk.Arrived, Hangup: chunk.Hangup}
	if f.judge.Enter(chunk.Conn) {
		f.closed = false
		stop(f.stray)
	}
}

// Take judges an event's seq. Only what is Fresh is to be used.
func (f *Follower) Take(seq event.Seq) event.Verdict {
	if f.closed {
		return event.Repeat
	}
	last := f.tracker.Last()
	f.tracker.Waited(f.stood.Load())
	step := f.tracker.Observe(seq, f.chunk.Conn, f.chunk.Arrived)
	switch step.Verdict {
	case event.Repeat:
		if !f.goBack(seq, &step) {
			f.repeated(seq, last, step.Contradicts)
		}
	case event.Leap:
		f.leapt(seq, last, step.Ask)
	default:
		f.judge.Fresh()
		stop(f.stray)
		f.decided(seq, last, step)
		if _, again := slices.BinarySearch(f.taken, seq); again {
			return event.Repeat
		}
	}
	return step.Verdict
}

// goBack goes back to the beginning of a gap from inside which an event came. False where
// that is not known, or was done already and brought nothing new.
func (f *Follower) goBack(seq event.Seq, step *event.Step) bool {
	from, to := step.Between[0], step.Between[1]
	if !step.Contradicts || from == 0 || f.chunk.Hangup == nil || !f.tracker.MayReturn() {
		return false
	}
	f.taken = append(f.taken, f.tracker.Return(from, seq, f.chunk.Conn)...)
	slices.Sort(f.taken)
	if n := len(f.taken) - mostTaken; n > 0 {
		f.taken = f.taken[n:]
	}
	f.log.Warn("An event came from inside a gap, so that one of the seqs is false; what lies behind the gap's beginning is asked for again",
		"seq", seq.String(), "after", from.String(), "before", to.String())
	f.closed = true
	f.stopTimers()
	hangup(f.chunk, errGap)
	return true
}

// mostTaken bounds how many seqs are remembered because gaps were left again.
const mostTaken = 1 << 16

func (f *Follower) decided(seq, last event.Seq, step event.Step) {
	switch {
	case step.Refuted > 0:
		stop(f.leap)
		f.log.Warn("A seq was far above what rate and time allow; what followed disproves it, and it is left out", "seq", step.Refuted.String(), "after", last.String())
	case step.Believed > 0:
		stop(f.leap)
		f.log.Warn("The numbers leapt, and other connections confirm it", "from", last.String(), "to", seq.String())
	}
}

func (f *Follower) leapt(seq, last event.Seq, ask bool) {
	switch {
	case ask:
		hangup(f.chunk, errLeap)
	case f.asked != f.chunk.Conn:
		f.asked = f.chunk.Conn
		stop(f.leap)
		f.log.Debug("A seq is far above what rate and time allow", "seq", seq.String(), "after", last.String())
		chunk := f.chunk
		f.leap = time.AfterFunc(event.LeapWaitWithin(f.idle), func() {
			f.stood.Store(chunk.Conn)
			hangup(chunk, errLeap)
		})
	}
}

func (f *Follower) repeated(seq, last event.Seq, contradicts bool) {
	switch f.judge.Old(seq, last, contradicts) {
	case Boundary:
		stop(f.stray)
	case First:
		stop(f.stray)
		chunk := f.chunk
		f.stray = time.AfterFunc(f.judge.Patience(), func() {
			f.tired.Store(chunk.Conn)
			hangup(chunk, errStray)
		})
	case Regressed, Contradicted: // what the next connection begins with decides
		f.closed = true
		stop(f.stray)
		hangup(f.chunk, ErrRegressed)
	}
}

// Close stops what still waits.
func (f *Follower) Close() { f.stopTimers() }

func (f *Follower) stopTimers() { stop(f.leap); stop(f.stray) }

func stop(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}

func hangup(chunk event.Chunk, why error) {
	if chunk.Hangup != nil {
		chunk.Hangup(why)
	}
}
