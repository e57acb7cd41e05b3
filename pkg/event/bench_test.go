package event_test

import (
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// BenchmarkObserve is what judging one event's seq and noting its time costs.
func BenchmarkObserve(b *testing.B) {
	tracker, times := event.NewTracker(event.AfterSeq(1)), event.Times{}
	now, sent, seq := time.Now(), []byte("2026-07-04T11:59:58.123Z"), event.Seq(1)
	b.ReportAllocs()
	for b.Loop() {
		seq++
		if step := tracker.Observe(seq, 1, now); step.Verdict != event.Fresh {
			b.Fatal(step)
		}
		times.Note(sent)
	}
}
