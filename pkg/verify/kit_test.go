package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/sim"
)

// testdata finds a third-party file, which the repository does not hold.
func testdata(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("FHCTL_TESTDATA")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				t.Fatal("no go.mod above the test")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "testdata")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("third-party test data is missing: " + name)
	}
	return path
}

// realFrames are the recorded frames.
func realFrames(t testing.TB) [][]byte {
	t.Helper()
	r, err := capture.Open(testdata(t, "firehose/frames.bin.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frames [][]byte
	for data, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, slices.Clone(data))
	}
	return frames
}

// realDocuments is the file of DID documents, unpacked.
func realDocuments(t testing.TB) io.Reader {
	t.Helper()
	data, err := os.ReadFile(testdata(t, "firehose/did_docs.json.zst"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(plain))
}

// simFrames are n frames of the simulator, and its accounts' keys as a file.
func simFrames(t testing.TB, n int) (frames [][]byte, keys string) {
	t.Helper()
	s, err := sim.New(sim.Config{Count: int64(n), Seed: 7, Accounts: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	after := event.Seq(0)
	for range n {
		seq, data, err := s.Next(context.Background(), after)
		if err != nil {
			t.Fatal(err)
		}
		frames, after = append(frames, data), seq
	}
	text, err := json.Marshal(s.DIDDocuments())
	if err != nil {
		t.Fatal(err)
	}
	return frames, string(text)
}

// entries are what ingest stores of frames.
func entries(t testing.TB, frames [][]byte) (list []Entry) {
	t.Helper()
	var d frame.Decoder
	var ev event.Event
	for _, data := range frames {
		if err := d.Decode(data, &ev); err != nil {
			t.Fatal(err)
		}
		text, ok := entry.Append(nil, &ev)
		if !ok {
			continue
		}
		id := fmt.Sprintf("1700000000000-%d", len(list))
		list = append(list, Entry{ID: id, Fields: []string{"type", ev.Kind.String(), "data", string(text), "seq", ev.Seq.String()}})
	}
	return list
}

// listed runs a check over entries and returns what it found as
// "rule seq where".
func listed(t testing.TB, list []Entry, cfg Config, cursor func(*Stream)) (found []string, sum Summary) {
	t.Helper()
	cfg.Report = func(f Finding) { found = append(found, fmt.Sprintf("%s %d %s", f.Rule, f.Seq, f.Where)) }
	if cfg.Reread == nil {
		cfg.Reread = rereadOf(list)
	}
	s := NewStream(cfg)
	for _, e := range list {
		if err := s.Entry(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if cursor != nil {
		cursor(s)
	}
	sum = s.Close()
	return found, sum
}

// rereadOf reads the list again.
func rereadOf(list []Entry) func(context.Context, string, string) iter.Seq2[Mark, error] {
	return func(_ context.Context, from, to string) iter.Seq2[Mark, error] {
		return func(yield func(Mark, error) bool) {
			inside := false
			for _, e := range list {
				inside = inside || e.ID == from
				seq, _ := event.ParseSeq(e.Fields[len(e.Fields)-1])
				if inside && !yield(Mark{seq, e.ID}, nil) || e.ID == to {
					return
				}
			}
		}
	}
}
