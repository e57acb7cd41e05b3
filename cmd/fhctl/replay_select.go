package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// played is one event on its way from a source to a target. It belongs to the
// receiver.
type played struct {
	frame  []byte             // as it came; nil from a stream
	stored redisstream.Stored // as it stands; zero elsewhere
	seq    event.Seq          // 0 when the entry has none
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
	actions     map[string]bool // of ops to keep; empty keeps all
	print       string
	entries     bool // the target takes entries, not frames

	decoder frame.Decoder
	encoder entry.Encoder // of entries that are made here
	ev      event.Event
	outline entry.Outline
	stay    []bool // of the ops of the event in hand; see judge
	late    int    // events in a row behind the end's time
	trust   trusted
}

func newSelection(cfg filter.Config, actions []string) (*selection, error) {
	keep, err := filter.New(cfg)
	if err != nil {
		return nil, err
	}
	s := &selection{keep: keep, actions: map[string]bool{}, print: keep.Fingerprint()}
	for _, name := range actions {
		if !slices.Contains([]string{"create", "update", "delete"}, name) {
			return nil, usageError(fmt.Errorf("flag --action: %q is not one", name), "the actions are create, update and delete")
		}
		s.actions[name] = true
	}
	if len(s.actions) > 0 {
		list := slices.Compact(slices.Sorted(slices.Values(actions)))
		sum := sha256.Sum256([]byte(s.print + "\n" + strings.Join(list, "\n")))
		s.print = hex.EncodeToString(sum[:8])
	}
	return s, nil
}

// whole reports whether everything is kept.
func (s *selection) whole() bool {
	return s.keep == nil && len(s.actions) == 0 && s.from.Open() && s.until.Open()
}

// judge reports whether ev is wanted, and in stay which of its ops are.
func (s *selection) judge(ev *event.Event) (wanted bool) {
	wanted, s.stay = s.keep.Mask(ev, s.stay)
	if !wanted || len(s.actions) == 0 || ev.Kind != event.KindCommit {
		return wanted
	}
	for i := range s.stay {
		s.stay[i] = s.stay[i] && s.actions[ev.Commit.Ops[i].Action.String()]
	}
	return slices.Contains(s.stay, true)
}

// narrow takes unwanted ops out of ev and reports whether it is wanted.
func (s *selection) narrow(ev *event.Event) bool {
	if !s.judge(ev) {
		return false
	}
	left := ev.Commit.Ops[:0]
	for i, op := range ev.Commit.Ops {
		if s.stay[i] {
			left = append(left, op)
		}
	}
	ev.Commit.Ops = left
	return true
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
	if v := s.placeBetween(p.seq, s.trust.span(ev.Time)); v != deliver {
		return v, nil
	}
	if !s.narrow(ev) {
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
	if len(data) > largeItem {
		s.encoder = entry.Encoder{} // or there would be two of it
	}
	return true
}

// place judges where an event lies whose time is sure.
func (s *selection) place(seq event.Seq, at time.Time) verdict {
	return s.placeBetween(seq, timeSpan{at, at})
}

// placeBetween judges where an event lies.
func (s *selection) placeBetween(seq event.Seq, at timeSpan) verdict {
	switch {
	case s.from.Kind == place.Seq && seq < s.from.Seq:
		return outside
	case s.from.Kind == place.Time && !at.latest.IsZero() && at.latest.Before(s.from.Time):
		return outside
	case s.until.Kind == place.Seq && seq > s.until.Seq,
		s.until.Kind == place.Time && at.earliest.After(s.until.Time):
		if s.late++; s.late >= beyondRun {
			return beyond
		}
		return outside
	}
	s.late = 0
	return deliver
}

// stored judges one entry and reads it into p.
func (s *selection) stored(e redisstream.Stored, p *played) (verdict, *event.Reject) {
	*p = played{stored: e, at: e.ID.Time()}
	p.seq, _ = e.Seq()
	p.typ, _ = e.Value("type")
	p.kind, _ = event.ParseKind(p.typ)
	p.data, _ = e.Value("data")
	p.entry = true
	// The source has sought the ends; ids and times are exact.
	if v := s.place(p.seq, p.at); v != deliver {
		return v, nil
	}
	if s.keep == nil && len(s.actions) == 0 {
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
		ev.Commit.Ops = append(ev.Commit.Ops, event.Op{Action: actionOf(ops[i].Action), Path: []byte(ops[i].Path)})
	}
	switch {
	case !s.judge(&ev):
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

func actionOf(name string) event.Action {
	for _, a := range []event.Action{event.Create, event.Update, event.Delete} {
		if a.String() == name {
			return a
		}
	}
	return event.ActionNone
}
