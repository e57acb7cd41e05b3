package pipeline

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
)

// The first event of a start without a cursor is kept out of the stream until
// event.Opening is sure of it.

// opening reports whether all there is, on a start without a cursor, is its first
// event, and that is not handed over yet.
func (s *sequencer) opening() bool { return s.first.Open() && s.filling != nil }

// await keeps the first event waiting, unless another connection began with it as well.
func (s *sequencer) await(seq event.Seq) {
	waited := s.first.Asks()
	if refuted := s.first.Fresh(s.fresh == 1, seq); refuted > 0 {
		s.rejectFirst(refuted, seq)
	}
	switch {
	case s.filling == nil:
	case s.first.Asks():
		s.age.Stop()
		s.watch.Reset(event.LeapWaitWithin(s.cfg.IdleTimeout))
	case waited && !s.first.Open():
		s.age.Reset(s.cfg.BatchAge)
	}
}

// reopen goes back to the beginning where a connection ended with the first event.
func (s *sequencer) reopen() {
	if s.opening() && s.first.Asks() {
		s.withdraw()
	}
}

// withdraw undoes the first event.
func (s *sequencer) withdraw() {
	s.age.Stop()
	s.filling.Reset(s.flushed)
	s.empty <- s.filling
	s.filling, s.entered, s.fresh = nil, false, 0
	s.first.Again()
	*s.tracker = *event.NewTracker(s.at.Position)
}

// takeBack undoes the first event when one that lies below follows: reading goes on
// behind nothing, or, where the relay has to tell which is false, anew from in front of it.
func (s *sequencer) takeBack(seq event.Seq) (anew bool) {
	if !s.opening() {
		return false
	}
	first, far, below := s.first.Below(seq)
	switch {
	case far:
		s.withdraw()
		s.rejectFirst(first, seq)
	case below:
		s.withdraw()
		s.first.InFront()
		s.tracker.InFront(seq)
		s.cfg.Logger.Warn(fmt.Sprintf("Seq %s was the first event, and %s, which followed, lies below: the relay is asked again from there", first, seq))
		s.link.close(event.ErrLeap)
	}
	return below
}

// rejectFirst tells that the first event was none, as a later one shows.
func (s *sequencer) rejectFirst(first, later event.Seq) {
	s.doubts.after = 0
	s.rejectLeap(first, nil, fmt.Sprintf("the first event of a start without a cursor, which %s, that followed, disproves", later))
	s.leapAlarm(first, fmt.Sprintf("seq %s was the first event, and %s which followed disproves it", first, later))
}
