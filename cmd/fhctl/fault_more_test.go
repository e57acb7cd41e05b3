package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// Fault table, Sentinel failover, there and back: two primaries die one after
// the other, each with writes that its replica never had.
func TestSentinelFailsOverTwice(t *testing.T) {
	nightly(t)
	t.Parallel()
	tr := newTrial(t)
	first, second := tr.server, tr.behindSentinel()
	tr.run()
	tr.flow(200)
	tr.caughtUp(second)
	second.Do("replicaof", "127.0.0.1", "1")
	tr.acknowledged(200)
	tr.failOver(second)
	tr.flow(100)
	tr.alarmed("redis_rollback")

	first.Restart() // empty, and for a moment a primary
	host, port, _ := strings.Cut(second.Addr(), ":")
	first.Do("replicaof", host, port)
	tr.caughtUp(first)
	time.Sleep(11 * time.Second) // Sentinel fails over again after twice its timeout only
	tr.flow(100)
	tr.caughtUp(first)
	first.Do("replicaof", "127.0.0.1", "1")
	tr.acknowledged(200)
	tr.failOver(first)
	tr.flow(100)
	tr.alarmed("redis_rollback")
	tr.finish()
}

// A run that begins in the middle of a failover waits for it: through Sentinel
// a replica is no mistake of an operator's.
func TestStartDuringSentinelFailover(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	replica := tr.behindSentinel()
	tr.server.Do("replicaof", "127.0.0.1", "1") // demoted, and Sentinel still names it
	tr.run()
	tr.p.says("Redis is not available; waiting", time.Minute)
	tr.failOver(replica)
	tr.flow(100)
	tr.finish()
}

// Fault table, NOREPLICAS from a replica that died: with min-replicas-to-write
// a primary that is alone takes nothing, so nothing can be lost with it.
func TestPrimaryAloneTakesNothing(t *testing.T) {
	nightly(t)
	t.Parallel()
	tr := newTrial(t, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "1")
	replica := redistest.StartReplica(t, tr.server.Addr())
	tr.run()
	tr.flow(200)
	replica.Kill()
	tr.open(200)
	tr.failed("noreplicas")
	replica.Restart()
	tr.stored()
	tr.finish()
}

// Fault table, Redis stalled: for longer than the command timeout, twice.
func TestRedisPausedForEightSeconds(t *testing.T) {
	nightly(t)
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	for range 2 {
		tr.server.Pause()
		tr.open(200)
		time.Sleep(8 * time.Second)
		tr.server.Continue()
		tr.stored()
		tr.failed("timeout")
	}
	tr.finish()
}

// Fault table, OutdatedCursor: the relay forgot what lay behind the cursor, and
// says so, or in silence sends what is far later. The gap is counted, whether the
// process went on or was started anew, and reading goes on. Numbers that jump while
// no time passes are no gap.
func TestRelayForgotWhatWasNext(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	for name, c := range map[string]struct {
		silent, restart bool
		later           time.Duration
		alarms          string
	}{
		"told":                      {alarms: "1"},
		"silent":                    {silent: true, later: time.Hour, alarms: "1"},
		"silent, across a restart":  {silent: true, restart: true, later: time.Hour, alarms: "1"},
		"a jump, but soon":          {silent: true, later: time.Minute, alarms: "0"},
		"a jump soon after a start": {silent: true, restart: true, later: time.Minute, alarms: "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, log := redistest.Start(t), relayserver.NewMemoryLog(50)
			add := func(first, last event.Seq, later time.Duration) {
				for seq := first; seq <= last; seq++ {
					if err := log.Append(seq, identityFrameAt(t, seq, sentAt.Add(later))); err != nil {
						t.Fatal(err)
					}
				}
			}
			add(1, 40, 0)
			relay, err := relayserver.Start(relayserver.Config{Log: log, OutdatedIsSilent: c.silent})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(relay.Close)
			line := redistest.NewProxy(t, strings.TrimPrefix(relay.URL(), "ws://"))
			env := environment("ws://"+line.Addr(), server.URL())
			p := start(t, env, "ingest", "--from=oldest")
			eventually(t, time.Minute, func() error { return reached(t, server, 40) })
			line.Refuse(true)
			line.Cut()
			if c.restart {
				p.signal(syscall.SIGTERM)
				p.mustExit(0, 10*time.Second)
				p = start(t, env, "ingest", "--from=oldest")
			}
			add(41, 200, c.later)
			line.Refuse(false)
			eventually(t, time.Minute, func() error { return reached(t, server, 200) })
			if got := p.metric(`fhctl_alarms_total{alarm="relay_window_exceeded"}`); got != c.alarms {
				t.Errorf("%s alarms, want %s:\n%s", got, c.alarms, lastOf(p.output()))
			}
			if n := server.Do("xlen", "firehose:events"); n != int64(40+50) {
				t.Errorf("%v entries, want 40 and the 50 that the relay still had", n)
			}
		})
	}
}

// Fault table, different filters: a second run with other filters is refused
// and leaves the first alone.
func TestOtherFiltersAreRefused(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(100)
	first := tr.p
	tr.run("--collection", "app.bsky.feed.post")
	tr.p.mustExit(6, time.Minute)
	tr.p.says("hint: ", 0)
	tr.p = first
	tr.finish()
}
