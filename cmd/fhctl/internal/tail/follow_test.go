package tail

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/pipeline/follow/followtest"
	"github.com/fhctl/fhctl/pkg/place"
)

// Q6: tail judges a relay that counts anew as the pipeline does: by time, and
// not by the first frame or the thousandth. One that ignores the position gets there.
func TestTailJudgesARelayThatCountsAnew(t *testing.T) {
	frames, before := followtest.SimFrames(t, 1200)
	for _, tc := range followtest.CountsAnew {
		from := before + tc.From
		t.Run(tc.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log, out bytes.Buffer
				r, closed := newTailRelay(t, from, &log, &out)
				defer r.seen.Close()
				followtest.PlayChunk(t, r.seen.Enter, frames, closed, func(c *event.Chunk) {
					if more, err := r.chunk(c); err != nil || !more {
						t.Fatal(more, err)
					}
				})
				at := r.resume()
				if tc.Restarted != (*closed != nil) || tc.Restarted != strings.Contains(log.String(), "numbering has restarted") {
					t.Errorf("closed with %v, and said:\n%s", *closed, log.String())
				}
				_ = r.out.Flush()
				switch shown := strings.Count(out.String(), "\n"); {
				case tc.Restarted && (shown > 0 || at.Seq != before):
					t.Errorf("%d events were shown, and reading goes on at %s, want 0 and %s", shown, at, before)
				case !tc.Restarted && shown != followtest.Above(frames, from):
					t.Errorf("%d events were shown, want the %d above %s", shown, followtest.Above(frames, from), from)
				}
			})
		})
	}
}

// newTailRelay is tail behind a seq, which writes a line for each event; closed is
// why it closed the connection.
func newTailRelay(t *testing.T, from event.Seq, log, out io.Writer) (r *tailRelay, closed *error) {
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
	r = &tailRelay{tailRun: run}
	r.start(false)
	return r, new(error)
}
