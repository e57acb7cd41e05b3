package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/output"
)

const (
	shownCollections = 12
	shownConsumers   = 10 // of each group
	dash             = "-"
)

// rows is the report for people.
func (r *statsReport) rows() []output.Row {
	p := &statsPage{}
	p.head("Stream " + r.Stream.Key + " on " + r.Redis)
	if !r.Stream.Exists {
		p.line(output.Warn, "  does not exist (yet)")
	} else {
		p.stream(r)
		p.sample(&r.Sample)
		p.groups(r)
		p.consumers(r.Groups)
	}
	p.deadLetters(&r.DeadLetters)
	p.cursor(r)
	p.checks(r.Checks)
	return p.rows
}

// statsPage collects rows.
type statsPage struct{ rows []output.Row }

func (p *statsPage) line(tone output.Tone, text string) {
	p.rows = append(p.rows, output.Row{Text: output.Escape(text), Tone: tone})
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

func (p *statsPage) stream(r *statsReport) {
	s, t := &r.Stream, &output.Table{}
	t.Add("length", lengthText(s))
	memory := "unknown: " + s.MemoryUnknown
	if s.MemoryBytes != nil {
		memory = output.Bytes(*s.MemoryBytes) + ", as Redis estimates"
	}
	t.Add("memory", memory)
	t.Add("first", entryText(s.First))
	t.Add("last", entryText(s.Last))
	if s.Length > 0 {
		t.Add("span", spanText(s))
		t.Add("rate", rateText(&r.Rate))
	}
	t.Add("room", roomText(r))
	p.table(t, false)
}

func lengthText(s *streamReport) string {
	text := entries(s.Length)
	switch {
	case s.TrimAt == nil:
		return text + ", never trimmed (max-stream-len 0)"
	case s.TrimObserved && s.Length > s.MaxLength:
		return text + ", more than max-stream-len " + output.Thousands(s.MaxLength) + ": its writer keeps more"
	case s.TrimObserved:
		return text + ", trimmed before max-stream-len " + output.Thousands(s.MaxLength) + ": its writer keeps fewer"
	}
	return text + ", trimmed to about " + output.Thousands(*s.TrimAt) + " (max-stream-len)"
}

func entryText(e *entryReport) string {
	if e == nil {
		return "none, the stream is empty"
	}
	text := e.ID
	if e.Seq != nil {
		text += "  seq " + e.Seq.String()
	}
	text += "  stored " + clock(e.StoredAt) + ", " + ago(e.AgeSeconds)
	if e.RelayTime != nil {
		text += "; relay's time " + clock(*e.RelayTime)
	}
	return text
}

func spanText(s *streamReport) string {
	text := hours(*s.SpanSeconds) + " from first to last"
	if s.SpanAtRateSeconds != nil {
		text += "; " + hours(*s.SpanAtRateSeconds) + " at the present rate"
	}
	return text
}

func rateText(r *rateReport) string {
	average := ""
	if r.AveragePerSecond != nil {
		average = "; " + perSecond(*r.AveragePerSecond) + " on average"
	}
	switch {
	case r.PerSecond == nil:
		return "unknown: too few entries" + average
	case *r.PerSecond == 0:
		return "nothing was stored in the last " + span(idleAfter.Seconds()) + average
	}
	return fmt.Sprintf("%s over the last %s (%s)%s", perSecond(*r.PerSecond), entries(r.Entries), span(r.WindowSeconds), average)
}

func roomText(r *statsReport) string {
	switch {
	case r.Stream.TrimAt == nil:
		return "unlimited: nothing is trimmed"
	case r.Room == nil:
		return "no consumer group to wait for"
	}
	g := groupNamed(r, r.Room.Group)
	if g != nil && (g.LostUnread || g.LostPending) {
		return fmt.Sprintf("none: trimming has passed group %s (%s entries are gone)", r.Room.Group, r.Room.Needs)
	}
	text := about(r.Room.Entries, r.Room.Exact) + " entries"
	if r.Room.Seconds != nil {
		text += ", " + span(*r.Room.Seconds) + " at the present rate,"
	}
	return fmt.Sprintf("%s until trimming reaches group %s, if it stood still (%s)", text, r.Room.Group, r.Room.Needs)
}

func (p *statsPage) sample(s *sampleReport) {
	if s.Entries == 0 {
		return
	}
	p.head(fmt.Sprintf("Newest %s: %s, %s", entries(s.Entries), output.Bytes(s.Bytes), span(s.SpanSeconds)))
	t := &output.Table{Right: []int{1, 2, 3, 4}}
	t.Add("KIND", "ENTRIES", "SHARE", "BYTES", "SHARE")
	addShares(t, s.Kinds, 10)
	p.table(t, true)
	if s.Unreadable > 0 {
		p.line(output.Warn, "  "+output.Thousands(s.Unreadable)+" with data that is not a JSON object")
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
func addShares(t *output.Table, list []shareReport, most int) {
	rest := shareReport{}
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

func addShare(t *output.Table, s shareReport) {
	name := s.Name
	if name == "" {
		name = "(none)"
	}
	t.Add(name, output.Thousands(s.Count), percent(s.CountShare), output.Bytes(s.Bytes), percent(s.BytesShare))
}

func (p *statsPage) groups(r *statsReport) {
	if len(r.Groups) == 0 {
		p.head("No consumer groups")
		return
	}
	p.head("Groups")
	t := &output.Table{Right: []int{1, 2, 3, 4, 5, 6, 7, 8}}
	t.Add("GROUP", "LAG", "BEHIND", "PENDING", "OLDEST", "REDELIVERED", "CONSUMERS", "ROOM", "ROOM TIME")
	estimated := false
	for i := range r.Groups {
		g := &r.Groups[i]
		estimated = estimated || !g.LagExact || g.Room != nil && !g.Room.Exact
		room, left := groupRoom(g)
		t.Add(g.Name, tilde(g.Lag, g.LagExact), span(g.LagSeconds), output.Thousands(g.Pending), oldest(g), redelivered(g),
			output.Thousands(int64(len(g.Consumers))), room, left)
	}
	p.table(t, true)
	if estimated {
		p.line(output.Faint, "  ~ is an estimate")
	}
	for i := range r.Groups {
		p.losses(&r.Groups[i])
	}
}

func (p *statsPage) losses(g *groupReport) {
	if g.LostUnread {
		p.line(output.Bad, "  "+g.Name+": trimming passed its position: it was never given some entries that are gone")
	}
	if g.LostPending {
		p.line(output.Bad, "  "+g.Name+": its oldest pending entry was trimmed and cannot be delivered again")
	}
}

func groupRoom(g *groupReport) (room, left string) {
	if g.Room == nil {
		return "unlimited", dash
	}
	left = dash
	if g.Room.Seconds != nil {
		left = span(*g.Room.Seconds)
	}
	return tilde(g.Room.Entries, g.Room.Exact), left
}

func oldest(g *groupReport) string {
	if g.OldestPending == nil {
		return dash
	}
	return span(g.OldestPending.AgeSeconds)
}

func redelivered(g *groupReport) string {
	d := g.Redelivered
	if d == nil {
		return "0"
	}
	text := output.Thousands(d.Entries)
	if d.MaxDeliveries > 1 {
		text += fmt.Sprintf(" (max %d×)", d.MaxDeliveries)
	}
	if !d.Complete {
		text += fmt.Sprintf(" of %s", output.Thousands(d.Examined))
	}
	return text
}

// consumers shows those that have most to answer for: with pending entries
// first, then the most idle.
func (p *statsPage) consumers(groups []groupReport) {
	t := &output.Table{Right: []int{2, 3, 4}}
	t.Add("GROUP", "CONSUMER", "PENDING", "IDLE", "INACTIVE")
	some, left := false, 0
	for i := range groups {
		for n, c := range busiest(groups[i].Consumers) {
			if n >= shownConsumers {
				left++
				continue
			}
			some = true
			t.Add(groups[i].Name, c.Name, output.Thousands(c.Pending), optional(c.IdleSeconds), optional(c.InactiveSeconds))
		}
	}
	if !some {
		return
	}
	p.line(output.Plain, "")
	p.table(t, true)
	if left > 0 {
		p.line(output.Faint, fmt.Sprintf("  %d more consumers: -o json lists all", left))
	}
}

func (p *statsPage) deadLetters(d *deadLettersReport) {
	p.head("Dead letters " + d.Key)
	switch {
	case d.Length == nil:
		p.line(output.Warn, "  unknown: "+d.Unknown)
	case *d.Length == 0:
		p.line(output.Plain, "  none")
	default:
		text := "  " + entries(*d.Length)
		if n := d.Newest; n != nil {
			text += fmt.Sprintf("; newest %s: %s seq %s after %s deliveries, stored as %s", ago(n.AgeSeconds),
				orDash(n.Type), orDash(n.Seq), orDash(n.Deliveries), orDash(n.OrigID))
		}
		p.line(output.Warn, text)
	}
}

func (p *statsPage) cursor(r *statsReport) {
	c, t := &r.Cursor, &output.Table{}
	p.head("Cursor " + c.Key)
	switch {
	case c.Unknown != "":
		t.Add("seq", "unknown: "+c.Unknown)
	case !c.Present:
		t.Add("seq", "there is no cursor")
	case c.Seq == nil:
		t.Add("seq", fmt.Sprintf("%.32q is not a seq", c.Raw))
	default:
		t.Add("seq", cursorText(c))
		t.Add("event time", eventTimeText(c))
		t.Add("window", windowText(&c.Window))
	}
	t.Add("writer", writerText(c.Writer))
	p.table(t, false)
}

func cursorText(c *cursorReport) string {
	if c.Relay == nil {
		return c.Seq.String() + ", of an unknown relay"
	}
	text := c.Seq.String() + " of " + *c.Relay
	if c.RelayAssumed {
		text += " (assumed: there is no side key, as the Python bridge leaves it)"
	}
	if c.OtherRelay {
		text += ", which is not the relay that relay-url names"
	}
	return text
}

func eventTimeText(c *cursorReport) string {
	switch {
	case c.EventTime == nil:
		return "unknown: neither the side key nor the stream tells"
	case c.TimeFrom == "entry":
		return clock(*c.EventTime) + ", " + ago(*c.AgeSeconds) + ", when its entry was stored: the relay's own time is unknown"
	}
	return clock(*c.EventTime) + ", " + ago(*c.AgeSeconds) + ", by the relay"
}

func windowText(w *windowReport) string {
	size := "the relay's window of " + hours(w.Seconds)
	if w.Assumed {
		size = "the relay's window, assumed to be " + hours(w.Seconds) + " (--relay-window)"
	}
	switch {
	case w.LeftSeconds == nil:
		return "unknown when it leaves " + size
	case *w.LeftSeconds <= 0:
		return "it left " + size + ", " + ago(-*w.LeftSeconds) + ": what followed it is lost to this cursor"
	}
	return "it leaves " + size + ", in " + hours(*w.LeftSeconds) + " if it stands still"
}

func writerText(w *writerReport) string {
	if w == nil {
		return "no heartbeat: nothing that keeps a status is writing"
	}
	who, state := "a writer that is not fhctl", "not connected to"
	if w.Name != nil {
		who = *w.Name
	}
	if w.Connected {
		state = "connected to"
	}
	return strings.TrimSpace(who + ", " + state + " " + w.RelayURL)
}

func (p *statsPage) checks(checks []checkReport) {
	if len(checks) == 0 {
		return
	}
	p.head("Checks")
	t := &output.Table{}
	for i := range checks {
		t.Add(checks[i].Status, checks[i].Name, checks[i].Detail)
	}
	for i, text := range t.Lines("  ") {
		p.rows = append(p.rows, output.Row{Text: text, Tone: checkTones[checks[i].Status]})
	}
}

var checkTones = map[string]output.Tone{checkOK: output.Good, checkFailed: output.Bad, checkUnknown: output.Warn}

// What follows is numbers as people read them.

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return output.Thousands(n) + " entries"
}

func tilde(n int64, exact bool) string {
	if exact {
		return output.Thousands(n)
	}
	return "~" + output.Thousands(n)
}

func span(s float64) string { return output.Span(seconds(s)) }

// hours keeps hours where the issue is how many of them.
func hours(s float64) string {
	if s < 7170 || s >= 1000*3600 {
		return span(s)
	}
	return fmt.Sprintf("%.1f h", s/3600)
}

func ago(s float64) string {
	if s < 0 {
		return "in the future by " + span(-s)
	}
	return span(s) + " ago"
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func perSecond(rate float64) string {
	if rate < 99.95 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return output.Thousands(int64(rate+0.5)) + "/s"
}

func optional(s *float64) string {
	if s == nil {
		return dash
	}
	return span(*s)
}

func orDash(text string) string {
	if text == "" {
		return dash
	}
	return text
}
