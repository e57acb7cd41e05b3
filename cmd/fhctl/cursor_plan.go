package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/sim"
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
	Writer   *writerReport `json:"writer"`
	DryRun   bool          `json:"dryRun"`
	Moved    bool          `json:"moved"`

	seen   redisstream.CursorState
	target cursorTarget
	owner  redisstream.Side
	undoes redisstream.ID
}

// cursorSide is the cursor before or after a change.
type cursorSide struct {
	Cursor   *event.Seq `json:"cursor"` // null is none, or no seq
	Raw      *string    `json:"raw"`
	Relay    *string    `json:"relay"`
	StoredAt *time.Time `json:"storedAt"` // of the event with this seq
}

// plan finds out what VALUE means and what going there does.
func (o *cursorSet) plan(ctx context.Context, r *redisstream.Reader, state redisstream.CursorState) (*cursorPlan, error) {
	p := &cursorPlan{
		V: cursorVersion, Key: r.CursorKey(), Asked: o.asked(), Warnings: []string{},
		Writer: reportWriter(state.Status), DryRun: o.dryRun, seen: state,
	}
	if err := o.aim(ctx, r, p); err != nil {
		return nil, err
	}
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
	asked := o.place.text
	switch {
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

// aim sets the plan's target and owner.
func (o *cursorSet) aim(ctx context.Context, r *redisstream.Reader, p *cursorPlan) (err error) {
	switch {
	case o.undo:
		return o.aimBack(ctx, r, p)
	case o.fromKey != "":
		return o.aimAtKey(ctx, r, p)
	}
	known := p.seen.Relay()
	if p.owner, err = o.ownerOf(p.seen, p.seen, r.CursorKey()); err != nil {
		return err
	}
	if !o.place.at.IsZero() && known != "" && p.owner.Relay != known {
		return usageError(fmt.Errorf("a time is answered from the stored events, which are %s's, not %s's", known, p.owner.Relay), "give a seq, oldest or live")
	}
	p.target, err = o.place.find(ctx, r, o.now)
	return err
}

// aimAtKey takes another key's cursor, and the relay that is told beside it.
func (o *cursorSet) aimAtKey(ctx context.Context, r *redisstream.Reader, p *cursorPlan) error {
	from, err := r.CursorAt(ctx, o.fromKey)
	if err != nil {
		return err
	}
	if err := cursorUnusable(o.fromKey, from); err != nil {
		return fault.New(fault.Cursor, err, "look at the key with: redis-cli GET "+o.fromKey)
	}
	p.target = cursorTarget{to: from.Seq, found: fmt.Sprintf("the value of %s, which is %s's", o.fromKey, from.Relay())}
	p.owner, err = o.ownerOf(from, p.seen, o.fromKey)
	return err
}

// aimBack takes back the newest change that was not taken back.
func (o *cursorSet) aimBack(ctx context.Context, r *redisstream.Reader, p *cursorPlan) error {
	changes, err := r.History(ctx)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Undone || c.Undoes != "" {
			continue
		}
		seq, ok := event.ParseSeq(c.Before)
		if c.Before != "" && !ok {
			return fault.New(fault.Cursor, fmt.Errorf("before the change of %s the cursor held %.32q, which is not a seq", clockText(c.ID.Time()), c.Before), placeHint)
		}
		p.undoes = c.ID
		p.target = cursorTarget{to: seq, remove: c.Before == "", found: fmt.Sprintf("what it was before %q of %s", c.How, clockText(c.ID.Time()))}
		p.owner = c.Owner
		if !c.OwnerKnown {
			p.owner = redisstream.Side{Relay: redisstream.BridgeRelay, Filter: o.fingerprint()}
		}
		return nil
	}
	return fault.New(fault.Cursor, fmt.Errorf("%s holds no change that could be undone", r.HistoryKey()), "look with fhctl cursor history")
}

// ownerOf decides whose cursor it becomes: --relay's, or the one whose it is,
// which must not contradict a relay that was configured. of is the cursor
// whose value is taken, held the one that is there.
func (o *cursorSet) ownerOf(of, held redisstream.CursorState, key string) (redisstream.Side, error) {
	side := of.Side
	if !of.SidePresent || of.SideBroken {
		side = redisstream.Side{Filter: o.fingerprint(), From: held.Side.From}
	}
	configured, err := relayIdentity(o.cfg.Relay.URL)
	if err != nil {
		return side, o.cfg.Refuse("relay-url", err)
	}
	known := of.Relay()
	switch {
	case o.relay != "":
		side.Relay, err = relayIdentity(o.relay)
		if o.filtered() {
			side.Filter = o.fingerprint()
		}
		return side, err
	case o.place.live:
		return side, nil
	case known == "":
		side.Relay = configured
		return side, nil
	case known != configured && o.cfg.Origin("relay-url").Layer != config.LayerDefault:
		return side, fault.New(fault.Cursor, fmt.Errorf("cursor %s counts the events of %s, and these settings read %s, where a seq means something else; nothing was changed", key, known, configured),
			fmt.Sprintf("add --relay %s if the value is a place in that relay's stream, or --relay %s to leave it with the relay it is of", configured, known))
	}
	side.Relay = known
	return side, nil
}

func (o *cursorSet) filtered() bool {
	in := o.cfg.Ingest
	return len(in.Collections)+len(in.DIDs)+len(in.Kinds) > 0
}

// fingerprint is of the filters that are configured.
func (o *cursorSet) fingerprint() string {
	keep, err := filter.New(filter.Config{Collections: o.cfg.Ingest.Collections, DIDs: o.cfg.Ingest.DIDs, Kinds: o.cfg.Ingest.Kinds})
	if err != nil {
		return "" // settings were checked when they were loaded
	}
	return keep.Fingerprint()
}

// relayIdentity is what a cursor of that relay is marked with: see
// openUpstream.
func relayIdentity(raw string) (string, error) {
	scheme, rest, _ := strings.Cut(raw, ":")
	switch {
	case scheme == "capture":
		return "capture:" + filepath.Base(strings.TrimPrefix(rest, "//")), nil
	case scheme == "sim" && strings.HasPrefix(rest, "seed="):
		return raw, nil
	case scheme == "sim":
		cfg, err := sim.ParseURL(raw)
		if err != nil {
			return "", err
		}
		return cfg.Series(), nil
	}
	endpoint, err := relay.ParseURL(raw, true)
	return endpoint.Host(), err
}

// measure compares both places with what is stored.
func (p *cursorPlan) measure(ctx context.Context, r *redisstream.Reader) error {
	if p.After.Cursor == nil || p.Before.Relay != nil && *p.Before.Relay != p.owner.Relay {
		return nil // live, or numbers of another relay
	}
	to := *p.After.Cursor
	repeats, exact, err := r.CountAfter(ctx, to)
	if err != nil {
		return err
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
func (p *cursorPlan) warn(ctx context.Context, r *redisstream.Reader, to event.Seq) error {
	b, err := r.Bounds(ctx)
	if err != nil && !errors.Is(err, redisstream.ErrNoStream) {
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
	if p.target.remove {
		return !p.seen.Present && !p.seen.SidePresent
	}
	s := p.seen.Side
	return p.seen.Present && p.seen.Raw == p.target.to.String() && p.seen.SidePresent && !p.seen.SideBroken &&
		s.Relay == p.owner.Relay && s.Filter == p.owner.Filter
}

// show prints the plan as --output says.
func (o *cursorSet) show(p *cursorPlan, w io.Writer) error {
	return o.format.write(w, p, func(w io.Writer) error {
		if err := p.write(w); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, p.done())
		return err
	})
}

// write is the plan for people.
func (p *cursorPlan) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, text string) { fmt.Fprintf(table, "%s\t%s\n", name, output.Escape(text)) }
	line("cursor", p.Key)
	line("before", p.Before.text(""))
	line("after", p.After.text(p.target.found))
	for _, effect := range p.effects() {
		line("effect", effect)
	}
	for _, warning := range p.Warnings {
		line("note", warning)
	}
	if p.seen.Status.Present {
		line("writer", describeWriter(p.seen.Status))
	} else {
		line("writer", "no heartbeat")
	}
	return table.Flush()
}

func (s cursorSide) text(found string) string {
	if s.Raw == nil {
		return "none" + inBrackets(found)
	}
	var notes []string
	if s.Relay != nil {
		notes = append(notes, "of "+*s.Relay)
	}
	switch {
	case s.Cursor == nil:
		notes = append(notes, "which is not a seq")
	case found != "":
		notes = append(notes, found)
	case s.StoredAt != nil:
		notes = append(notes, "stored "+clockText(*s.StoredAt))
	}
	return fmt.Sprintf("%.32s", *s.Raw) + inBrackets(strings.Join(notes, "; "))
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return "  (" + text + ")"
}

// effects are sentences about what ingest will do.
func (p *cursorPlan) effects() (said []string) {
	switch {
	case p.target.remove && p.Before.Raw != nil:
		return []string{"ingest starts live: events after " + *p.Before.Raw + " that are not stored yet are skipped, however many"}
	case p.target.remove:
		return []string{"ingest starts live, as before"}
	case p.Repeats == nil:
		return []string{"numbers of two relays cannot be compared: what repeats or is missing is not known"}
	}
	about := ""
	if !p.RepeatsExact {
		about = "about "
	}
	if *p.Repeats > 0 {
		said = append(said, fmt.Sprintf("repeats %s%s that are stored already", about, events(*p.Repeats)))
	}
	if p.Skips != nil && *p.Skips > 0 {
		said = append(said, fmt.Sprintf("skips up to %s that are not stored", events(*p.Skips)))
	}
	if len(said) == 0 {
		said = []string{"repeats nothing and skips nothing"}
	}
	return said
}

func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return output.Thousands(n) + " events"
}

// done says what came of it.
func (p *cursorPlan) done() string {
	after := "none"
	if p.After.Raw != nil {
		after = *p.After.Raw
	}
	switch {
	case p.Moved && p.undoes != "":
		return "Moved back to " + after + "."
	case p.Moved:
		return "Moved to " + after + `. To go back: fhctl cursor set --undo`
	case p.noop():
		return "The cursor is there already; nothing was changed."
	}
	return "Dry run; nothing was changed."
}

// describeWriter is a heartbeat in one line.
func describeWriter(h redisstream.Heartbeat) string {
	name := h.Writer
	if name == "" {
		name = "one that is not fhctl"
	}
	link := "connected to " + h.URL
	if !h.Connected {
		link = "disconnected from " + h.URL
	}
	if h.TTL > 0 {
		link += ", heartbeat " + output.Span(h.Age()) + " old"
	}
	return output.Escape(name + ", " + link)
}
