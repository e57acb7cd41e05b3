package pipeline

import (
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// renumberJump and renumberGap are how far the numbers must jump, and the events
// go back in time, for repeats to be looked for at once (Q8): what is a repeat
// then is known by its rev, so looking costs nothing.
const (
	renumberJump = 1_000_000
	renumberGap  = 5 * time.Minute
)

// joinFirst begins to compare a connection's first events with the last ones
// stored. Far later in time means that the relay no longer held what lies
// between, which the reference relay does not announce (Q5). Earlier in time
// although the numbers jumped up means another numbering (Q8).
func (s *sequencer) joinFirst(before event.Position, skipped int64, m *mark) {
	if before.Start != event.After || skipped == 0 || s.seam.Open() {
		return
	}
	_, last, ok := s.times.Middle()
	if !ok {
		return
	}
	usual, known := s.tracker.Usual()
	s.seam.Begin(before.Seq, m.seq, skipped, last, usual, known)
	s.watch.Reset(event.LeapWaitWithin(s.cfg.IdleTimeout))
	if at, ok := event.ParseTime(string(m.time)); ok && skipped >= renumberJump && last.Sub(at) > renumberGap {
		s.revs.until = last
	}
}

// joinNext takes an event behind the seam.
func (s *sequencer) joinNext(m *mark) {
	if s.seam.Open() && m.reject == nil {
		s.seam.Note(m.seq, m.time)
		s.judge(s.seam.Judge(false, false))
	}
}

// judgeSeam judges what there is, since no more came for a while or, at the end,
// will come.
func (s *sequencer) judgeSeam(ended bool) {
	if s.seam.Open() {
		s.judge(s.seam.Judge(true, ended))
	}
}

func (s *sequencer) judge(f event.Finding, by time.Duration) {
	seam := &s.seam
	switch f {
	case event.Undecided:
		return
	case event.Exceeded:
		s.cfg.Observer.Alarm(event.AlarmWindow, seam.First, fmt.Sprintf(
			"the first events after seq %s are %s later: the relay no longer held what lies between", seam.After, by.Round(time.Second)))
	case event.Renumbered:
		s.cfg.Observer.Alarm(event.AlarmRenumbered, seam.First, fmt.Sprintf(
			"the numbers jumped from %s to %s but the events are %s older: this host is another relay now; commits seen lately are not stored twice",
			seam.After, seam.First, (-by).Round(time.Second)))
		return
	}
	s.revs.until = time.Time{}
}
