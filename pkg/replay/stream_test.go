package replay_test

import (
	"context"
	"errors"
	"iter"
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
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
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

// pieces is a source of just these.
type pieces []replay.Piece

func (p pieces) Pieces(context.Context, event.Seq) iter.Seq2[replay.Piece, error] {
	return func(yield func(replay.Piece, error) bool) {
		for _, piece := range p {
			if !yield(piece, nil) {
				return
			}
		}
	}
}

func (pieces) Nature() replay.Nature { return replay.Nature{Rising: true} }
func (pieces) State() replay.State   { return replay.State{Done: -1} }
func (pieces) Close() error          { return nil }

// G1, G2: where a source goes back, a stream goes back as well: what it holds already is
// not stored a second time, and all else is stored.
func TestStreamGoesBackWithItsSource(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		server, err := embedded.Start("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		var source pieces
		add := func(first, last event.Seq) {
			for seq := first; seq <= last; seq++ {
				source = append(source, replay.Piece{Frame: relaytest.Identity(seq)})
			}
		}
		add(1, 200)
		add(290, 291) // false, and stored
		source = append(source, replay.Piece{Back: 200})
		add(201, 400)
		target, err := replay.AppendTo(t.Context(), replay.StreamConfig{Connection: conn.Connection{URL: server.URL()}, StreamKey: "copy", Partitions: partitions, Source: "a", LiveCursor: keyspace.DefaultCursor})
		if err != nil {
			t.Fatal(err)
		}
		s, err := replay.Run(t.Context(), source, target, replay.Options{Selection: replay.Selection{Entries: true}})
		if err != nil || !s.Complete || s.Taken != 400 || s.Repeats != 2 {
			t.Errorf("%d taken, %d repeats, complete %v: %v", s.Taken, s.Repeats, s.Complete, err)
		}
		stream, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: server.URL()}, StreamKey: "copy", Partitions: partitions})
		if err != nil {
			t.Fatal(err)
		}
		back, err := replay.OpenStream(t.Context(), stream, place.Place{}, place.Place{})
		if err != nil {
			t.Fatal(err)
		}
		to := &list{}
		if _, err := replay.Run(t.Context(), back, to, replay.Options{}); err != nil {
			t.Fatal(err)
		}
		_ = back.Close()
		slices.Sort(to.seqs)
		if len(to.seqs) != 400 || to.seqs[0] != 1 || to.seqs[399] != 400 || len(slices.Compact(to.seqs)) != 400 {
			t.Errorf("%d partitions hold %d entries", partitions, len(to.seqs))
		}
	}
}

// A log that is served only rises: what lies below is not taken.
func TestServedLogDoesNotGoBack(t *testing.T) {
	log := relayserver.NewMemoryLog(0)
	source := pieces{{Frame: relaytest.Identity(5)}, {Back: 1}, {Frame: relaytest.Identity(2)}, {Frame: relaytest.Identity(6)}}
	s, err := replay.Run(t.Context(), source, replay.NewLogTarget(log), replay.Options{})
	if err != nil || s.Taken != 2 || s.NotTaken != 1 {
		t.Errorf("%d taken, %d not: %v", s.Taken, s.NotTaken, err)
	}
}
