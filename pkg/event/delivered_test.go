package event

import (
	"slices"
	"testing"
	"time"
)

var zero time.Time

// What a connection brought and what it skipped is told apart, also once the ring has
// gone round; what lies before the first event of a start was not skipped by anybody.
func TestDelivered(t *testing.T) {
	for name, c := range map[string]struct {
		last Seq
		n    int
	}{"some": {100, 20}, "full": {100, deliveredMost - 1}, "once round": {100, deliveredMost + 300}, "a start": {0, 20}} {
		var d delivered
		last, seq := c.last, Seq(1000)
		for range c.n {
			d.add(last, seq)
			last, seq = seq, seq+10
		}
		for _, s := range []Seq{seq - 10, seq - 20, seq - 100} {
			if _, _, ok := d.within(s); ok {
				t.Errorf("%s: %d was brought", name, s)
			}
			if from, to, ok := d.within(s - 3); ok != (s-3 > 1000) || ok && (from != s-10 || to != s) {
				t.Errorf("%s: %d lies between %d and %d, %t", name, s-3, from, to, ok)
			}
		}
		if _, _, ok := d.within(seq); ok {
			t.Errorf("%s: %d lies above all", name, seq)
		}
		if above := d.after(seq - 31); !slices.Equal(above, []Seq{seq - 30, seq - 20, seq - 10}) {
			t.Errorf("%s: above %d lie %d", name, seq-31, above)
		}
		oldest := c.n < deliveredMost && c.last > 0 // still in the ring
		if from, to, ok := d.within(500); ok != oldest || ok && (from != 100 || to != 1000) {
			t.Errorf("%s: 500 lies between %d and %d, %t", name, from, to, ok)
		}
		d.cut(seq - 25)
		if above := d.after(seq - 31); !slices.Equal(above, []Seq{seq - 30, seq - 25}) {
			t.Errorf("%s: cut at %d, above %d lie %d", name, seq-25, seq-31, above)
		}
	}
}

// A live start claims nothing of what came before its first event: events below it are
// repeats and contradict nothing.
func TestEventsBeforeALiveStartContradictNothing(t *testing.T) {
	tracker := NewTracker(Position{})
	tracker.Observe(5000, 1, zero)
	for seq := Seq(4999); seq > 4990; seq-- {
		if step := tracker.Observe(seq, 1, zero); step.Verdict != Repeat || step.Contradicts {
			t.Fatalf("%d: %+v", seq, step)
		}
	}
}
