package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
)

// poisonTries is how often a frame that breaks the stream is asked for again, from
// the same position, before it is passed over (F6).
const poisonTries = 3

var (
	errFraming = errors.New("a frame broke the stream")
	errHeld    = event.ErrHeld
)

// link is what the sequencer knows of the present connection.
type link struct {
	judge  follow.Judge
	hangup func(error)
	hungUp bool        // by us: its remaining frames are ignored
	window bool        // it said that it no longer held everything
	stray  *time.Timer // fires when nothing but repeats came for the judge's patience
}

// enter notes that frames of a chunk's connection follow, and reports whether it
// is another one than before.
func (l *link) enter(chunk *event.Chunk) (another bool) {
	if !l.judge.Enter(chunk.Conn) {
		return false
	}
	l.hangup, l.hungUp, l.window = chunk.Hangup, false, false
	l.stray.Stop()
	return true
}

// advance notes a fresh event; first is called when it is the connection's
// first one.
func (l *link) advance(first func()) {
	if l.judge.Fresh() {
		first()
	}
	l.stray.Stop()
}

// close breaks the connection; what it still sends is ignored.
func (l *link) close(cause error) {
	l.hungUp = true
	l.stray.Stop()
	if l.hangup != nil {
		l.hangup(cause)
	}
}

// poison remembers where frames broke the stream.
type poison struct {
	at    event.Position
	tries int
}

// framing handles a frame that broke the stream: asked for again, then passed
// over. The tries are counted per position, so any progress forgives.
func (s *sequencer) framing(m *mark) {
	r := m.reject
	s.counts.Rejected[r.Reason]++
	s.cfg.Observer.Rejected(r, m.frame)
	if r.Reason == event.ReasonOversize {
		return // the source asked again before it gave up on the message
	}
	if at := s.tracker.Position(); at != s.poison.at {
		s.poison = poison{at: at}
	}
	if s.poison.tries++; s.poison.tries < poisonTries {
		s.link.close(fmt.Errorf("%w: %s", errFraming, r.Reason))
	}
}

// notice handles what the relay says about itself. Neither kind has a seq, so
// neither moves the cursor (F5).
func (s *sequencer) notice(m *mark) {
	s.counts.Events[m.kind]++
	name := string(m.notice.Name)
	switch {
	case m.kind == event.KindInfo && name == "OutdatedCursor":
		if s.seam.Close(); s.link.window {
			return // a relay that repeats it has lost no more
		}
		s.link.window = true
		s.cfg.Observer.Alarm(event.AlarmWindow, s.tracker.Last(), "the relay says OutdatedCursor: it no longer held everything after the cursor")
	case m.kind == event.KindError && name == "FutureCursor":
		s.hold(event.AlarmFuture, 0, "the relay says FutureCursor: it knows no event as late as the cursor")
	case m.kind == event.KindError:
		// Close ourselves: a relay may leave the socket open (F4).
		s.link.close(fmt.Errorf("the relay reported %q", name))
	default:
		s.cfg.Logger.Info("Relay notice", "name", name)
	}
}

// repeated acts on an event at or below the last one.
func (s *sequencer) repeated(seq event.Seq, step *event.Step) {
	switch l := &s.link; l.judge.Old(seq, s.tracker.Last(), step.Contradicts) {
	case follow.Boundary:
		l.stray.Stop()
	case follow.First:
		l.stray.Reset(l.judge.Patience())
	case follow.Regressed:
		l.close(follow.ErrRegressed)
	case follow.Contradicted:
		s.contradicted(step.Between)
	}
}

// strayTooLong fires when a connection has sent nothing but repeats for as long as
// the judge's patience.
func (s *sequencer) strayTooLong() {
	if s.link.hungUp {
		return
	}
	switch s.link.judge.Overdue() {
	case follow.Regressed:
		s.link.close(follow.ErrRegressed)
	case follow.Restarted:
		s.reset()
	}
}

// reset reports that the numbering restarted: dropping its events as repeats
// would drop everything, for ever and in silence (Q6).
func (s *sequencer) reset() {
	first := s.link.judge.Lowest()
	s.hold(event.AlarmReset, first, fmt.Sprintf(
		"the relay sends events from seq %s, below the cursor %s: its numbering restarted", first, s.tracker.Last()))
}
