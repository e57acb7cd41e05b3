package bench

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/sim"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

func TestMain(m *testing.M) {
	if os.Getenv("FHCTL_TESTDATA") == "" {
		os.Setenv("FHCTL_TESTDATA", "../../../../shared/testdata")
	}
	os.Exit(m.Run())
}

// corpora are the frames to measure with: recorded ones where they are at hand,
// and the simulator's.
func corpora(tb testing.TB) map[string][][]byte {
	tb.Helper()
	found := map[string][][]byte{"sim": simulated(tb, 500)}
	if _, ok := thirdparty.Find("firehose", "frames.bin.zst"); ok {
		found["real"] = commits(thirdparty.Frames(tb))
	}
	return found
}

func simulated(tb testing.TB, n int) [][]byte {
	tb.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	var frames [][]byte
	var seq event.Seq
	for len(frames) < n {
		next, data, err := s.Next(context.Background(), seq)
		if err != nil {
			tb.Fatal(err)
		}
		frames, seq = append(frames, append([]byte(nil), data...)), next
	}
	return commits(frames)
}

// commits are those whose every op all peers can read: sound and with a record
// for each op but deletes.
func commits(frames [][]byte) (sound [][]byte) {
	var d frame.Decoder
	var ev event.Event
	for _, f := range frames {
		if d.Decode(f, &ev) != nil || ev.Kind != event.KindCommit {
			continue
		}
		whole := true
		for i := range ev.Commit.Ops {
			whole = whole && ev.Commit.Ops[i].Skip == 0
		}
		if _, err := Indigo(f); err == nil && whole {
			sound = append(sound, f)
		}
	}
	return sound
}

// variants decode one frame each way and give the entry.
func variants() map[string]func(f []byte) ([]byte, error) {
	var d frame.Decoder
	var ev event.Event
	var bare Bare
	var ours, theirs []byte
	return map[string]func([]byte) ([]byte, error){
		"fhctl": func(f []byte) ([]byte, error) {
			if err := d.Decode(f, &ev); err != nil {
				return nil, err
			}
			ours, _ = entry.Append(ours[:0], &ev)
			return ours, nil
		},
		"bare": func(f []byte) ([]byte, error) {
			theirs = bare.Append(theirs[:0], f)
			return theirs, nil
		},
		"indigo": Indigo,
		"naive":  Naive,
	}
}

// All ways give the same entries, or the comparison means nothing.
func TestPeersAgree(t *testing.T) {
	decode := variants()
	for name, frames := range corpora(t) {
		if len(frames) < 50 {
			t.Fatalf("%s: only %d commits", name, len(frames))
		}
		for i, f := range frames {
			var want any
			for _, peer := range []string{"fhctl", "bare", "indigo", "naive"} {
				got, err := decode[peer](f)
				var v any
				if err == nil {
					err = json.Unmarshal(got, &v)
				}
				if err != nil {
					t.Fatalf("%s %d: %s: %v", name, i, peer, err)
				}
				if want == nil {
					want = v
				}
				if !reflect.DeepEqual(v, want) {
					t.Fatalf("%s %d: %s gives\n%s\nnot as fhctl", name, i, peer, got)
				}
			}
		}
	}
}

// BenchmarkDecode decodes all frames each way in turn, once per iteration, and
// reports each way's best pass in frames/s and fhctl's ratio to it: the best
// pass is the one that the rest of the machine disturbed least.
func BenchmarkDecode(b *testing.B) {
	for name, frames := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			decode, best := variants(), map[string]time.Duration{}
			pass := func(peer string) {
				began := time.Now()
				for _, f := range frames {
					if _, err := decode[peer](f); err != nil {
						b.Fatal(err)
					}
				}
				if took := time.Since(began); best[peer] == 0 || took < best[peer] {
					best[peer] = took
				}
			}
			pass("fhctl") // grow its memory
			for b.Loop() {
				for peer := range decode {
					pass(peer)
				}
			}
			for peer, took := range best {
				b.ReportMetric(float64(len(frames))/took.Seconds(), peer+"-frames/s")
				if peer != "fhctl" {
					b.ReportMetric(float64(took)/float64(best["fhctl"]), "of-"+peer)
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
