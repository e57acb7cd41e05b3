package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// The bounds of judgement. They are wide enough for what honest relays do
// (repeat the boundary event, overlap replay and live) and narrow enough that
// nothing is dropped for long without somebody hearing of it.
const (
	// poisonTries is how often a frame that breaks the stream is asked for
	// again, from the same position, before it is passed over (F6).
	poisonTries = 3
	// strayTime bounds how long a new connection may send only events below
	// the cursor before that is called a reset (Q6). It is a time and not a
	// count: a relay that ignores the cursor replays many events quickly and
	// gets there, one that restarted its numbering never does.
	strayTime = 5 * time.Second
	// regressEvents bounds repeats in the middle of a connection before it
	// is closed and judged anew from its first event.
	regressEvents = 1000
	// repeatTime bounds how long a connection may go on with nothing but
	// repeats before it is closed and judged anew; a single one, where replay
	// meets live, costs a quiet stream one new connection.
	repeatTime = time.Minute
	// contradictions is how many events must lie inside a leap that was
	// believed before that is called a reset: one may be wrong itself.
	contradictions = 3
)

var (
	errFraming   = errors.New("a frame broke the stream")
	errRegressed = errors.New("the relay keeps sending events that it sent before")
	errHeld      = event.ErrHeld
)

// link is what the sequencer knows of the present connection.
type link struct {
	known   bool // some connection was entered
	conn    uint64
	hangup  func(error)
	hungUp  bool // by us: its remaining frames are ignored
	reached bool // it sent the cursor's event or a later one
	window  bool // it said that it no longer held everything
	stray   stray
}

// stray counts events below the cursor.
type stray struct {
	count int
	first event.Seq
	lost  int // of them, that were never delivered
	timer *time.Timer
}

// enter notes that frames of a chunk's connection follow, and reports whether it
// is another one than before.
func (l *link) enter(chunk *event.Chunk) (another bool) {
	if l.known && l.conn == chunk.Conn {
		return false
	}
	l.known, l.conn, l.hangup = true, chunk.Conn, chunk.Hangup
	l.hungUp, l.reached, l.window = false, false, false
	l.stray.count, l.stray.first, l.stray.lost = 0, 0, 0
	l.stray.timer.Stop()
	return true
}

// advance notes a fresh event; first is called when it is the connection's
// first one.
func (l *link) advance(first func()) {
	if !l.reached {
		first()
	}
	l.reached, l.stray.count, l.stray.lost = true, 0, 0
	l.stray.timer.Stop()
}

// close breaks the connection; what it still sends is ignored.
func (l *link) close(cause error) {
	l.hungUp = true
	l.stray.timer.Stop()
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

// repeated judges an event at or below the last one. The boundary event of an
// inclusive replay is at it (Q3), and so the end of any replay from below.
func (s *sequencer) repeated(seq event.Seq, contradicts bool) {
	stray := &s.link.stray
	if seq == s.tracker.Last() {
		s.link.reached, stray.count, stray.lost = true, 0, 0
		stray.timer.Stop()
		return
	}
	if stray.count++; stray.count == 1 {
		stray.first = seq
	}
	if contradicts {
		stray.lost++
	}
	switch {
	case stray.lost >= contradictions:
		s.contradicted()
	case s.link.reached && stray.count >= regressEvents:
		s.link.close(errRegressed)
	case s.link.reached && stray.count == 1:
		stray.timer.Reset(repeatTime)
	case stray.count == 1:
		stray.timer.Reset(strayTime)
	}
}

// strayTooLong fires when a connection has sent only events below the cursor
// for strayTime, or only repeats for repeatTime.
func (s *sequencer) strayTooLong() {
	switch {
	case s.link.hungUp:
	case s.link.reached:
		s.link.close(errRegressed)
	default:
		s.reset()
	}
}

// reset reports that the numbering restarted: dropping its events as repeats
// would drop everything, for ever and in silence (Q6).
func (s *sequencer) reset() {
	s.hold(event.AlarmReset, s.link.stray.first, fmt.Sprintf(
		"the relay sends events from seq %s, below the cursor %s: its numbering restarted", s.link.stray.first, s.tracker.Last()))
}
