package cursor

import (
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Options is what is asked of the cursor. Exactly one of Place, FromKey, Former and Undo
// says where it goes.
type Options struct {
	Place place.Place // Seq, Oldest, Newest, Live, Time or ID
	// FromKey takes the value of the cursor under another key, with the relay it
	// belongs to.
	FromKey string
	// Former reads the same keys as another number of partitions, whose cursor is
	// taken over. It stays the caller's.
	Former *reader.Reader
	// Undo takes back the newest change that was not taken back.
	Undo bool

	// Relay is whose seq it is: the cursor becomes that relay's. "" leaves it with the
	// relay it belongs to.
	Relay string
	// Configured is the relay that ingest reads, and Chosen says that somebody chose
	// it: a cursor of another one is then refused.
	Configured string
	Chosen     bool
	// Filter is the fingerprint of ingest's filters, "none" without any.
	Filter string

	// IfValue is what the cursor must be now: a seq, or "none". "" is anything.
	IfValue string
	// Force moves the cursor although a writer is running, which then goes on from the
	// new place.
	Force  bool
	DryRun bool // the plan will not be carried out: a running writer is no obstacle

	Asked, By string    // what was typed, and by whom, for the history
	Now       time.Time // that the place was read at; zero is the clock's
}

const noCursor = "none" // of IfValue

// check refuses what contradicts itself, before anything is read.
func (o *Options) check(r *reader.Reader) error {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Filter == "" {
		o.Filter = unfiltered
	}
	ways := 0
	for _, given := range []bool{o.Place.Kind != place.Unset, o.FromKey != "", o.Former != nil, o.Undo} {
		if given {
			ways++
		}
	}
	_, isSeq := event.ParseSeq(o.IfValue)
	switch {
	case ways != 1:
		return fault.New(fault.Usage, fmt.Errorf("%d places are given where the cursor is to go", ways), "give one")
	case o.Place.Kind == place.Saved:
		return fault.New(fault.Usage, errors.New("saved is where the cursor stands already"), place.Hint)
	case o.Former != nil && len(o.Former.Partitions()) == len(r.Partitions()):
		return fault.New(fault.Usage, fmt.Errorf("%d is not another number of partitions", len(r.Partitions())), "")
	case o.Relay != "" && (o.Undo || o.Place.Kind == place.Live):
		return fault.New(fault.Usage, errors.New("a relay has no place there: the cursor goes back to the one it was of, or is no more"), "leave the relay out")
	case o.IfValue != "" && o.IfValue != noCursor && !isSeq:
		return fault.New(fault.Usage, fmt.Errorf("%q is not a seq", o.IfValue), "write a seq, or none")
	}
	return nil
}

// expected refuses what IfValue forbids.
func (o *Options) expected(r *reader.Reader, c reader.CursorState) error {
	seq, _ := event.ParseSeq(o.IfValue)
	is := c.Present && !c.NotSeq && c.Seq == seq
	if o.IfValue == noCursor {
		is = !c.Present
	}
	if o.IfValue == "" || is {
		return nil
	}
	return fault.New(fault.Conflict, fmt.Errorf("cursor %s is %s, not %s; nothing was changed", r.CursorKey(), Name(c.Raw), o.IfValue),
		"somebody moved it, or a writer is at work: look with "+fault.Remedy{Do: fault.LookAtCursor}.With("output", "json"))
}

// alone refuses what a fresh heartbeat forbids.
func (o *Options) alone(p *Plan) error {
	beat := p.Heartbeat
	restores := p.Remove && (beat.Connected || beat.Held != "")
	hint := "stop it first, " + UntilGone(beat) + "; " + fault.To("force", "") + " moves the cursor under a running ingest, which notices and goes on from the new place"
	switch {
	case !beat.Present || beat.Stopped || o.DryRun:
		return nil
	case beat.Held != "" && !p.Remove: // it waits for just this
		return nil
	case o.Force && !restores:
		return nil
	case beat.Held != "":
		hint = "one that is held restores the cursor it had: stop it first, " + UntilGone(beat) + "; or leave it running and give a seq or oldest"
	case restores:
		hint = "a running writer restores the cursor it had: stop it first, " + UntilGone(beat)
		if beat.Writer != "" {
			hint += "; or start it again with " + fault.To("from", "live")
		}
	case !beat.Connected:
		hint = "it says so every few seconds while it runs; " + UntilGone(beat) + ", or add " + fault.To("force", "")
	}
	return fault.New(fault.Conflict, fmt.Errorf("a writer is running: %s; nothing was changed", DescribeWriter(beat)), hint)
}
