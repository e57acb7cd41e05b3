package coverage

import (
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/text"
)

// Frames is a range of the frames of a capture, both ends included. A frame that has no seq, or no
// time, stands where the one before it does.
type Frames struct {
	From, To place.Place
	decoder  frame.Decoder
	ev       event.Event
	at       place.Span
	trust    place.Times
	seq      event.Seq
	Kept     int64
	// Seen is of the whole file, so far: where it begins, and how far it goes.
	Seen
}

// Holds reports whether a frame lies in the range, and notes how far the file goes. seq is
// 0 of a frame that has none.
func (f *Frames) Holds(data []byte, seq event.Seq) bool {
	if seq > 0 {
		f.seq = seq
	}
	f.Saw(seq, time.Time{})
	if f.From.Kind == place.Time || f.To.Kind == place.Time {
		if f.decoder.Decode(data, &f.ev) == nil {
			if at := f.trust.Span(f.ev.Time); !at.Latest.IsZero() {
				f.at = at
				f.Saw(0, at.Earliest)
			}
		}
	}
	switch {
	case f.From.Kind == place.Seq && f.seq < f.From.Seq, f.To.Kind == place.Seq && f.seq > f.To.Seq,
		f.From.Kind == place.Time && f.at.Latest.Before(f.From.Time), f.To.Kind == place.Time && f.at.Earliest.After(f.To.Time):
		return false
	}
	f.Kept++
	return true
}

// Lacks says what of the range the file does not hold. How far it goes is known
// once it was read whole.
func (f *Frames) Lacks() (why []string) {
	if f.From.Kind == place.Seq && f.First > 0 && f.From.Seq < f.First || f.From.Kind == place.Time && f.From.Time.Before(f.Began) {
		why = append(why, fmt.Sprintf("asked for from %s on, but the recording begins with %s: what lies before is not covered", f.From, frameMark(f.First, f.Began)))
	}
	if f.Whole && (f.To.Kind == place.Seq && f.To.Seq > f.Last || f.To.Kind == place.Time && f.To.Time.After(f.Farthest)) {
		why = append(why, fmt.Sprintf("asked for up to %s, but the recording ends with %s: what lies behind is not covered", f.To, frameMark(f.Last, f.Farthest)))
	}
	return why
}

// frameMark names an end of a recording, with its event time where that was read.
func frameMark(seq event.Seq, at time.Time) string {
	if at.IsZero() {
		return fmt.Sprintf("seq %s", seq)
	}
	return fmt.Sprintf("seq %s of %s", seq, text.Time(at))
}
