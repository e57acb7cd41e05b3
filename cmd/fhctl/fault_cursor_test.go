package main

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// Fault table, cursor deleted: it comes back from the newest entry, never live,
// also when it goes while Redis is down for us.
func TestCursorDeleted(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	tr.server.Do("del", "firehose:python_cursor")
	tr.flow(100)
	tr.alarmed("cursor_missing")
	tr.proxy.Refuse(true)
	tr.proxy.Cut()
	tr.open(100)
	tr.failed("connection")
	tr.server.Do("del", "firehose:python_cursor")
	tr.proxy.Refuse(false)
	tr.stored()
	tr.alarmed("cursor_missing")
	tr.finish()
}

// Fault table, cursor evicted by a Redis that is allowed to: what was asked for
// with --allow-eviction still loses nothing.
func TestCursorEvicted(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--maxmemory-policy", "volatile-lru")
	tr.run("--allow-eviction")
	tr.flow(200)
	tr.server.Do("expire", "firehose:python_cursor", "1000") // what makes it a victim
	tr.server.Do("config", "set", "maxmemory", "1")
	eventually(t, time.Minute, func() error {
		if n := tr.server.Do("exists", "firehose:python_cursor"); n != int64(0) {
			return fmt.Errorf("the cursor is still there: %v", n)
		}
		return nil
	})
	tr.server.WaitInfo("stats", "evicted_keys:")
	tr.server.Do("config", "set", "maxmemory", "0")
	tr.flow(100)
	tr.alarmed("cursor_missing")
	tr.finish()
}

// Fault table, side key deleted or evicted alone: the run that wrote it a moment
// ago writes it again.
func TestSideKeyDeleted(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	tr.server.Do("del", "firehose:python_cursor:meta")
	tr.flow(100)
	tr.alarmed("cursor_missing")
	tr.finish()
	if n := tr.server.Do("exists", "firehose:python_cursor:meta"); n != int64(1) {
		t.Error("the side key did not come back")
	}
}

// Fault table, allkeys-lru: a Redis that may evict anything evicts the stream
// under the cursor, or everything. What nobody had acknowledged comes again.
func TestStreamEvicted(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--maxmemory-policy", "allkeys-lru")
	tr.run("--allow-eviction")
	tr.acknowledged(300)
	tr.server.Do("config", "set", "maxmemory", "1")
	eventually(t, time.Minute, func() error {
		if n := tr.server.Do("exists", "firehose:events"); n != int64(0) {
			return fmt.Errorf("the stream is still there: %v", n)
		}
		return nil
	})
	tr.server.Do("config", "set", "maxmemory", "0")
	tr.flow(100)
	tr.alarmed("cursor_missing")
	tr.finish()
}

// Fault table, stream deleted alone: noticed, and what nobody had acknowledged
// comes again.
func TestStreamDeleted(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.acknowledged(300)
	tr.server.Do("del", "firehose:events")
	tr.flow(100)
	tr.alarmed("cursor_missing")
	tr.finish()
}

// Fault table, cursor garbage or hash: the run stops with a hint and changes
// nothing.
func TestCursorGarbageStopsTheRun(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*trial){
		"garbage": do("set", "firehose:python_cursor", "12x"),
		"empty":   do("set", "firehose:python_cursor", ""),
		"huge":    do("set", "firehose:python_cursor", "99999999999999999999"),
		"hash": func(tr *trial) {
			tr.server.Do("del", "firehose:python_cursor")
			tr.server.Do("hset", "firehose:python_cursor", "a", "b")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t)
			tr.run()
			tr.flow(100)
			spoil(tr)
			before := tr.server.Do("dump", "firehose:python_cursor")
			tr.open(100)
			tr.p.mustExit(6, time.Minute)
			tr.p.says("hint: ", 0)
			if after := tr.server.Do("dump", "firehose:python_cursor"); after != before {
				t.Errorf("the cursor was changed")
			}
			if n := tr.server.Do("xlen", "firehose:events"); n != int64(100) {
				t.Errorf("%v entries, want 100", n)
			}
		})
	}
}

// Fault table, FLUSHALL: what not every group had acknowledged is read again.
func TestFlushAllGoesBackToTheUnacknowledged(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(300)
	tr.server.Do("xgroup", "create", "firehose:events", "workers", "0")
	tr.read("workers", 120)
	tr.floorKnown()
	tr.server.Do("flushall")
	tr.flow(100)
	tr.alarmed("cursor_missing")
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	tr.from(120)
}

// read lets a group take and acknowledge n entries.
func (tr *trial) read(group string, n int) {
	tr.Helper()
	client := tr.server.Client()
	rows, err := client.Do(tr.Context(), "xreadgroup", "group", group, "c", "count", n, "noack", "streams", "firehose:events", ">").Slice()
	if err != nil || len(rows) != 1 {
		tr.Fatalf("read %v: %v", rows, err)
	}
}

// floorKnown lets events pass until the program has asked the groups, which it
// does every two seconds at most.
func (tr *trial) floorKnown() {
	tr.Helper()
	asked := func() int {
		text, _ := tr.server.Do("info", "commandstats").(string)
		_, rest, _ := strings.Cut(text, "cmdstat_xinfo|groups:calls=")
		n := 0
		_, _ = fmt.Sscan(rest, &n)
		return n
	}
	before := asked()
	eventually(tr.T, time.Minute, func() error {
		tr.flow(1)
		if asked() > before {
			return nil
		}
		return fmt.Errorf("the groups were not asked since %d times", before)
	})
	tr.flow(1)
}

// from checks a stream that begins with the n-th entry of the log.
func (tr *trial) from(n int) {
	tr.Helper()
	whole := tr.corpus
	rest := *whole
	rest.want = whole.want[n:]
	rest.check(tr.T, tr.server.Client(), tr.now())
}

// set moves the cursor as an operator does.
func (tr *trial) set(to event.Seq, flags ...string) {
	tr.Helper()
	args := append([]string{"cursor", "set", to.String(), "--yes"}, flags...)
	start(tr.T, environment(tr.relay.URL(), tr.server.URL()), args...).mustExit(0, time.Minute)
}

// Fault table, operator rewinds while running: the batch finds itself ahead, and the
// events come again because that was asked for.
func TestOperatorRewindsWhileRunning(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(300)
	back := tr.want[199].seq
	tr.set(back, "--force")
	tr.flow(100)
	tr.alarmed("cursor_conflict")
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	var seqs []event.Seq
	for _, part := range [][]wanted{tr.want[:300], tr.want[200:400]} {
		for _, w := range part {
			seqs = append(seqs, w.seq)
		}
	}
	tr.holds(seqs)
}

// Holds compares the seqs of the whole stream.
func (tr *trial) holds(want []event.Seq) {
	tr.Helper()
	rows, err := tr.server.Client().XRange(tr.Context(), "firehose:events", "-", "+").Result()
	if err != nil {
		tr.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		got = append(got, fmt.Sprint(row.Values["seq"]))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		tr.Fatalf("the stream holds %d entries, want %d:\n%.2000v", len(got), len(want), got)
	}
}

// Fault table, operator sets ahead of the relay while running: reported and
// held, never silence; set back, everything is there.
func TestOperatorSetsAheadWhileRunning(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	tr.set(tr.last+1_000_000, "--force")
	quiet := tr.trickle() // a silent relay has nothing to compare with
	defer quiet()
	tr.alarmed("future_cursor")
	tr.p.says("Waiting for an operator", time.Minute)
	if got := tr.p.metric("fhctl_relay_held"); got != "1" {
		t.Errorf("fhctl_relay_held is %q", got)
	}
	tr.set(tr.want[199].seq) // who is held waits for that, and needs no --force
	quiet()
	tr.stored()
	tr.finish()
}

// Fault table, a stranger moves the cursor, as a bridge beside us does each time it
// saves its own: 40 ahead, then 40 back, again and again, then deleted and set. Each
// kind is told at once with its range, and the stream is exact.
func TestStrangerMovesTheCursorWhileRunning(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	move := func(by int) {
		tr.server.Do("set", "firehose:python_cursor", (tr.now() + event.Seq(by)).String())
	}
	move(40)
	tr.flow(10)
	tr.alarmed("cursor_conflict")
	tr.p.says("ahead from "+tr.want[199].seq.String()+" to "+(tr.want[199].seq+40).String(), 0)
	for range 20 {
		move(40)
		tr.flow(10)
	}
	for range 20 {
		move(-40)
		tr.flow(10)
	}
	tr.server.Do("del", "firehose:python_cursor")
	move(1)
	tr.flow(10)
	for _, name := range []string{`fhctl_foreign_cursor_moves_total{direction="ahead"}`, `fhctl_foreign_cursor_seqs_total{direction="back"}`} {
		tr.counted(name)
	}
	if n := tr.p.metric(`fhctl_alarms_total{alarm="redis_rollback"}`); n != "0" {
		t.Errorf("%s rollbacks of a Redis that lost nothing", n)
	}
	tr.finish()
}

// trickle lets entries through one by one until the function it returns is
// called.
func (tr *trial) trickle() (quiet func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tr.passed < len(tr.want)-100 {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				tr.open(1)
			}
		}
	}()
	return sync.OnceFunc(func() { close(stop); <-done })
}

// Fault table, NOGROUP: groups come and go, ingest does not care, and stats says
// that there is none.
func TestGroupDestroyed(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.server.Do("xgroup", "create", "firehose:events", "workers", "0", "mkstream")
	tr.run()
	tr.flow(200)
	tr.read("workers", 10)
	tr.server.Do("xgroup", "destroy", "firehose:events", "workers")
	tr.flow(200)
	tr.finish()
}
