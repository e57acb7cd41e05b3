package follow

import (
	"errors"

	"github.com/fhctl/fhctl/pkg/event"
)

var errStray = errors.New("the relay sends only events below those asked for")

// number judges the event in hand, and yields it, lets it wait or drops it.
func (l *loop) number(seq event.Seq) {
	last := l.tracker.Last()
	if l.tracker.Forgotten(seq, l.chunk.Conn) {
		l.tracker.Trust()
		l.hangup(event.ErrForgotten)
		return
	}
	step := l.tracker.Observe(seq, l.chunk.Conn, l.chunk.Arrived)
	if step.Verdict == event.Repeat && l.startsOver(seq, last) {
		if l.closed {
			return
		}
		last = l.tracker.Last()
		step = l.tracker.Observe(seq, l.chunk.Conn, l.chunk.Arrived)
	}
	switch step.Verdict {
	case event.Repeat:
		again := l.tracker.Repeated(seq)
		if l.Repeated != nil && !(again && l.overlaps) {
			l.Repeated()
		}
		l.doubted = 0 // what comes lower behind a leap does not confirm it
		if !again && !l.goBack(seq, &step) {
			l.repeated(seq, last, step.Contradicts)
		}
		return
	case event.Leap:
		l.leapt(seq, last, step.Ask)
		return
	}
	l.judge.Fresh()
	l.stray.Stop()
	l.asked = 0
	l.settle(seq, last, &step)
	if refuted := l.opening.Fresh(!l.begun, seq); refuted > 0 {
		l.tellFirst(refuted, seq)
	}
	l.begun = true
	l.place(seq, last, &step)
}

// settle tells what an event says of those before it.
func (l *loop) settle(seq, last event.Seq, step *event.Step) {
	switch {
	case step.Refuted > 0:
		l.Logger.Warn("A seq was above what is usual; what followed disproves it, and it is left out", "seq", step.Refuted.String(), "after", last.String())
	case step.Believed > 0 && event.FarAhead(last, seq):
		l.Logger.Warn("The numbers leapt, and other connections confirm it", "from", last.String(), "to", seq.String())
	}
}

// leapt keeps an event out that is far ahead, and has it confirmed by another connection
// when nothing disproves it here.
func (l *loop) leapt(seq, last event.Seq, ask bool) {
	switch {
	case ask:
		l.hangup(event.ErrLeap)
	case l.doubted != l.chunk.Conn:
		l.doubted = l.chunk.Conn
		l.Logger.Debug("A seq is far above what rate and time allow", "seq", seq.String(), "after", last.String())
		l.watch.Reset(event.LeapWaitWithin(l.IdleTimeout))
	}
}

// watched fires some time after a connection began to leap.
func (l *loop) watched() {
	conn := l.judge.Conn()
	if !l.closed && l.tracker.Doubted() > 0 && l.doubted == conn && l.tracker.Waited(conn) {
		l.hangup(event.ErrLeap)
	}
}

// repeated acts on an event at or below the last one.
func (l *loop) repeated(seq, last event.Seq, contradicts bool) {
	switch l.judge.Old(seq, last, contradicts) {
	case Boundary:
		l.stray.Stop()
	case First:
		l.stray.Reset(l.judge.Patience())
	case Regressed, Contradicted: // what the next connection begins with decides
		l.hangup(ErrRegressed)
	}
}

// strayTooLong fires when a connection has sent nothing but repeats for as long as the
// judge's patience.
func (l *loop) strayTooLong() {
	if l.closed {
		return
	}
	switch l.judge.Overdue() {
	case Regressed:
		l.hangup(ErrRegressed)
	case Restarted:
		l.restarted(l.judge.Lowest())
	}
}

// restarted acts on a relay that counts anew (Q6): to drop what it sends as repeats would
// be to drop everything.
func (l *loop) restarted(first event.Seq) {
	asked := l.tracker.Position()
	if !l.Anew {
		l.err = &PositionError{Err: ErrRestarted, Asked: asked, First: first}
		return
	}
	l.Logger.Warn("The relay sends only events below the seq asked for: its numbering has restarted, and reading goes on in the new one", "seq", first.String(), "asked", asked.String())
	l.hangup(errStray)
	l.begin(event.Behind(first - 1))
}

// goBack goes back to the beginning of a gap from inside which an event came; false where
// that is not known, or was done already and brought nothing new.
func (l *loop) goBack(seq event.Seq, step *event.Step) bool {
	from, to := step.Between[0], step.Between[1]
	if !step.Contradicts || from == 0 || !l.tracker.MayReturn() {
		return false
	}
	l.waiting.drop(from)
	l.release() // what waited before the gap is confirmed
	l.tracker.Return(from, seq, l.chunk.Conn)
	l.Logger.Warn("An event came from inside a gap, so that one of the seqs is false; what lies behind the gap's beginning is asked for again",
		"seq", seq.String(), "after", from.String(), "before", to.String())
	if l.yielded.goBack(from) {
		l.give(&Item{Back: from, Arrived: l.chunk.Arrived})
	}
	l.hangup(event.ErrGap)
	return true
}
