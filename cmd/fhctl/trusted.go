package main

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// trusted judges the times of events that follow one another: one that lies far
// from its neighbours' says nothing (E6), and the event belongs where they are.
type trusted struct{ times event.Times }

// timeSpan is when an event happened: for one that claims to be far later than its
// neighbours, between them and that. Zero where nothing is known.
type timeSpan struct{ earliest, latest time.Time }

// farOff is from where on an event's own time is doubted.
const farOff = 10 * time.Minute

func (t *trusted) span(sent []byte) timeSpan {
	own, told := event.ParseTime(string(sent))
	t.times.Note(sent)
	_, middle, known := t.times.Middle()
	switch {
	case !known:
		return timeSpan{}
	case !told:
		return timeSpan{middle, middle}
	case own.Sub(middle).Abs() <= farOff:
		return timeSpan{own, own}
	case own.Before(middle):
		return timeSpan{middle, middle}
	}
	return timeSpan{middle, own}
}
