package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// This file is the kit of the tests of docs/faults.md: the real program between
// a relay whose events the test lets through one stretch at a time and a real
// Redis behind a proxy. A test lets events pass, breaks something, lets more
// pass, waits until the fault was counted, repairs it, and at the end compares
// the stream with the relay's log. Nothing depends on the machine's speed.

// gate is a relay's log of which only the beginning has happened yet.
type gate struct {
	relayserver.Log
	mu      sync.Mutex
	upto    event.Seq
	changed chan struct{}
}

func newGate(log relayserver.Log) *gate { return &gate{Log: log, changed: make(chan struct{})} }

func (g *gate) open(upto event.Seq) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.upto = max(g.upto, upto)
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gate) state() (event.Seq, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.upto, g.changed
}

// Bounds implements relayserver.Log.
func (g *gate) Bounds() (oldest, newest event.Seq) {
	oldest, newest = g.Log.Bounds()
	upto, _ := g.state()
	return oldest, min(newest, upto)
}

// Next implements relayserver.Log.
func (g *gate) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	for {
		upto, changed := g.state()
		if after < upto {
			if seq, frame, err := g.Log.Next(ctx, after); err != nil || seq <= upto {
				return seq, frame, err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

// trialFrames is how many frames a trial has to let through.
const trialFrames = 3000

var shared struct {
	sync.Mutex
	c *corpus
}

// sharedCorpus is one log for all trials, which only read it.
func sharedCorpus(t *testing.T) *corpus {
	shared.Lock()
	defer shared.Unlock()
	if shared.c == nil {
		shared.c = newCorpus(t, trialFrames)
	}
	return shared.c
}

// trial is one run of the program under a fault.
type trial struct {
	*testing.T
	*corpus
	gate   *gate
	relay  *relayserver.Server
	server *redistest.Server
	proxy  *redistest.Proxy // before server
	line   *redistest.Proxy // before relay; nil without throughProxy
	url    string           // of Redis, for the program
	env    []string         // besides environment
	p      *program
	passed int                // entries let through
	seen   map[string]float64 // counters, see counted
}

// newTrial starts relay, Redis and proxy; run starts the program.
func newTrial(t *testing.T, redisArgs ...string) *trial {
	t.Helper()
	redistest.RequireReal(t)
	return newTrialWith(t, redistest.Start(t, redisArgs...))
}

// newTrialWith is newTrial with a Redis of the caller's.
func newTrialWith(t *testing.T, server *redistest.Server) *trial {
	t.Helper()
	tr := &trial{T: t, corpus: sharedCorpus(t), server: server}
	tr.gate = newGate(tr.log)
	relay, err := relayserver.Start(relayserver.Config{Log: tr.gate, PingEvery: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	tr.relay = relay
	tr.proxy = redistest.NewProxy(t, tr.server.Addr())
	tr.url = tr.proxy.URL()
	return tr
}

// shell.Run starts the program, again if need be.
func (tr *trial) run(args ...string) {
	tr.Helper()
	tr.seen = map[string]float64{}
	args = append([]string{"ingest", "--from=oldest"}, args...)
	relay := tr.relay.URL()
	if tr.line != nil {
		relay = "ws://" + tr.line.Addr()
	}
	tr.p = start(tr.T, append(environment(relay, tr.url), tr.env...), args...)
}

// Open lets the relay send n more entries, without waiting.
func (tr *trial) open(n int) {
	tr.Helper()
	if tr.passed += n; tr.passed > len(tr.want) {
		tr.Fatalf("a trial has only %d entries", len(tr.want))
	}
	tr.gate.open(tr.now())
}

// now is the seq of the last entry that was let through.
func (tr *trial) now() event.Seq { return tr.want[tr.passed-1].seq }

// flow lets n more entries through and waits until they are stored.
func (tr *trial) flow(n int) {
	tr.Helper()
	tr.open(n)
	tr.stored()
}

// replay.stored waits until everything let through is stored.
func (tr *trial) stored() {
	tr.Helper()
	upto := tr.now()
	eventually(tr.T, time.Minute, func() error {
		select {
		case <-tr.p.done:
			tr.Fatalf("the program ended:\n%s", lastOf(tr.p.output()))
		default:
		}
		client := tr.server.Client()
		defer client.Close()
		got, _ := event.ParseSeq(client.Get(tr.Context(), "firehose:python_cursor").Val())
		if got < upto {
			return fmt.Errorf("cursor %s, want %s:\n%s", got, upto, lastOf(tr.p.output()))
		}
		return nil
	})
}

// acknowledged lets n more entries through and waits until the program has heard
// that they are stored: what it has not heard of it cannot miss.
func (tr *trial) acknowledged(n int) {
	tr.Helper()
	tr.flow(n)
	tr.heard()
}

func (tr *trial) heard() {
	tr.Helper()
	eventually(tr.T, time.Minute, func() error {
		if got, _ := strconv.ParseFloat(tr.p.metric("fhctl_cursor_seq"), 64); got < float64(tr.now()) {
			return fmt.Errorf("the program has heard of %.0f, want %s", got, tr.now())
		}
		return nil
	})
}

// counted waits until a counter of the program is above what it was the last
// time: every fault shows.
func (tr *trial) counted(name string) {
	tr.Helper()
	eventually(tr.T, time.Minute, func() error {
		if n, _ := strconv.ParseFloat(tr.p.metric(name), 64); n > tr.seen[name] {
			tr.seen[name] = n
			return nil
		}
		return fmt.Errorf("%s is %q:\n%s", name, tr.p.metric(name), lastOf(tr.p.output()))
	})
}

func (tr *trial) failed(cause string) {
	tr.Helper()
	tr.counted(`fhctl_store_failures_total{cause="` + cause + `"}`)
}
func (tr *trial) alarmed(alarm string) {
	tr.Helper()
	tr.counted(`fhctl_alarms_total{alarm="` + alarm + `"}`)
}
func (tr *trial) undialled(word string) {
	tr.Helper()
	tr.counted(`fhctl_relay_dial_failures_total{cause="` + word + `"}`)
}
func (tr *trial) hungUp(word string) {
	tr.Helper()
	tr.counted(`fhctl_relay_disconnects_total{cause="` + word + `"}`)
}

// finish lets some more through, stops the program and judges: the stream is
// the relay's log, and fhctl verify finds nothing in it.
func (tr *trial) finish() {
	tr.Helper()
	tr.flow(50)
	tr.p.signal(syscall.SIGTERM)
	tr.p.mustExit(0, 10*time.Second)
	tr.sound()
}

// sound compares stream and log and lets the program itself look.
func (tr *trial) sound() {
	tr.Helper()
	tr.check(tr.T, tr.server.Client(), tr.now())
	if out, errs, code := verified(tr.T, tr.server.URL()); code != 0 {
		tr.Fatalf("fhctl verify exits %d:\n%s%s", code, lastOf(out), lastOf(errs))
	}
}

// nightly skips what takes too long for every run.
func nightly(t *testing.T) {
	t.Helper()
	if os.Getenv("FHCTL_NIGHTLY") == "" {
		t.Skip("takes long: set FHCTL_NIGHTLY=1")
	}
}
