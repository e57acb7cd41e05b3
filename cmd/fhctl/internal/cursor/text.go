package cursor

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/fhctl/fhctl/pkg/cursor"
	"github.com/fhctl/fhctl/pkg/text"
)

// show prints the plan as --output says.
func (o *cursorSet) show(p *cursor.Plan, w io.Writer) error {
	return o.format.Write(w, p, func(w io.Writer) error {
		if err := writePlan(w, p); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, done(p))
		return err
	})
}

// writePlan is the plan for people.
func writePlan(w io.Writer, p *cursor.Plan) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, text.Escape(value)) }
	found := ""
	if p.Found != nil {
		found = *p.Found
	}
	line("cursor", p.Key)
	line("before", describe(p.Before, ""))
	line("after", describe(p.After, found))
	for _, effect := range effects(p) {
		line("effect", effect)
	}
	for _, warning := range p.Warnings {
		line("note", warning)
	}
	if p.Heartbeat.Present {
		line("writer", cursor.DescribeWriter(p.Heartbeat))
	} else {
		line("writer", "no heartbeat")
	}
	return table.Flush()
}

// describe is a cursor with what is known of it; found says how its place was found.
func describe(s cursor.Side, found string) string {
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
func effects(p *cursor.Plan) (said []string) {
	switch {
	case p.Remove && p.Before.Raw != nil:
		return []string{"ingest starts live: events after " + *p.Before.Raw + " that are not stored yet are skipped, however many"}
	case p.Remove:
		return []string{"ingest starts live, as before"}
	case p.Repeats == nil:
		return []string{"numbers of two relays cannot be compared: what repeats or is missing is not known"}
	}
	about := ""
	if !p.RepeatsExact {
		about = "about "
	}
	if p.Theirs > 0 {
		said = append(said, fmt.Sprintf("repeats none of what another writer stored behind it, %s, and stores what that one left out", text.Counted(p.Theirs, "event")))
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
func done(p *cursor.Plan) string {
	after := "none"
	if p.After.Raw != nil {
		after = *p.After.Raw
	}
	switch {
	case p.Moved && p.Undoes != "":
		return "Moved back to " + after + "; \"fhctl cursor history\" lists what else was changed."
	case p.Moved && p.Remove:
		return "The cursor is removed; the next ingest starts live. To go back: fhctl cursor set --undo"
	case p.Moved:
		return "Moved to " + after + `. To go back: fhctl cursor set --undo`
	case p.Noop():
		return "The cursor is there already; nothing was changed."
	}
	return "Dry run; nothing was changed."
}
