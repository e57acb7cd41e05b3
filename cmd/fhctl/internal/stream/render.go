package stream

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

const shownCollections = 12

// statsRows is the report for people.
func statsRows(r *stats.Report) []output.Row { return statsRowsWithin(r, 0) }

// statsRowsWithin shortens names to that many columns of a terminal; 0 shortens none.
func statsRowsWithin(r *stats.Report, width int) []output.Row {
	p := &statsPage{width: width}
	p.head("Stream " + r.Stream.Key + " on " + r.Redis)
	if !r.Stream.Exists {
		p.line(output.Warn, "  does not exist (yet)")
	} else {
		p.stream(r)
		p.partitions(r)
		p.sample(&r.Sample)
		p.groups(r)
		p.consumers(r.Groups)
	}
	p.ledger(&r.Losses, r.At)
	p.deadLetters(&r.DeadLetters)
	p.cursor(r)
	p.checks(r.Checks)
	return p.rows
}

// statsPage collects rows.
type statsPage struct {
	rows  []output.Row
	width int // columns of the terminal, 0 without one
}

func (p *statsPage) line(tone output.Tone, line string) {
	p.rows = append(p.rows, output.Row{Text: text.Escape(line), Tone: tone})
}

func (p *statsPage) head(text string) {
	if len(p.rows) > 0 {
		p.line(output.Plain, "")
	}
	p.line(output.Head, text)
}

func (p *statsPage) table(t *output.Table, headed bool) {
	for i, text := range t.Lines("  ") {
		tone := output.Plain
		if headed && i == 0 {
			tone = output.Faint
		}
		p.rows = append(p.rows, output.Row{Text: text, Tone: tone})
	}
}

func (p *statsPage) stream(r *stats.Report) {
	s, t := &r.Stream, &output.Table{}
	t.Add("length", lengthText(s))
	memory := "unknown: " + s.MemoryUnknown
	if s.MemoryBytes != nil {
		memory = text.Bytes(*s.MemoryBytes) + ", as Redis estimates"
	}
	t.Add("memory", memory)
	t.Add("first", entryText(s.First))
	t.Add("last", entryText(s.Last))
	if s.Length > 0 {
		t.Add("span", spanText(s))
		t.Add("rate", r.Rate.Text())
	}
	t.Add("room", roomText(r))
	p.table(t, false)
}

func lengthText(s *stats.Stream) string {
	length := text.Counted(s.Length, "entry")
	switch {
	case s.TrimAt == nil:
		return length + ", never trimmed (max-stream-len 0)"
	case s.TrimObserved && s.MaxLength == 0:
		return length + ", trimmed, although max-stream-len is 0 here: its writer has a limit"
	case s.TrimObserved && s.Length > s.MaxLength:
		return length + ", more than max-stream-len " + text.Thousands(s.MaxLength) + ": its writer keeps more"
	case s.TrimObserved:
		return length + ", trimmed before max-stream-len " + text.Thousands(s.MaxLength) + ": its writer keeps fewer"
	}
	return length + ", trimmed to about " + text.Thousands(*s.TrimAt) + " (max-stream-len)"
}

func entryText(e *stats.Entry) string {
	if e == nil {
		return "none, the stream is empty"
	}
	said := e.ID
	if e.Seq != nil {
		said += "  seq " + e.Seq.String()
	}
	said += "  stored " + text.Time(e.StoredAt) + ", " + ago(e.AgeSeconds)
	if e.RelayTime != nil {
		said += "; relay's time " + text.Time(*e.RelayTime)
	}
	return said
}

func spanText(s *stats.Stream) string {
	text := hours(*s.SpanSeconds) + " from first to last"
	if s.SpanAtRateSeconds != nil {
		text += "; " + hours(*s.SpanAtRateSeconds) + " at the present rate"
	}
	return text
}

func roomText(r *stats.Report) string {
	switch {
	case r.Stream.TrimAt == nil:
		return "unlimited: nothing is trimmed"
	case r.Room == nil:
		return "no consumer group to wait for"
	}
	g := r.Group(r.Room.Group)
	if g != nil && (g.LostUnread || g.LostPending) {
		return fmt.Sprintf("none: trimming has passed group %s (%s entries are gone)", r.Room.Group, r.Room.Needs)
	}
	if r.Room.Entries == 0 {
		return fmt.Sprintf("none: what is stored next trims entries that group %s still needs (%s)", r.Room.Group, r.Room.Needs)
	}
	text := text.About(r.Room.Entries, r.Room.Exact) + " entries"
	if r.Room.Seconds != nil {
		text += ", " + span(*r.Room.Seconds) + " at the present rate,"
	}
	return fmt.Sprintf("%s until trimming reaches group %s, if the group read nothing more (%s)", text, r.Room.Group, r.Room.Needs)
}

func (p *statsPage) sample(s *stats.Sample) {
	if s.Entries == 0 {
		return
	}
	p.head(fmt.Sprintf("Newest %s: %s, %s", text.Counted(s.Entries, "entry"), text.Bytes(s.Bytes), span(s.SpanSeconds)))
	t := &output.Table{Right: []int{1, 2, 3, 4}}
	t.Add("KIND", "ENTRIES", "SHARE", "BYTES", "SHARE")
	addShares(t, s.Kinds, 10)
	p.table(t, true)
	if s.Unreadable > 0 {
		p.line(output.Warn, "  "+text.Thousands(s.Unreadable)+" with data that is not a JSON object")
	}
	if len(s.Collections) == 0 {
		return
	}
	p.line(output.Plain, "")
	t = &output.Table{Right: []int{1, 2, 3, 4}}
	t.Add("COLLECTION", "OPS", "SHARE", "BYTES", "SHARE")
	addShares(t, s.Collections, shownCollections)
	p.table(t, true)
}

// addShares shows the largest and adds up the rest.
func addShares(t *output.Table, list []stats.Share, most int) {
	rest := stats.Share{}
	for i, s := range list {
		if i < most || len(list) == most+1 {
			addShare(t, s)
			continue
		}
		rest.Count, rest.CountShare = rest.Count+s.Count, rest.CountShare+s.CountShare
		rest.Bytes, rest.BytesShare = rest.Bytes+s.Bytes, rest.BytesShare+s.BytesShare
		rest.Name = fmt.Sprintf("%d others", i-most+1)
	}
	if rest.Count > 0 {
		addShare(t, rest)
	}
}

func addShare(t *output.Table, s stats.Share) {
	name := s.Name
	if name == "" {
		name = "(none)"
	}
	t.Add(name, text.Thousands(s.Count), percent(s.CountShare), text.Bytes(s.Bytes), percent(s.BytesShare))
}
