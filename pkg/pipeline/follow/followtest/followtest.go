package followtest

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/sim"
)

// SimFrames are the first n frames of a simulator, and the seq before them.
func SimFrames(t *testing.T, n int) (frames []event.Frame, before event.Seq) {
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

// CountsAnew are relays whose numbers say little by themselves: reading begins behind
// from, seen from the seq before the first frame.
var CountsAnew = []struct {
	Name      string
	From      event.Seq
	Restarted bool
}{
	{"numbers far below the position", 1_000_000, true},
	{"the position is ignored", 1190, false},
}

// Above counts the frames behind a seq.
func Above(frames []event.Frame, seq event.Seq) (n int) {
	for _, f := range frames {
		if at, ok := frame.PeekSeq(f.Data); ok && at > seq {
			n++
		}
	}
	return n
}

// Playing is a relay that sends these frames on each connection, whatever is asked for.
func Playing(frames []event.Frame) follow.Open {
	return ScriptedFrames(func(_ int, _ event.Position, send func(...[]byte) bool) {
		var all [][]byte
		for _, f := range frames {
			all = append(all, f.Data)
		}
		send(all...)
	})
}
