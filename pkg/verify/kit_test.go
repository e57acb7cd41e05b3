package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"testing"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/sim"
)

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
