package replay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/replay"
)

// A stream takes entries, goes on behind its own cursor and refuses what nobody asked
// for; what is in it can be played again.
func TestStreamIsAppendedToAndPlayed(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	frames, seqs := simulated(t, 60)
	to := replay.StreamConfig{Connection: conn.Connection{URL: server.URL()}, StreamKey: "copy", Source: "a", LiveCursor: keyspace.DefaultCursor}
	entries := replay.Options{Selection: replay.Selection{Entries: true}}

	target, err := replay.AppendTo(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	first, err := replay.Run(t.Context(), &memory{frames: frames[:30], end: errFull}, target, entries)
	if !errors.Is(err, errFull) || first.Taken+first.NotTaken != 30 || first.Taken == 0 {
		t.Errorf("%d taken, %d not: %v", first.Taken, first.NotTaken, err)
	}

	if _, err := to.Check(t.Context()); fault.ClassOf(err) != fault.Conflict || !strings.Contains(fault.HintOf(err), fault.To("resume", "")) {
		t.Errorf("a run that does not resume: %v, hint %q", err, fault.HintOf(err))
	}
	to.Resume = true
	other := to
	other.Source = "b"
	if _, err := other.Check(t.Context()); fault.ClassOf(err) != fault.Cursor {
		t.Errorf("a run from another source: %v", err)
	}
	if after, err := to.Check(t.Context()); err != nil || after != first.Last {
		t.Errorf("it would go on behind %s, want %s: %v", after, first.Last, err)
	}

	if target, err = replay.AppendTo(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	from := &memory{frames: frames}
	second, err := replay.Run(t.Context(), from, target, entries)
	if err != nil || !second.Complete || from.asked != first.Last || second.First <= first.Last {
		t.Errorf("resumed behind %s with %s: %v", from.asked, second.First, err)
	}

	played := play(t, server.URL(), place.Place{}, place.Place{})
	if len(played) != int(first.Taken+second.Taken) || !slices.IsSorted(played) || played[0] != first.First || played[len(played)-1] != second.Last {
		t.Errorf("the stream has %d entries, %d were taken", len(played), first.Taken+second.Taken)
	}
	part := play(t, server.URL(), at(seqs[10]), at(seqs[39]))
	for _, seq := range part {
		if seq < seqs[10] || seq > seqs[39] {
			t.Errorf("seq %s is outside of the range", seq)
		}
	}
	if len(part) == 0 || len(part) >= len(played) {
		t.Errorf("the range has %d entries of %d", len(part), len(played))
	}
}

// play is the seqs of a range of the stream.
func play(t *testing.T, url string, from, until place.Place) []event.Seq {
	t.Helper()
	stream, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: url}, StreamKey: "copy"})
	if err != nil {
		t.Fatal(err)
	}
	source, err := replay.OpenStream(t.Context(), stream, from, until)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	to := &list{}
	if s, err := replay.Run(t.Context(), source, to, replay.Options{Selection: replay.Selection{From: from, Until: until}}); err != nil || !s.Complete {
		t.Fatalf("complete %v: %v", s.Complete, err)
	}
	return to.seqs
}
