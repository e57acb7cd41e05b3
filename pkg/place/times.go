package place

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// Times judges the times of events that follow one another: one that lies far
// from its neighbours' says nothing (E6), and the event belongs where they are.
type Times struct{ times event.Times }

// Span is when an event happened: for one that claims to be far later than its
// neighbours, between them and that. Zero where nothing is known.
type Span struct{ Earliest, Latest time.Time }

// farOff is from where on an event's own time is doubted.
const farOff = 10 * time.Minute

// Span notes the time of one more event, as sent, and says when that happened.
func (t *Times) Span(sent []byte) Span {
	own, told := event.ParseTime(string(sent))
	t.times.Note(sent)
	_, middle, known := t.times.Middle()
	switch {
	case !known:
		return Span{}
	case !told:
		return Span{middle, middle}
	case own.Sub(middle).Abs() <= farOff:
		return Span{own, own}
	case own.Before(middle):
		return Span{middle, middle}
	}
	return Span{middle, own}
}
