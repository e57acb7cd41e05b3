package tail

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/pipeline/follow/followtest"
	"github.com/fhctl/fhctl/pkg/place"
)

// Q6: tail judges a relay that counts anew as the pipeline does, by time, and follows the
// new numbers. One that ignores the position gets there.
func TestTailJudgesARelayThatCountsAnew(t *testing.T) {
	frames, before := followtest.SimFrames(t, 1200)
	for _, tc := range followtest.CountsAnew {
		from := before + tc.From
		t.Run(tc.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log, out bytes.Buffer
				r := newTailRelay(t, from, &log, &out)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				options := follow.Options{From: r.tailRun.from(false), Anew: true, Logger: r.Log}
				if err := r.follow(ctx, followtest.Playing(frames), options); err != nil {
					t.Fatal(err)
				}
				if tc.Restarted != strings.Contains(log.String(), "numbering has restarted") {
					t.Errorf("it said:\n%s", log.String())
				}
				want := followtest.Above(frames, from)
				if tc.Restarted {
					want = len(frames)
				}
				if shown := strings.Count(out.String(), "\n"); shown != want {
					t.Errorf("%d events were shown, want %d", shown, want)
				}
			})
		})
	}
}

// newTailRelay is tail behind a seq, which writes a line for each event.
func newTailRelay(t *testing.T, from event.Seq, log, out io.Writer) *tailRelay {
	t.Helper()
	match, err := newTailMatch(&tailOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewWriter(out)
	run := &tailRun{
		Env: &shell.Env{Log: slog.New(slog.NewTextHandler(log, nil))}, cfg: &config.Config{},
		tailPlan: &tailPlan{relay: true, match: match, since: place.Place{Kind: place.Seq, Seq: from + 1}},
		out:      lines,
		render:   func(*output.Event) error { return lines.WriteByte('\n') },
	}
	return &tailRelay{tailRun: run}
}
