package pipeline_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// G1: a run that stores no entry, since every event was rejected or filtered, leaves a
// cursor all the same: a later start must not begin live and lose what came between.
func TestRunWithoutAnEntryLeavesACursor(t *testing.T) {
	for name, frame := range map[string]func(event.Seq) []byte{"rejected": notAnIdentity, "sync": syncEvent, "unknown": unknown} {
		for _, start := range []event.Start{event.Live, event.Oldest} {
			for _, n := range []event.Seq{1, 5} {
				synctest.Test(t, func(t *testing.T) {
					var all [][]byte
					for seq := event.Seq(1); seq <= n; seq++ {
						all = append(all, frame(1000+seq))
					}
					r := newSetup(again(waits(all...))...)
					r.relay.lull = true
					r.sink.start = event.Resume{Position: event.Position{Start: start}}
					r.runFor(t, 20*time.Second)
					if r.sink.cursor != 1000+n {
						t.Errorf("%s, %d from %v: the cursor is %s", name, n, start, r.sink.cursor)
					}
				})
			}
		}
	}
}
