package main

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

var errLeap = errors.New("the numbers leapt: another connection shall confirm it")

// leapWatch has a leap of a relay's numbers confirmed by other connections, for
// commands that follow a relay by themselves. The zero leapWatch is ready.
type leapWatch struct {
	chunk event.Chunk   // of the present frames, for its connection
	asked uint64        // the connection that showed a leap last
	timer *time.Timer   // hangs up when nothing but the leap comes
	stood atomic.Uint64 // the connection that it hung up
}

// enter notes whose frames follow.
func (l *leapWatch) enter(chunk *event.Chunk) {
	l.chunk = event.Chunk{Conn: chunk.Conn, Arrived: chunk.Arrived, Hangup: chunk.Hangup}
}

// observe judges a seq; what is a leap is not to be used.
func (l *leapWatch) observe(log *slog.Logger, tracker *event.Tracker, seq event.Seq) event.Step {
	last := tracker.Last()
	tracker.Waited(l.stood.Load())
	step := tracker.Observe(seq, l.chunk.Conn, l.chunk.Arrived)
	switch {
	case step.Refuted > 0:
		l.stop()
		log.Warn("A seq was far above what rate and time allow; what followed disproves it, and it is left out", "seq", step.Refuted.String(), "after", last.String())
	case step.Believed > 0:
		l.stop()
		log.Warn("The numbers leapt, and other connections confirm it", "from", last.String(), "to", seq.String())
	case step.Verdict != event.Leap:
	case step.Ask:
		l.hangup(l.chunk)
	case l.asked != l.chunk.Conn:
		l.asked = l.chunk.Conn
		l.stop()
		log.Debug("A seq is far above what rate and time allow", "seq", seq.String(), "after", last.String())
		chunk := l.chunk
		l.timer = time.AfterFunc(event.LeapWait, func() {
			l.stood.Store(chunk.Conn)
			l.hangup(chunk)
		})
	}
	return step
}

func (l *leapWatch) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *leapWatch) hangup(chunk event.Chunk) {
	if chunk.Hangup != nil {
		chunk.Hangup(errLeap)
	}
}
