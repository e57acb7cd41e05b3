package cursor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/stats"
)

// version is the "v" of the reports as JSON (docs/json.md). It rises when a field
// changes its meaning or goes.
const version = 1

// Plan is a change of the cursor with what it does. MakePlan makes it, Apply carries it
// out. As JSON it keeps its shape (docs/json.md).
type Plan struct {
	V      int     `json:"v"`
	Key    string  `json:"key"`
	Asked  string  `json:"asked"`
	Found  *string `json:"found"` // how the place was understood
	Before Side    `json:"before"`
	After  Side    `json:"after"`
	// Repeats is how many stored events have a seq above After, so that
	// ingest stores them once more; null where nothing can be compared.
	Repeats      *int64 `json:"repeats"`
	RepeatsExact bool   `json:"repeatsExact"`
	// Skips is how many seqs that are not stored lie between Before and
	// After: at most as many events are never stored. Null is unknown.
	Skips    *int64        `json:"skips"`
	Warnings []string      `json:"warnings"`
	Writer   *stats.Writer `json:"writer"`
	DryRun   bool          `json:"dryRun"`
	Moved    bool          `json:"moved"`

	// Remove says that no cursor is left: After is empty.
	Remove bool `json:"-"`
	// Theirs is how many entries above After another writer stored, which ingest does
	// not store again.
	Theirs int64 `json:"-"`
	// Undoes is the change that is taken back; "" is none.
	Undoes reader.ID `json:"-"`
	// Heartbeat is that of a writer, as it was when the plan was made.
	Heartbeat dashboard.Heartbeat `json:"-"`

	by     string // who asked
	force  bool   // a running writer may move the cursor meanwhile
	seen   reader.CursorState
	target target
	owner  script.Side
	adopt  bool // the Python bridge left the cursor that is taken
	// unowned is set where the cursor is given back to the bridge, with nothing beside it
	// that says whose it is.
	unowned bool
	// Of each partition: its cursor and the change that is taken back.
	each       []reader.CursorState
	undoesEach []reader.ID
}

// Side is the cursor before or after a change.
type Side struct {
	Cursor   *event.Seq `json:"cursor"` // null is none, or no seq
	Raw      *string    `json:"raw"`
	Relay    *string    `json:"relay"`
	StoredAt *time.Time `json:"storedAt"` // of the event with this seq
}

// MakePlan finds out where the cursor of r would go and what that does. It changes
// nothing; r stays the caller's.
//
// Errors: fault.Usage for options that contradict one another, fault.Cursor where the
// place cannot be found or the cursor is another relay's, fault.Conflict where a writer
// is running, IfValue does not hold, or the former partitions are not equal; the
// Reader's.
func MakePlan(ctx context.Context, r *reader.Reader, o Options) (*Plan, error) {
	if err := o.check(r); err != nil {
		return nil, err
	}
	each, err := r.Cursors(ctx)
	if err != nil {
		return nil, err
	}
	state := reader.LowestCursor(each)
	if err := o.expected(r, state); err != nil {
		return nil, err
	}
	p := &Plan{
		V: version, Key: r.CursorKey(), Asked: o.Asked, Warnings: []string{},
		Writer: stats.WriterOf(state.Status), DryRun: o.DryRun, Heartbeat: state.Status,
		by: o.By, force: o.Force && o.IfValue == "", seen: state, each: each,
	}
	if err := o.aim(ctx, r, p); err != nil {
		return nil, err
	}
	p.owner.Partitions = max(1, len(r.Partitions()))
	p.Remove, p.Found = p.target.remove, unlessEmpty(p.target.found)
	p.Before.Relay = unlessEmpty(state.Relay())
	if state.Present {
		p.Before.Raw = &state.Raw
	}
	if state.Present && !state.NotSeq {
		p.Before.Cursor = &state.Seq
	}
	if !p.target.remove {
		raw := p.target.to.String()
		p.After.Cursor, p.After.Raw, p.After.Relay = &p.target.to, &raw, unlessEmpty(p.owner.Relay)
	}
	for _, side := range []*Side{&p.Before, &p.After} {
		if side.Cursor == nil || *side.Cursor == 0 {
			continue
		}
		at, err := storedAt(ctx, r, *side.Cursor)
		if err != nil {
			return nil, err
		}
		side.StoredAt = unlessZero(at)
	}
	if err := p.measure(ctx, r); err != nil {
		return nil, err
	}
	return p, o.alone(p)
}

// measure compares both places with what is stored.
func (p *Plan) measure(ctx context.Context, r *reader.Reader) error {
	if p.After.Cursor == nil || p.Before.Relay != nil && *p.Before.Relay != p.owner.Relay {
		return nil // live, or numbers of another relay
	}
	to := *p.After.Cursor
	repeats, exact, err := r.CountAfter(ctx, to)
	if err != nil {
		return err
	}
	if p.adopt { // ingest knows these for another writer's
		p.Theirs, repeats = repeats, 0
	}
	p.Repeats, p.RepeatsExact = &repeats, exact
	if from := p.Before.Cursor; from != nil {
		skips := int64(0)
		if to > *from {
			stored, _, err := r.CountAfter(ctx, *from)
			if err != nil {
				return err
			}
			skips = max(0, int64(to-*from)-max(0, stored-repeats))
		}
		p.Skips = &skips
	}
	return p.warn(ctx, r, to)
}

// warn notes what surprises people later.
func (p *Plan) warn(ctx context.Context, r *reader.Reader, to event.Seq) error {
	b, err := r.Bounds(ctx)
	if err != nil && !errors.Is(err, reader.ErrNoStream) {
		return err
	}
	if last, ok := b.Last.Seq(); ok && to > last {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%d is above %d, the last seq stored: if the relay has not got there yet, ingest waits for an operator", to, last))
	}
	if first, ok := b.First.Seq(); ok && to < first-1 {
		p.Warnings = append(p.Warnings, "this is before the first stored event: what the relay no longer holds stays missing")
	}
	return nil
}

// Noop reports whether all is already as it would be.
func (p *Plan) Noop() bool {
	for i := range p.each {
		c := &p.each[i]
		if c.Side.Epoch != p.each[0].Side.Epoch || !p.there(c) {
			return false
		}
	}
	return true
}

// there reports whether a cursor is already where it would be.
func (p *Plan) there(c *reader.CursorState) bool {
	if p.target.remove {
		return !c.Present && !c.SidePresent
	}
	if p.unowned {
		return c.Present && c.Raw == p.target.to.String() && !c.SidePresent
	}
	s := c.Side
	return c.Present && c.Raw == p.target.to.String() && c.SidePresent && !c.SideBroken &&
		s.Relay == p.owner.Relay && s.Filter == p.owner.Filter && max(1, s.Partitions) == max(1, p.owner.Partitions)
}

// Apply moves the cursor of r, the Reader that the plan was made with, and sets Moved.
// It does nothing for a dry run, or where there is nothing to change.
//
// Errors: fault.Conflict when somebody has moved the cursor since the plan was made,
// except a running writer where Options.Force disregards it; those of
// [admin.MoveCursors].
func (p *Plan) Apply(ctx context.Context, r *reader.Reader) error {
	if p.DryRun || p.Noop() {
		return nil
	}
	m := admin.Move{
		Seen: p.seen, Remove: p.target.remove, To: p.target.to, Owner: p.owner,
		How: p.Asked, By: p.by, Undoes: p.Undoes, Adopt: p.adopt, Unowned: p.unowned,
	}
	if err := admin.MoveCursors(ctx, r, m, p.each, p.undoesEach, p.force); err != nil {
		return err
	}
	p.Moved = true
	return nil
}
