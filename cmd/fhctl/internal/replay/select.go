package replay

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// played is one event on its way from a source to a target. It belongs to the
// receiver.
type played struct {
	frame  []byte        // as it came; nil from a stream
	stored reader.Stored // as it stands; zero elsewhere
	seq    event.Seq     // 0 when the entry has none
	kind   event.Kind
	typ    string    // of the entry; the kind's name without '#'
	at     time.Time // event time, or when Redis stored it; zero when unknown
	sent   string    // the event time in the relay's words
	data   string    // the entry's JSON
	entry  bool      // there is one; not every event yields an entry
	size   int       // of what it was made of, in bytes; set when it is written
	skips  int       // ops no consumer would see
	notice string    // the name of an info or error event
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

// selection chooses events. It is not safe for concurrent use.
type selection struct {
	from, until place.Place
	keep        *filter.Filter
	entries     bool // the target takes entries, not frames

	decoder frame.Decoder
	encoder entry.Encoder // of entries that are made here
	ev      event.Event
	outline entry.Outline
	stay    []bool // of the ops of the event in hand
	late    int    // events in a row behind the end's time
	trust   ranges.Times
}

func newSelection(cfg filter.Config, actions []string) (*selection, error) {
	if err := shell.CheckActions(actions); err != nil {
		return nil, err
	}
	cfg.Actions = actions
	keep, err := filter.New(cfg)
	return &selection{keep: keep}, err
}

// whole reports whether everything is kept.
func (s *selection) whole() bool {
	return s.keep == nil && s.from.Open() && s.until.Open()
}

// frame judges one message and reads it into p, whose frame is the caller's.
func (s *selection) frame(raw []byte, p *played) (verdict, *event.Reject) {
	*p = played{frame: raw}
	s.decoder.Raw = s.entries
	if err := s.decoder.Decode(raw, &s.ev); err != nil {
		reject, ok := errors.AsType[*event.Reject](err)
		if !ok {
			reject = &event.Reject{Reason: event.ReasonCBOR, Detail: err.Error()}
		}
		p.seq = reject.Seq
		return broken, reject
	}
	ev := &s.ev
	p.kind, p.typ, p.seq, p.sent = ev.Kind, string(ev.Type), ev.Seq, string(ev.Time)
	p.at, _ = event.ParseTime(p.sent)
	if ev.Seq == 0 {
		p.notice = string(ev.Notice.Name)
		return notice, nil
	}
	if v := s.placeBetween(p.seq, s.trust.Span(ev.Time)); v != deliver {
		return v, nil
	}
	if !s.keep.Keep(ev) {
		return unwanted, nil
	}
	if s.entries && !s.make(p) {
		return broken, &event.Reject{Reason: event.ReasonLimit, Seq: p.seq, Detail: entry.ErrLimit.Error()}
	}
	for i := range ev.Commit.Ops {
		if ev.Kind == event.KindCommit && ev.Commit.Ops[i].Skip != event.ReasonNone {
			p.skips++
		}
	}
	return deliver, nil
}

// make makes the entry of the event in hand; false when it would be too large.
func (s *selection) make(p *played) bool {
	data, ok, err := s.encoder.Data(&s.ev)
	if err != nil {
		return false
	}
	p.entry, p.data = ok, string(data)
	if len(data) > shell.LargeItem {
		s.encoder = entry.Encoder{} // or there would be two of it
	}
	return true
}

// place judges where an event lies whose time is sure.
func (s *selection) place(seq event.Seq, at time.Time) verdict {
	return s.placeBetween(seq, ranges.Span{Earliest: at, Latest: at})
}

// placeBetween judges where an event lies.
func (s *selection) placeBetween(seq event.Seq, at ranges.Span) verdict {
	switch {
	case s.from.Kind == place.Seq && seq < s.from.Seq:
		return outside
	case s.from.Kind == place.Time && !at.Latest.IsZero() && at.Latest.Before(s.from.Time):
		return outside
	case s.until.Kind == place.Seq && seq > s.until.Seq,
		s.until.Kind == place.Time && at.Earliest.After(s.until.Time):
		if s.late++; s.late >= beyondRun {
			return beyond
		}
		return outside
	}
	s.late = 0
	return deliver
}

// stored judges one entry and reads it into p.
func (s *selection) stored(e reader.Stored, p *played) (verdict, *event.Reject) {
	*p = played{stored: e, at: e.ID.Time()}
	p.seq, _ = e.Seq()
	f := entry.FieldsOf(e.Fields)
	p.typ, p.data = f.Type, f.Data
	p.kind, _ = event.ParseKind(p.typ)
	p.entry = true
	// The source has sought the ends; ids and times are exact.
	if v := s.place(p.seq, p.at); v != deliver {
		return v, nil
	}
	if s.keep == nil {
		return deliver, nil
	}
	if err := s.outline.Read(p.data); err != nil {
		return broken, &event.Reject{Reason: event.ReasonLexicon, Seq: p.seq, Detail: "data is " + err.Error()}
	}
	return s.storedOps(p), nil
}

// storedOps applies the filters to an entry. Its ops that stay, stay byte for
// byte.
func (s *selection) storedOps(p *played) verdict {
	ops := s.outline.Ops
	ev := event.Event{Kind: p.kind, DID: []byte(s.outline.DID)}
	for i := range ops {
		action, _ := event.ParseAction(ops[i].Action)
		ev.Commit.Ops = append(ev.Commit.Ops, event.Op{Action: action, Path: []byte(ops[i].Path)})
	}
	wanted := false
	switch wanted, s.stay = s.keep.Mask(&ev, s.stay); {
	case !wanted:
		return unwanted
	case !slices.Contains(s.stay, false):
		return deliver
	}
	first, last := strings.Index(p.data, ops[0].JSON), ops[len(ops)-1].JSON
	behind := strings.LastIndex(p.data, last) + len(last)
	data := append(make([]byte, 0, len(p.data)), p.data[:first]...)
	separator := ""
	for i := range ops {
		if s.stay[i] {
			data = append(append(data, separator...), ops[i].JSON...)
			separator = ","
		}
	}
	p.data = string(append(data, p.data[behind:]...))
	return deliver
}
