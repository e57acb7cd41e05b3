package main

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/sim"
)

// simFrames are the first n frames of a simulator, and the seq before them.
func simFrames(t *testing.T, n int) (frames []event.Frame, before event.Seq) {
	t.Helper()
	s, err := sim.New(sim.Config{Count: int64(n), Backlog: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for after := event.Seq(0); len(frames) < n; {
		seq, data, err := s.Next(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		if frames, after = append(frames, event.Frame{Data: data}), seq; len(frames) == 1 {
			before = seq - 1
		}
	}
	return frames, before
}

// countsAnew are relays whose numbers say little by themselves: reading begins behind
// from, seen from the seq before the first frame.
var countsAnew = []struct {
	name      string
	from      event.Seq
	restarted bool
}{
	{"numbers far below the position", 1_000_000, true},
	{"the position is ignored", 1190, false},
}

// Q6: tail judges a relay that counts anew as the pipeline does: by time, and
// not by the first frame or the thousandth. One that ignores the position gets there.
func TestTailJudgesARelayThatCountsAnew(t *testing.T) {
	frames, before := simFrames(t, 1200)
	for _, tc := range countsAnew {
		from := before + tc.from
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log, out bytes.Buffer
				r, closed := newTailRelay(t, from, &log, &out)
				defer r.seen.Close()
				playChunk(t, r.seen.Enter, frames, closed, func(c *event.Chunk) {
					if more, err := r.chunk(c); err != nil || !more {
						t.Fatal(more, err)
					}
				})
				at := r.resume()
				if tc.restarted != (*closed != nil) || tc.restarted != strings.Contains(log.String(), "numbering has restarted") {
					t.Errorf("closed with %v, and said:\n%s", *closed, log.String())
				}
				_ = r.out.Flush()
				switch shown := strings.Count(out.String(), "\n"); {
				case tc.restarted && (shown > 0 || at.Seq != before):
					t.Errorf("%d events were shown, and reading goes on at %s, want 0 and %s", shown, at, before)
				case !tc.restarted && shown != above(frames, from):
					t.Errorf("%d events were shown, want the %d above %s", shown, above(frames, from), from)
				}
			})
		})
	}
}

// Q6: replay judges it alike.
func TestReplayJudgesARelayThatCountsAnew(t *testing.T) {
	frames, before := simFrames(t, 1200)
	for _, tc := range countsAnew {
		from := before + tc.from
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &relayPlayer{log: slog.New(slog.DiscardHandler), from: place.Place{Kind: place.Seq, Seq: from + 1}}
				o.seen = follow.New(o.begin(0), 0, o.log)
				defer o.seen.Close()
				var closed error
				yielded := 0
				playChunk(t, o.seen.Enter, frames, &closed, func(c *event.Chunk) {
					if !o.chunk(t.Context(), c, func(piece, error) bool { yielded++; return true }) {
						t.Fatal("it ended")
					}
				})
				_, err := o.resume()
				if tc.restarted != (fault.ClassOf(err) == fault.Cursor && err != nil) || tc.restarted != (closed != nil) {
					t.Errorf("closed with %v; resume: %v", closed, err)
				}
				if want := above(frames, from); yielded != want {
					t.Errorf("%d events were played, want %d", yielded, want)
				}
			})
		})
	}
}

// above counts the frames behind a seq.
func above(frames []event.Frame, seq event.Seq) (n int) {
	for _, f := range frames {
		if at, ok := frame.PeekSeq(f.Data); ok && at > seq {
			n++
		}
	}
	return n
}

// playChunk hands frames over as one connection's, and waits longer than the judge's
// patience.
func playChunk(t *testing.T, enter func(*event.Chunk), frames []event.Frame, closed *error, use func(*event.Chunk)) {
	t.Helper()
	chunk := &event.Chunk{Conn: 1, Arrived: time.Now(), Frames: frames, Hangup: func(err error) { *closed = err }}
	enter(chunk)
	use(chunk)
	time.Sleep(follow.StrayTime + time.Second)
	synctest.Wait()
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
		app: &app{slog: slog.New(slog.NewTextHandler(log, nil))}, cfg: &config.Config{},
		tailPlan: &tailPlan{relay: true, match: match, since: place.Place{Kind: place.Seq, Seq: from + 1}},
		out:      lines,
		render:   func(*output.Event) error { return lines.WriteByte('\n') },
	}
	r = &tailRelay{tailRun: run}
	r.start(false)
	return r, new(error)
}
