package audit

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/sim"
	"github.com/fhctl/fhctl/pkg/verify"
)

const (
	key    = "firehose:events"
	cursor = "firehose:python_cursor"
	sound  = `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`
)

// add appends entries of an account with these seqs; the id is the seq's own second.
func add(server *redistest.Server, key string, seqs ...int) {
	for _, seq := range seqs {
		server.Do("XADD", key, fmt.Sprintf("%d-0", 1767323000000+1000*seq), "type", "account", "data", sound, "seq", seq)
	}
}

// open reads a stream of that many partitions.
func open(t *testing.T, server *redistest.Server, key string, partitions int) *reader.Reader {
	t.Helper()
	r, err := reader.Open(t.Context(), reader.Config{
		Connection: conn.Connection{URL: server.URL()}, StreamKey: key, CursorKey: cursor, Partitions: partitions,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// seqs is a range of seqs; 0 leaves an end open.
func seqs(from, to uint64) (s Stretch) {
	at := func(seq uint64) place.Place {
		if seq == 0 {
			return place.Place{}
		}
		return place.Place{Kind: place.Seq, Seq: event.Seq(seq), Text: fmt.Sprint(seq)}
	}
	return Stretch{From: at(from), To: at(to)}
}

// counts is how often each rule was found.
func counts(sum *Summary) map[verify.Rule]int64 {
	found := map[verify.Rule]int64{}
	for _, c := range sum.Rules {
		found[c.Rule] = c.Count
	}
	return found
}

// finds fails unless exactly these rules were found.
func finds(t *testing.T, what string, sum *Summary, err error, want map[verify.Rule]int64) {
	t.Helper()
	if err != nil || sum == nil {
		t.Fatalf("%s: %+v, %v", what, sum, err)
	}
	if got := counts(sum); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: found %v, want %v", what, got, want)
	}
}

// recording is a capture of n simulated events, and at its end the frame of that index
// once more; -1 repeats none.
func recording(t *testing.T, n, again int) (path string) {
	t.Helper()
	traffic, err := sim.New(sim.Config{Count: int64(n), Backlog: -1, Seed: 3, Accounts: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = traffic.Close() }()
	path = filepath.Join(t.TempDir(), "run.fhz")
	w, err := capture.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for after := event.Seq(0); len(frames) < n; {
		seq, data, err := traffic.Next(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		frames, after = append(frames, data), seq
	}
	if again >= 0 {
		frames = append(frames, frames[again])
	}
	for _, data := range frames {
		if err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// partitionOf is where an entry with this data belongs.
func partitionOf(data string, n int) int {
	var o entry.Outline
	if err := o.Read(data); err != nil {
		panic(err)
	}
	return entry.PartitionOf(o.DID, n)
}

// logged is a logger, and what it was told.
func logged() (*slog.Logger, func() string) {
	var text strings.Builder
	return slog.New(slog.NewTextHandler(&text, nil)), text.String
}
