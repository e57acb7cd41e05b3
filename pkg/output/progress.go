package output

import (
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

// Progress is what the live line shows of work that has an end, or of a
// recording that has none.
type Progress struct {
	Label string // what is being done: "replay"
	Unit  string // what Done counts; empty means events
	Done  int64  // so far, by this run; the line derives the rate
	// Fraction is how much of the whole is done, from 0 to 1. It may begin
	// above 0, where an earlier run stopped. Below 0 it is unknown: there is
	// then no bar and no ETA.
	Fraction float64
	Seq      event.Seq // where the work stands; 0 shows none
	Note     string    // what it waits for, or what else to know; may be empty
}

// SetProgress shows p instead of a status. Like Set it may be called at any
// rate.
func (l *Line) SetProgress(p Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := l.now()
	if l.bar == nil {
		l.bar = &progressing{began: now, first: p.Fraction}
	}
	l.bar.Progress, l.status.Events, l.set = p, p.Done, true
	if l.last.IsZero() || now.Sub(l.last) >= redrawEvery {
		l.sample(now)
		l.draw(now)
	}
}

// progressing is a Progress with where it began.
type progressing struct {
	Progress
	began time.Time
	first float64
}

const (
	barWidest   = 30
	barNarrow   = 10 // below this a bar says nothing
	etaSettling = time.Second
)

func (p *progressing) render(rate float64, now time.Time, width int) string {
	unit := p.Unit
	if unit == "" {
		unit = "events"
	}
	parts := []string{}
	if p.Fraction >= 0 {
		parts = append(parts, fmt.Sprintf("%3.0f%%", 100*min(p.Fraction, 1)))
	}
	parts = append(parts, text.Thousands(p.Done)+" "+unit, text.Thousands(int64(rate+0.5))+"/s")
	if left, ok := p.left(now); ok {
		parts = append(parts, "ETA "+text.Span(left))
	}
	if p.Seq > 0 {
		parts = append(parts, "seq "+text.Thousands(int64(p.Seq)))
	}
	if p.Note != "" {
		parts = append(parts, p.Note)
	}
	numbers := strings.Join(parts, "  ")
	return text.Escape(p.Label + p.bar(width-Width(p.Label)-Width(numbers)-6) + "  " + numbers)
}

// bar fills the room there is, if it is worth it.
func (p *progressing) bar(room int) string {
	room = min(room, barWidest)
	if p.Fraction < 0 || room < barNarrow {
		return ""
	}
	full := int(min(p.Fraction, 1) * float64(room))
	return "  [" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]"
}

// left is how long the rest takes if it goes on as since the beginning.
func (p *progressing) left(now time.Time) (time.Duration, bool) {
	passed := now.Sub(p.began)
	if p.Fraction < 0 || p.Fraction <= p.first || passed < etaSettling {
		return 0, false
	}
	if p.Fraction >= 1 {
		return 0, false
	}
	return time.Duration(float64(passed) * (1 - p.Fraction) / (p.Fraction - p.first)), true
}
