package replay

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Selected is one event on its way from a source to a target. It belongs to the
// receiver.
type Selected struct {
	// Frame is the message as it came; nil from a stream of entries.
	Frame []byte
	// Stored is the entry as it stands in a stream; zero elsewhere.
	Stored reader.Stored
	Seq    event.Seq // 0 when an entry has none
	Kind   event.Kind
	Type   string    // of the entry: the kind's name without '#'
	At     time.Time // event time, or when Redis stored it; zero when unknown
	Sent   string    // the event time in the relay's words
	// Data is the JSON of the entry, with the ops that are wanted. HasEntry says that
	// there is one: not every event yields an entry, and of frames it is made only where
	// the selection asks for entries.
	Data     string
	HasEntry bool
	Skipped  int       // ops no consumer would see
	notice   string    // the name of an info or error event
	back     event.Seq // of no event: the source went back behind it
}

// verdict is what becomes of an event.
type verdict uint8

const (
	deliver  verdict = iota
	unwanted         // a filter does not want it
	outside          // before or behind the range
	beyond           // behind the end: nothing that follows is in the range
	broken           // it cannot be read as an event
	notice           // what a relay says of itself: no event
)

// beyondRun is how many events in a row must lie behind the end for the range to
// have ended: event times may be anything (E6), and a stream that others wrote
// may have entries out of order.
const beyondRun = 100

// Selection says which events are wanted. The zero Selection is all of them.
type Selection struct {
	// From and Until bound the range, both included. What a source cannot seek is judged
	// event by event: seqs, and times with an allowance for clocks that are wrong (E6).
	From, Until place.Place
	// Filter says what is kept within the range; nil keeps everything. It takes unwanted
	// ops out of entries. A frame is kept whole when one of its ops is wanted.
	Filter *filter.Filter
	// Entries makes the entry of each event, for targets that take entries, not frames.
	Entries bool
}

// chooser chooses events. It is not safe for concurrent use.
type chooser struct {
	Selection

	decoder frame.Decoder
	encoder entry.Encoder // of entries that are made here
	ev      event.Event
	outline entry.Outline
	stay    []bool // of the ops of the event in hand
	late    int    // events in a row behind the end's time
	trust   place.Times
}

// whole reports whether everything is kept.
func (s *Selection) whole() bool {
	return s.Filter == nil && s.From.Open() && s.Until.Open()
}

// frame judges one message and reads it into e, whose frame is the caller's.
func (s *chooser) frame(raw []byte, e *Selected) (verdict, *event.Reject) {
	*e = Selected{Frame: raw}
	s.decoder.Raw = s.Entries
	if err := s.decoder.Decode(raw, &s.ev); err != nil {
		reject, ok := errors.AsType[*event.Reject](err)
		if !ok {
			reject = &event.Reject{Reason: event.ReasonCBOR, Detail: err.Error()}
		}
		e.Seq = reject.Seq
		return broken, reject
	}
	ev := &s.ev
	e.Kind, e.Type, e.Seq, e.Sent = ev.Kind, string(ev.Type), ev.Seq, string(ev.Time)
	e.At, _ = event.ParseTime(e.Sent)
	if ev.Seq == 0 {
		e.notice = string(ev.Notice.Name)
		return notice, nil
	}
	if v := s.placeBetween(e.Seq, s.trust.Span(ev.Time)); v != deliver {
		return v, nil
	}
	if !s.Filter.Keep(ev) {
		return unwanted, nil
	}
	if s.Entries && !s.make(e) {
		return broken, &event.Reject{Reason: event.ReasonLimit, Seq: e.Seq, Detail: entry.ErrLimit.Error()}
	}
	for i := range ev.Commit.Ops {
		if ev.Kind == event.KindCommit && ev.Commit.Ops[i].Skip != event.ReasonNone {
			e.Skipped++
		}
	}
	return deliver, nil
}

// make makes the entry of the event in hand; false when it would be too large.
func (s *chooser) make(e *Selected) bool {
	data, ok, err := s.encoder.Text(&s.ev)
	if err != nil {
		return false
	}
	e.HasEntry, e.Data = ok, data
	return true
}

// place judges where an event lies whose time is sure.
func (s *chooser) place(seq event.Seq, at time.Time) verdict {
	return s.placeBetween(seq, place.Span{Earliest: at, Latest: at})
}

// placeBetween judges where an event lies.
func (s *chooser) placeBetween(seq event.Seq, at place.Span) verdict {
	switch {
	case s.From.Kind == place.Seq && seq < s.From.Seq:
		return outside
	case s.From.Kind == place.Time && !at.Latest.IsZero() && at.Latest.Before(s.From.Time):
		return outside
	case s.Until.Kind == place.Seq && seq > s.Until.Seq,
		s.Until.Kind == place.Time && at.Earliest.After(s.Until.Time):
		if s.late++; s.late >= beyondRun {
			return beyond
		}
		return outside
	}
	s.late = 0
	return deliver
}

// stored judges one entry and reads it into e.
func (s *chooser) stored(row reader.Stored, e *Selected) (verdict, *event.Reject) {
	*e = Selected{Stored: row, At: row.ID.Time(), HasEntry: true}
	e.Seq, _ = row.Seq()
	f := entry.FieldsOf(row.Fields)
	e.Type, e.Data = f.Type, f.Data
	e.Kind, _ = event.ParseKind(e.Type)
	// The source has sought the ends; ids and times are exact.
	if v := s.place(e.Seq, e.At); v != deliver {
		return v, nil
	}
	if s.Filter == nil {
		return deliver, nil
	}
	if err := s.outline.Read(e.Data); err != nil {
		return broken, &event.Reject{Reason: event.ReasonLexicon, Seq: e.Seq, Detail: "data is " + err.Error()}
	}
	return s.storedOps(e), nil
}

// storedOps applies the filters to an entry. Its ops that stay, stay byte for
// byte.
func (s *chooser) storedOps(e *Selected) verdict {
	ops := s.outline.Ops
	ev := event.Event{Kind: e.Kind, DID: []byte(s.outline.DID)}
	for i := range ops {
		action, _ := event.ParseAction(ops[i].Action)
		ev.Commit.Ops = append(ev.Commit.Ops, event.Op{Action: action, Path: []byte(ops[i].Path)})
	}
	wanted := false
	switch wanted, s.stay = s.Filter.Mask(&ev, s.stay); {
	case !wanted:
		return unwanted
	case !slices.Contains(s.stay, false):
		return deliver
	}
	first, last := strings.Index(e.Data, ops[0].JSON), ops[len(ops)-1].JSON
	behind := strings.LastIndex(e.Data, last) + len(last)
	data := append(make([]byte, 0, len(e.Data)), e.Data[:first]...)
	separator := ""
	for i := range ops {
		if s.stay[i] {
			data = append(append(data, separator...), ops[i].JSON...)
			separator = ","
		}
	}
	e.Data = string(append(data, e.Data[behind:]...))
	return deliver
}
