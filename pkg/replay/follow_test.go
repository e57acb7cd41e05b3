package replay_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/pipeline/follow/followtest"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/replay"
)

// Q6: replay judges a relay that counts anew as the pipeline does, by time.
func TestReplayJudgesARelayThatCountsAnew(t *testing.T) {
	frames, before := followtest.SimFrames(t, 1200)
	for _, tc := range followtest.CountsAnew {
		from := before + tc.From
		t.Run(tc.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := replay.NewRelay(replay.RelayConfig{From: place.Place{Kind: place.Seq, Seq: from + 1}, Follow: true, Open: followtest.Playing(frames)})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				yielded := 0
				var err error
				for _, e := range source.Pieces(ctx, 0) {
					if err = e; err == nil {
						yielded++
					}
				}
				if tc.Restarted != (fault.ClassOf(err) == fault.Cursor && err != nil) {
					t.Errorf("it ends with %v", err)
				}
				if want := followtest.Above(frames, from); yielded != want {
					t.Errorf("%d events were played, want %d", yielded, want)
				}
			})
		})
	}
}

// A relay whose window is played has ended when it falls silent, and not before what waits
// for another connection was decided (Q1).
func TestReplayOfAWindowEndsWithSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behindEvents()
		relay := &followtest.Relay{First: 1, Before: 100, Most: 100, Chunk: 16, Lies: map[event.Seq][]event.Seq{100: {1000}}}
		to := &list{}
		s, err := replay.Run(t.Context(), replay.NewRelay(replay.RelayConfig{Open: relay.Open}), to, replay.Options{})
		if err != nil || !s.Complete || s.Taken != 100 || s.Last != 100 {
			t.Errorf("%d events to %s, complete %v: %v", s.Taken, s.Last, s.Complete, err)
		}
	})
}

// Silence ends a window, exactly.
func TestReplayOfAWindowWaitsAsLongAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behindEvents()
		began := time.Now()
		open := followtest.Scripted(func(_ int, _ event.Position, send func(...event.Seq) bool) { send(1, 2, 3) })
		s, err := replay.Run(t.Context(), replay.NewRelay(replay.RelayConfig{Open: open}), &list{}, replay.Options{})
		if err != nil || !s.Complete || s.Taken != 3 || time.Since(began) != 5*time.Second {
			t.Errorf("%d events in %v, complete %v: %v", s.Taken, time.Since(began), s.Complete, err)
		}
	})
}

// behindEvents waits until the times of the frames are past: a window holds no others.
func behindEvents() { time.Sleep(time.Until(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))) }
