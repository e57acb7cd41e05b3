package pipeline

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
)

// The first event of a start without a cursor has nothing to be compared with: a seq
// far above the true numbers would become the cursor, and all that follows a repeat. So
// it is kept out of the stream until a second event is near it. Where none comes, a
// start from the oldest event asks another connection, which begins with the same
// event; a live start, which could not get it again, believes it once its batch is due.

// opening reports whether all there is, on a start without a cursor, is its first
// event, and that is not handed over yet.
func (s *sequencer) opening() bool {
	return s.fresh == 1 && !s.sure && s.at.Position.Start != event.After && s.filling != nil
}

// await keeps the first event waiting, unless another connection began with it as well.
func (s *sequencer) await(seq event.Seq) {
	switch {
	case s.at.Position.Start != event.Oldest || s.filling == nil:
	case s.fresh == 2 && !s.sure:
		s.sure = true
		s.age.Reset(s.cfg.BatchAge)
	case !s.opening():
	case s.first > 0 && !event.FarAhead(s.first, seq) && !event.FarAhead(seq, s.first):
		s.sure = true
	default:
		if s.first > 0 && event.FarAhead(seq, s.first) {
			s.rejectFirst(s.first, seq)
		}
		s.first = seq
		s.age.Stop()
		s.watch.Reset(event.LeapWaitWithin(s.cfg.IdleTimeout))
	}
}

// reopen goes back to the beginning where a connection ended with the first event: the
// next one has it as well, if it is true.
func (s *sequencer) reopen() {
	if s.opening() && s.at.Position.Start == event.Oldest {
		s.withdraw()
	}
}

// withdraw undoes the first event.
func (s *sequencer) withdraw() {
	s.age.Stop()
	s.filling.Reset(s.flushed)
	s.empty <- s.filling
	s.filling, s.entered, s.fresh = nil, false, 0
	*s.tracker = *event.NewTracker(s.at.Position)
}

// takeBack undoes the first event when one that lies far below follows: which of the
// two is wrong the next event tells.
func (s *sequencer) takeBack(seq event.Seq) bool {
	first := s.tracker.Last()
	if !s.opening() || !event.FarAhead(seq, first) {
		return false
	}
	s.withdraw()
	s.rejectFirst(first, seq)
	s.first = 0
	return true
}

// rejectFirst tells that the first event was none, as a later one shows.
func (s *sequencer) rejectFirst(first, later event.Seq) {
	s.doubts.after = 0
	s.rejectLeap(first, nil, fmt.Sprintf("the first event of a start without a cursor, far above %s which followed", later))
	s.leapAlarm(first, fmt.Sprintf("seq %s was the first event, far above %s which followed", first, later))
}
