package replay

import (
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/pipeline/follow/followtest"
	"github.com/fhctl/fhctl/pkg/place"
)

// Q6: replay judges it alike.
func TestReplayJudgesARelayThatCountsAnew(t *testing.T) {
	frames, before := followtest.SimFrames(t, 1200)
	for _, tc := range followtest.CountsAnew {
		from := before + tc.From
		t.Run(tc.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &RelaySource{log: slog.New(slog.DiscardHandler), cfg: RelayConfig{From: place.Place{Kind: place.Seq, Seq: from + 1}}}
				o.seen = follow.New(o.begin(0), 0, o.log)
				defer o.seen.Close()
				var closed error
				yielded := 0
				followtest.PlayChunk(t, o.seen.Enter, frames, &closed, func(c *event.Chunk) {
					if !o.chunk(t.Context(), c, func(Piece, error) bool { yielded++; return true }) {
						t.Fatal("it ended")
					}
				})
				_, err := o.resume()
				if tc.Restarted != (fault.ClassOf(err) == fault.Cursor && err != nil) || tc.Restarted != (closed != nil) {
					t.Errorf("closed with %v; resume: %v", closed, err)
				}
				if want := followtest.Above(frames, from); yielded != want {
					t.Errorf("%d events were played, want %d", yielded, want)
				}
			})
		})
	}
}
