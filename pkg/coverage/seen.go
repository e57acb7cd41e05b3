package coverage

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// Seen is what of a source was looked at, wanted or not. Zero fields are unknown.
type Seen struct {
	Pieces      int64
	First, Last event.Seq // the first that came, the highest
	// Began is the time of the first event that had one, Farthest the latest.
	Began, Farthest time.Time
	// Whole is set when the source was read to its end.
	Whole bool
}

// Saw widens what is known by an event, or a place of the source; zero is unknown.
func (s *Seen) Saw(seq event.Seq, at time.Time) {
	if seq > 0 && s.First == 0 {
		s.First = seq
	}
	s.Last = max(s.Last, seq)
	if s.Began.IsZero() {
		s.Began = at
	}
	if at.After(s.Farthest) {
		s.Farthest = at
	}
}
