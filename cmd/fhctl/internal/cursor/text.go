package cursor

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/text"
)

// show prints the plan as --output says.
func (o *cursorSet) show(p *cursorPlan, w io.Writer) error {
	return o.format.Write(w, p, func(w io.Writer) error {
		if err := p.Write(w); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, p.done())
		return err
	})
}

// write is the plan for people.
func (p *cursorPlan) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, text.Escape(value)) }
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
		notes = append(notes, "stored "+text.Time(*s.StoredAt))
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
	if p.theirs > 0 {
		said = append(said, fmt.Sprintf("repeats none of what another writer stored behind it, %s, and stores what that one left out", text.Counted(p.theirs, "event")))
	}
	if *p.Repeats > 0 {
		said = append(said, fmt.Sprintf("repeats %s%s already stored", about, text.Counted(*p.Repeats, "event")))
	}
	if p.Skips != nil && *p.Skips > 0 {
		said = append(said, fmt.Sprintf("skips up to %s not stored", text.Counted(*p.Skips, "event")))
	}
	if len(said) == 0 {
		said = []string{"repeats nothing and skips nothing"}
	}
	return said
}

// done says what came of it.
func (p *cursorPlan) done() string {
	after := "none"
	if p.After.Raw != nil {
		after = *p.After.Raw
	}
	switch {
	case p.Moved && p.undoes != "":
		return "Moved back to " + after + "; \"fhctl cursor history\" lists what else was changed."
	case p.Moved && p.target.remove:
		return "The cursor is removed; the next ingest starts live. To go back: fhctl cursor set --undo"
	case p.Moved:
		return "Moved to " + after + `. To go back: fhctl cursor set --undo`
	case p.noop():
		return "The cursor is there already; nothing was changed."
	}
	return "Dry run; nothing was changed."
}

// describeWriter is a heartbeat in one line.
func describeWriter(h dashboard.Heartbeat) string {
	name := h.Writer
	if name == "" {
		name = "one that is not fhctl"
	}
	relay := cmp.Or(h.URL, "a relay it does not name")
	link := "connected to " + relay
	switch {
	case h.Stopped:
		link = "stopped"
	case !h.Connected:
		link = "disconnected from " + relay
	}
	if h.Held != "" && !h.Stopped {
		link = "held for an operator (" + h.Held + "), " + link
	}
	if h.TTL > 0 {
		link += ", heartbeat " + text.Span(h.Age()) + " old"
	}
	return text.Escape(name + ", " + link)
}
