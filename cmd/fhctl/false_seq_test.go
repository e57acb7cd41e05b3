package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// falseSeqs are faults of a relay that holds 400 events: one false number in the midst, as
// the first event or before the last, alone, before a cut or before silence. Package follow
// tries all of them with all distances.
var falseSeqs = []string{
	"ahead@200:3", "ahead@1:3,drop@1", "ahead@400:3,stall@400:3s",
	"leap@1:900", "leap@200:900,drop@200", "leap@400:900",
	"leap@200:20000,stall@200:3s", "leap@1:1000000000", "leap@400:1000000000,drop@400", "leap@1", "leap@1:20000,stall@1:3s",
}

// numbered is a relay of events 1 to n.
func numbered(t *testing.T, n event.Seq, faults string) *relayserver.Server {
	return relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, n), Faults: relaytest.Faults(t, faults)})
}

func upTo(n event.Seq) (seqs []event.Seq) {
	for seq := event.Seq(1); seq <= n; seq++ {
		seqs = append(seqs, seq)
	}
	return seqs
}

// G1, Q1: one frame with a false number, wherever it comes, is not shown, and every true
// event is, once and in order.
func TestTailShowsNoFalseSeq(t *testing.T) {
	t.Parallel()
	const n = 400
	for _, faults := range falseSeqs {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			relay := numbered(t, n, faults)
			out := fhctl(t, 0, []string{"RELAY_URL=" + relay.URL()}, "tail", "--source", "relay", "--since", "oldest", "--limit", fmt.Sprint(n), "--timeout", "1m")
			if seqs, _ := shown(t, out); !slices.Equal(seqs, upTo(n)) {
				t.Errorf("shown are %d events: %v", len(seqs), seqs)
			}
		})
	}
}

// The same of a recording, and of a stream that a relay is replayed into.
func TestReplayTakesNoFalseSeq(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	const n = 400
	for _, faults := range falseSeqs {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			env := environment(numbered(t, n, faults).URL(), server.URL())
			start(t, env, "replay", "relay", "stream", "--from", "oldest", "--to-stream", "copy", "--limit", fmt.Sprint(n)).mustExit(0, time.Minute)
			wantSeqs(t, copied(t, server, "copy"), upTo(n))
			if at := server.Client().Get(t.Context(), "copy:replay-cursor").Val(); at != fmt.Sprint(n) {
				t.Errorf("the cursor is %s", at)
			}

			path := filepath.Join(t.TempDir(), "run.fhz")
			env = environment(numbered(t, n, faults).URL(), "redis://127.0.0.1:1")
			start(t, env, "record", "--from", "oldest", "--limit", fmt.Sprint(n), path).mustExit(0, time.Minute)
			var got []event.Seq
			for _, frame := range frames(t, path) {
				got = append(got, relaytest.Seq([]byte(frame)))
			}
			wantSeqs(t, got, upTo(n))
		})
	}
}

// Two false numbers in a row confirm each other. They are stored, and so is every true
// event, behind them.
func TestReplayStoresTrueEventsBehindFalseOnes(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	const n = 1200
	for _, parts := range []string{"1", "3"} {
		t.Run(parts, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			relay := numbered(t, n, "leap@200:900,leap@200:901")
			env := environment(relay.URL(), server.URL())
			start(t, env, "replay", "relay", "stream", "--from", "oldest", "--to-stream", "copy", "--to", fmt.Sprint(n), "--to-partitions", parts).mustExit(0, time.Minute)
			var got []event.Seq
			for _, key := range server.Client().Keys(t.Context(), "*copy*").Val() {
				if server.Client().Type(t.Context(), key).Val() == "stream" {
					got = append(got, copied(t, server, key)...)
				}
			}
			slices.Sort(got)
			if missing := slices.DeleteFunc(upTo(n), func(s event.Seq) bool { _, ok := slices.BinarySearch(got, s); return ok }); len(missing) > 0 {
				t.Errorf("of %d stored, missing are %v", len(got), missing)
			}
		})
	}
}

func copied(t *testing.T, server *redistest.Server, key string) (seqs []event.Seq) {
	t.Helper()
	for _, message := range server.Client().XRange(t.Context(), key, "-", "+").Val() {
		seq, _ := event.ParseSeq(fmt.Sprint(message.Values["seq"]))
		seqs = append(seqs, seq)
	}
	return seqs
}

func wantSeqs(t *testing.T, got, want []event.Seq) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%d events, want %d: %v", len(got), len(want), got)
	}
}
