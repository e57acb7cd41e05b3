package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

func seqsOf(t *testing.T, client *redis.Client) (seqs []event.Seq) {
	t.Helper()
	rows, err := client.XRange(t.Context(), "firehose:events", "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		seq, _ := event.ParseSeq(fmt.Sprint(row.Values["seq"]))
		seqs = append(seqs, seq)
	}
	return seqs
}

// TestCursorSetMovesARunningIngest: refused without --force, noticed with it;
// what lies behind the new place is stored once more, in order, to the end
// (G2). A stopped ingest is in nobody's way at once.
func TestCursorSetMovesARunningIngest(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 3000)
	server := redistest.Start(t)
	client := server.Client()
	gate := newGate(c.log) // events keep coming, and there are always some left
	relay := c.serve(t, "", slow(1500), func(cfg *relayserver.Config) { cfg.Log = gate })
	env := environment(relay.URL(), server.URL())
	gate.open(c.want[2499].seq)
	ingest := start(t, env, "ingest", "--from=oldest")
	eventually(t, 20*time.Second, func() error {
		if n := client.XLen(t.Context(), "firehose:events").Val(); n < 1000 {
			return fmt.Errorf("%d entries", n)
		}
		return nil
	})
	back := c.want[499].seq
	start(t, env, "cursor", "set", back.String(), "--yes").mustExit(7, 10*time.Second)
	start(t, env, "cursor", "set", "live", "--yes", "--force").mustExit(7, 10*time.Second)
	start(t, env, "cursor", "set", back.String(), "--yes", "--force").mustExit(0, 10*time.Second)
	gate.open(c.last)
	ingest.says("cursor_conflict", 10*time.Second)
	eventually(t, 30*time.Second, func() error { return c.reached(t, server) })
	ingest.signal(syscall.SIGTERM)
	ingest.mustExit(0, 10*time.Second)

	times, moves := map[event.Seq]int{}, 0
	all := seqsOf(t, client)
	for i, seq := range all {
		times[seq]++
		if i > 0 && seq <= all[i-1] {
			moves++
			if seq != c.want[500].seq {
				t.Errorf("after the move comes %d, want %d", seq, c.want[500].seq)
			}
		}
	}
	for i, w := range c.want {
		if n := times[w.seq]; n < 1 || n > 2 || i < 500 && n != 1 {
			t.Fatalf("seq %d is stored %d times", w.seq, n)
		}
	}
	if moves != 1 {
		t.Errorf("the seqs go back %d times", moves)
	}
	start(t, env, "cursor", "set", "--undo", "--yes").mustExit(0, 10*time.Second)
	if got := cursorOf(t, client); got <= back || got >= c.last {
		t.Errorf("undone to %d", got)
	}
}

// TestCursorSetAdoptsWhatTheBridgeLeft: ingest refuses a cursor without owner
// on another relay than the bridge's, until an operator says whose it is.
func TestCursorSetAdoptsWhatTheBridgeLeft(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 300)
	server := redistest.Start(t)
	client := server.Client()
	relay := c.serve(t, "")
	env := environment(relay.URL(), server.URL())
	at := c.want[99].seq
	client.Set(t.Context(), "firehose:python_cursor", at.String(), 0)
	start(t, env, "ingest", until(c.last)).mustExit(6, 10*time.Second)
	host := strings.TrimPrefix(relay.URL(), "ws://")
	start(t, env, "cursor", "set", at.String(), "--yes").mustExit(6, 10*time.Second)
	start(t, env, "cursor", "set", at.String(), "--yes", "--relay", host).mustExit(0, 10*time.Second)
	start(t, env, "ingest", until(c.last)).mustExit(0, 20*time.Second)
	if got := seqsOf(t, client); len(got) != len(c.want)-100 || got[0] != c.want[100].seq {
		t.Errorf("%d entries, want %d", len(got), len(c.want)-100)
	}
}
