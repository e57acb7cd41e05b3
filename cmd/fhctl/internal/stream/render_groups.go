package stream

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// shownConsumers is how many consumers of each group people see.
const shownConsumers = 10

func (p *statsPage) groups(r *stats.Report) {
	if len(r.Groups) == 0 && len(r.Missing) == 0 {
		p.head("No consumer groups")
		return
	}
	p.head("Groups")
	for _, name := range r.Missing {
		p.line(output.Warn, "  "+name+": there is no such group")
	}
	if len(r.Groups) == 0 {
		return
	}
	t := &output.Table{Right: []int{1, 2, 3, 4, 5, 6, 7, 8}, Most: p.width}
	t.Add("GROUP", "LAG", "BEHIND", "PENDING", "OLDEST", "REDELIVERED", "CONSUMERS", "ROOM", "ROOM TIME")
	estimated := false
	for i := range r.Groups {
		g := &r.Groups[i]
		estimated = estimated || !g.LagExact || g.Room != nil && !g.Room.Exact
		room, left := groupRoom(g)
		t.Add(g.Name, tilde(g.Lag, g.LagExact), span(g.LagSeconds), text.Thousands(g.Pending), oldest(g), redelivered(g),
			text.Thousands(int64(len(g.Consumers))), room, left)
	}
	p.table(t, true)
	if estimated {
		p.line(output.Faint, "  ~ is an estimate")
	}
	for i := range r.Groups {
		p.losses(&r.Groups[i])
	}
}

func (p *statsPage) losses(g *stats.Group) {
	if g.LostUnread {
		p.line(output.Bad, "  "+g.Name+": trimming passed its position: it was never given some entries that are gone")
	}
	if g.LostPending {
		p.line(output.Bad, "  "+g.Name+": its oldest pending entry was trimmed and cannot be delivered again")
	}
}

func groupRoom(g *stats.Group) (room, left string) {
	if g.Room == nil {
		return "unlimited", dash
	}
	left = dash
	if g.Room.Seconds != nil {
		left = span(*g.Room.Seconds)
	}
	return tilde(g.Room.Entries, g.Room.Exact), left
}

func oldest(g *stats.Group) string {
	if g.OldestPending == nil {
		return dash
	}
	return span(g.OldestPending.AgeSeconds)
}

func redelivered(g *stats.Group) string {
	d := g.Redelivered
	if d == nil {
		return "0"
	}
	again := text.Thousands(d.Entries)
	if d.MaxDeliveries > 1 {
		again += fmt.Sprintf(" (max %d×)", d.MaxDeliveries)
	}
	if !d.Complete {
		again += fmt.Sprintf(" of %s", text.Thousands(d.Examined))
	}
	return again
}

// consumers shows those that have most to answer for: with pending entries
// first, then the most idle.
func (p *statsPage) consumers(groups []stats.Group) {
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
			t.Add(groups[i].Name, c.Name, text.Thousands(c.Pending), optional(c.IdleSeconds), optional(c.InactiveSeconds))
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

// busiest orders consumers by what they hold, then by how long they have been
// silent.
func busiest(consumers []stats.Consumer) []stats.Consumer {
	list := slices.Clone(consumers)
	slices.SortStableFunc(list, func(a, b stats.Consumer) int {
		if c := cmp.Compare(b.Pending, a.Pending); c != 0 {
			return c
		}
		return cmp.Compare(orZero(b.IdleSeconds), orZero(a.IdleSeconds))
	})
	return list
}

func orZero(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}

func (p *statsPage) deadLetters(d *stats.DeadLetters) {
	p.head("Dead letters " + d.Key)
	switch {
	case d.Length == nil:
		p.line(output.Warn, "  unknown: "+d.Unknown)
	case *d.Length == 0:
		p.line(output.Plain, "  none")
	default:
		text := "  " + text.Counted(*d.Length, "entry")
		if n := d.Newest; n != nil {
			text += fmt.Sprintf("; newest %s: %s seq %s after %s deliveries, stored as %s", ago(n.AgeSeconds),
				orDash(n.Type), orDash(n.Seq), orDash(n.Deliveries), orDash(n.OrigID))
		}
		p.line(output.Warn, text)
	}
}

func (p *statsPage) cursor(r *stats.Report) {
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
		if c.Relay == nil || !reader.IsReplay(*c.Relay) {
			t.Add("window", windowText(&c.Window))
		}
	}
	t.Add("writer", writerText(c.Writer))
	p.table(t, false)
}

func cursorText(c *stats.Cursor) string {
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

func eventTimeText(c *stats.Cursor) string {
	switch {
	case c.EventTime == nil:
		return "unknown: neither the side key nor the stream tells"
	case c.TimeFrom == "entry":
		return text.Time(*c.EventTime) + ", " + ago(*c.AgeSeconds) + ", when its entry was stored: the relay's own time is unknown, or cannot be true"
	}
	return text.Time(*c.EventTime) + ", " + ago(*c.AgeSeconds) + ", by the relay"
}

func windowText(w *stats.Window) string {
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

func writerText(w *stats.Writer) string {
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

func (p *statsPage) checks(checks []stats.Check) {
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

var checkTones = map[string]output.Tone{stats.OK: output.Good, stats.Failed: output.Bad, stats.Unknown: output.Warn}
