package health

import (
	"context"
	"math"
	"slices"
	"time"
)

const (
	tickEach   = 2 * time.Second // what the page shows is renewed
	pointEach  = 10 * time.Second
	keepFor    = time.Hour
	keepPoints = int(keepFor / pointEach)
	// mostSpan is how long a point may be the measure of: a process that was
	// stopped, or a machine that slept, saw nothing of what was longer.
	mostSpan  = pointEach + 2*tickEach
	rateTicks = 5 // the rate shown is over this many ticks
)

// point is one moment of the last hour, and a while before it. Unknown numbers
// are NaN.
type point struct {
	from, at time.Time // by the wall clock
	rate     float64   // entries stored per second
	lag      float64   // of the relay, in seconds
	backlog  float64   // entries the slowest group was not given
	ready    bool
}

// history is the last hour in steps of pointEach, guarded by Monitor.mu.
type history struct {
	points ring[point]
	totals ring[total] // of the last ticks
	since  time.Time   // of the newest point, or of the first tick; with the monotonic clock
	stored uint64      // at that time
	lows   bool        // it was not ready at some tick since then
}

// total is how much had been done at a tick.
type total struct {
	at     time.Time
	stored uint64
	frames int64
	took   float64 // seconds spent appending
	calls  uint64
}

// pace is what was done per second over the last ticks.
type pace struct {
	known  bool
	stored float64
	read   float64
	append float64 // mean seconds per batch; NaN without any
	batch  float64 // mean entries per batch
}

func newHistory() history {
	return history{points: ring[point]{limit: keepPoints}, totals: ring[total]{limit: rateTicks + 1}}
}

// record ticks until ctx ends.
func (m *Monitor) record(ctx context.Context) {
	tick := time.NewTicker(tickEach)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.tick()
		case <-ctx.Done():
			return
		}
	}
}

// tick notes where the counters stand, adds a point when one is due, and wakes
// whoever looks at the page.
func (m *Monitor) tick() {
	now := m.cfg.Now()
	s := m.Snapshot()
	m.mu.Lock()
	h := &m.t.history
	h.totals.add(total{at: now, stored: s.Appended, frames: s.Counts.Frames, took: m.t.appending.Seconds(), calls: s.Batches})
	added := h.advance(now, &s)
	m.mu.Unlock()
	m.live.tell(added)
}

// advance adds a point when one is due. Monitor.mu is held.
func (h *history) advance(now time.Time, s *Snapshot) (added bool) {
	h.lows = h.lows || !s.Able()
	if h.since.IsZero() {
		h.since, h.stored, h.lows = now, s.Appended, false
		return false
	}
	span := now.Sub(h.since)
	from, at := h.since.Round(0), now.Round(0)
	if wall := at.Sub(from); wall < 0 || span < 0 {
		h.turnBack(at) // the clock was set back: what was later has no place any more
		h.since, h.stored, h.lows = now, s.Appended, !s.Able()
		return true
	} else if max(span, wall) < pointEach-tickEach/2 {
		return false
	} else if wall > mostSpan {
		from = at.Add(-min(max(span, tickEach), pointEach))
	}
	h.points.add(point{
		from: from, at: at,
		rate: float64(s.Appended-h.stored) / max(span, time.Second).Seconds(),
		lag:  lagOf(s), backlog: backlogOf(s), ready: !h.lows,
	})
	h.forget(at.Add(-keepFor))
	h.since, h.stored, h.lows = now, s.Appended, !s.Able()
	return true
}

// forget drops the points before a time.
func (h *history) forget(before time.Time) {
	n := 0
	for n < len(h.points.items) && h.points.items[n].at.Before(before) {
		n++
	}
	h.points.items = slices.Delete(h.points.items, 0, n)
}

// turnBack drops the points after a time.
func (h *history) turnBack(to time.Time) {
	h.points.items = slices.DeleteFunc(h.points.items, func(p point) bool { return p.at.After(to) })
}

func lagOf(s *Snapshot) float64 {
	if s.LastTime.IsZero() {
		return math.NaN()
	}
	return max(0, s.Lag.Seconds())
}

func backlogOf(s *Snapshot) float64 {
	g, ok := s.slowest()
	if !ok {
		return math.NaN()
	}
	return float64(g.Lag)
}

// slowest is the group with the most entries before it.
func (s *Snapshot) slowest() (worst Group, ok bool) {
	for _, g := range s.Sample.Groups {
		if !ok || g.Lag > worst.Lag {
			worst, ok = g, true
		}
	}
	return worst, ok
}

// pace is over the last ticks; unknown before there are two.
func (h *history) pace() (p pace) {
	if len(h.totals.items) < 2 {
		return p
	}
	first, last := h.totals.items[0], h.totals.items[len(h.totals.items)-1]
	span := last.at.Sub(first.at).Seconds()
	if span <= 0 {
		return p
	}
	calls := float64(last.calls - first.calls)
	return pace{
		known: true, stored: float64(last.stored-first.stored) / span, read: float64(last.frames-first.frames) / span,
		append: (last.took - first.took) / calls, batch: float64(last.stored-first.stored) / calls,
	}
}
