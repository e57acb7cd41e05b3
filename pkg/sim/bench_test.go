package sim

import "testing"

func BenchmarkFrames(b *testing.B) {
	s := newSim(b, Config{})
	seq, _ := next(b, s, 0)
	b.ReportAllocs()
	for b.Loop() {
		seq, _ = next(b, s, seq)
	}
}

// BenchmarkPass is what getting to a place in a chapter costs per event.
func BenchmarkPass(b *testing.B) {
	s := newSim(b, Config{})
	c := s.series.open(0, s.history)
	b.ReportAllocs()
	for b.Loop() {
		if c.next == c.end {
			c = s.series.open(c.number+1, s.history)
		}
		if _, err := c.step(false); err != nil {
			b.Fatal(err)
		}
	}
}
