package cursor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/stats"
)

// cursorPlan is a change of the cursor with what it does; its exported fields
// are fhctl cursor set -o json.
type cursorPlan struct {
	V      int        `json:"v"`
	Key    string     `json:"key"`
	Asked  string     `json:"asked"`
	Found  *string    `json:"found"` // how VALUE was understood
	Before cursorSide `json:"before"`
	After  cursorSide `json:"after"`
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

	seen   reader.CursorState
	target cursorTarget
	owner  script.Side
	undoes reader.ID
	adopt  bool // the Python bridge left the cursor that is taken
	// unowned is set where the cursor is given back to the bridge, with nothing beside it
	// that says whose it is.
	unowned bool
	theirs  int64 // entries behind it that are then the bridge's
	// Of each partition: its cursor and the change that is taken back.
	each       []reader.CursorState
	undoesEach []reader.ID
}

// cursorSide is the cursor before or after a change.
type cursorSide struct {
	Cursor   *event.Seq `json:"cursor"` // null is none, or no seq
	Raw      *string    `json:"raw"`
	Relay    *string    `json:"relay"`
	StoredAt *time.Time `json:"storedAt"` // of the event with this seq
}

// plan finds out what VALUE means and what going there does.
func (o *cursorSet) plan(ctx context.Context, r *reader.Reader, state reader.CursorState, each []reader.CursorState) (*cursorPlan, error) {
	p := &cursorPlan{
		V: cursorVersion, Key: r.CursorKey(), Asked: o.asked(), Warnings: []string{},
		Writer: stats.WriterOf(state.Status), DryRun: o.dryRun, seen: state, each: each,
	}
	if err := o.aim(ctx, r, p); err != nil {
		return nil, err
	}
	p.owner.Partitions = o.cfg.Redis.Partitions
	p.Found = unlessEmpty(p.target.found)
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
	for _, side := range []*cursorSide{&p.Before, &p.After} {
		if side.Cursor == nil || *side.Cursor == 0 {
			continue
		}
		at, err := storedAt(ctx, r, *side.Cursor)
		if err != nil {
			return nil, err
		}
		side.StoredAt = unlessZero(at)
	}
	return p, p.measure(ctx, r)
}

// asked is the command as the history keeps it.
func (o *cursorSet) asked() string {
	asked := o.place.Text
	switch {
	case o.fromPartitions > 0:
		asked = fmt.Sprintf("--from-partitions %d", o.fromPartitions)
	case o.undo:
		asked = "--undo"
	case o.fromKey != "":
		asked = "--from-key " + o.fromKey
	}
	if o.relay != "" {
		asked += " --relay " + o.relay
	}
	return asked
}

// measure compares both places with what is stored.
func (p *cursorPlan) measure(ctx context.Context, r *reader.Reader) error {
	if p.After.Cursor == nil || p.Before.Relay != nil && *p.Before.Relay != p.owner.Relay {
		return nil // live, or numbers of another relay
	}
	to := *p.After.Cursor
	repeats, exact, err := r.CountAfter(ctx, to)
	if err != nil {
		return err
	}
	if p.adopt { // ingest knows these for another writer's
		p.theirs, repeats = repeats, 0
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
func (p *cursorPlan) warn(ctx context.Context, r *reader.Reader, to event.Seq) error {
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

// noop reports whether all is already as it would be.
func (p *cursorPlan) noop() bool {
	for i := range p.each {
		c := &p.each[i]
		if c.Side.Epoch != p.each[0].Side.Epoch || !p.there(c) {
			return false
		}
	}
	return true
}

// there reports whether a cursor is already where it would be.
func (p *cursorPlan) there(c *reader.CursorState) bool {
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
