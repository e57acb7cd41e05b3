package main

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// G1, G2, G3 under every fault a relay can commit: 20,000 events, each once and
// in order, equal to what the frames say, the cursor at the last one.
func TestIngestIsExactUnderRelayFaults(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 20_000)
	server := redistest.Start(t)
	const faults = "drop@900,cut@2100,repeat@3000:40,regress@4000:25,text@5000,garbage@6000,empty@7000," +
		"unknown@8000,info@9000:Hello,error@10000:ConsumerTooSlow,close@11000:1000,close@12000:1012,reset@13000," +
		"leap@9500,leap@9501:1000000000,time@9600:2262-04-11T23:47:16Z,time@9700:0001-01-01T00:00:00Z," +
		"stall@14000:1500ms,http@15000:502,http@15000:429/1,oversize@16000,repeat@17000:500"
	relay := c.serve(t, faults, slow(8000))
	p := start(t, append(environment(relay.URL(), server.URL()), "FHCTL_IDLE_TIMEOUT=1s"), "ingest", "--from=oldest", until(c.last))
	p.mustExit(0, 2*time.Minute)
	c.check(t, server.Client(), c.last)
	wantInjected(t, relay, faults)
	p.says("Connected to firehose successfully", 0)
	p.says(`"msg":"Ready"`, 0)
	p.says("Processed 1,000 events (~", 0)
}

// Skipped seqs are the relay's right: what it sent is there, in order.
func TestIngestInclusiveReplayIsExact(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 3000)
	server := redistest.Start(t)
	relay := c.serve(t, "drop%400", inclusive)
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest", until(c.last))
	p.mustExit(0, time.Minute)
	c.check(t, server.Client(), c.last)
	if n := relay.Injected()["drop"]; n < 3 {
		t.Errorf("the connection was dropped only %d times", n)
	}
}

// G2: kill -9 at random under load, restarted with the same words. Each run may
// store some events first, so that the test ends however slow the machine is.
func TestIngestKilledAtRandomIsExact(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 12_000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(6000))
	env := environment(relay.URL(), server.URL())
	rng := rand.New(rand.NewPCG(3, 9))
	for upto := c.first; ; {
		p := start(t, env, "ingest", "--from=oldest", until(c.last))
		upto += event.Seq(300 + rng.IntN(2000))
		if upto >= c.last {
			p.mustExit(0, time.Minute)
			c.check(t, server.Client(), c.last)
			return
		}
		eventually(t, time.Minute, func() error { return reached(t, server, upto) })
		p.kill()
		upto = cursorOf(t, server.Client())
	}
}

// The same for Redis, which writes an append-only file.
func TestRedisKilledAtRandomIsExact(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	c := newCorpus(t, 12_000)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	relay := c.serve(t, "", slow(3000))
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest", until(c.last))
	p.says(`"msg":"Ready"`, 20*time.Second)
	for range 4 {
		upto := cursorOf(t, server.Client()) + 500
		eventually(t, time.Minute, func() error { return reached(t, server, upto) })
		server.Kill()
		server.Restart()
	}
	p.mustExit(0, 2*time.Minute)
	c.check(t, server.Client(), c.last)
}

// G4: a Redis that comes back without its last writes.
func TestRedisRolledBackIsExact(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	c := newCorpus(t, 9000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(3000))
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest", until(c.last))
	p.says("Processed 1,000 events", 20*time.Second)
	if err := server.Client().Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	p.says("Processed 3,000 events", 20*time.Second)
	server.Kill()
	server.Restart()
	p.mustExit(0, time.Minute)
	c.check(t, server.Client(), c.last)
	p.says("redis_rollback", 0)
}

// G6: SIGTERM under load stores what was read, tells the truth and exits 0.
func TestSIGTERMStopsCleanly(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 8000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(2000))
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest")
	p.says("Processed 1,000 events", 20*time.Second)
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
	c.check(t, server.Client(), cursorOf(t, server.Client()))
	status := server.Client().Get(t.Context(), "firehose:status").Val()
	if !contains(status, `"connected":false`) {
		t.Errorf("status after the stop: %s", status)
	}
}

// G6 with a Redis that does not answer: still within ten seconds, and nothing
// is lost by it.
func TestSIGTERMWhileRedisHangs(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	t.Run("one stream", func(t *testing.T) {
		t.Parallel()
		stopWhileRedisHangs(t, 1, func(c *corpus, client *redis.Client) { c.check(t, client, c.last) })
	})
	t.Run("four partitions", func(t *testing.T) {
		t.Parallel()
		stopWhileRedisHangs(t, 4, func(c *corpus, client *redis.Client) { c.checkSet(t, client, 4, c.last) })
	})
}

func stopWhileRedisHangs(t *testing.T, partitions int, check func(*corpus, *redis.Client)) {
	c := newCorpus(t, 8000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(2000))
	env := partitioned(environment(relay.URL(), server.URL()), partitions)
	p := start(t, env, "ingest", "--from=oldest")
	p.says("Processed 1,000 events", 20*time.Second)
	server.Pause()
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
	server.Continue()
	p = start(t, env, "ingest", "--from=oldest", until(c.last))
	p.mustExit(0, time.Minute)
	check(c, server.Client())
}

// G2 with two writers on one stream, one of which dies: no duplicate, no gap.
func TestTwoWritersAreExact(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 9000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(3000))
	env := environment(relay.URL(), server.URL())
	first := start(t, env, "ingest", "--from=oldest")
	second := start(t, env, "ingest", "--from=oldest", until(c.last))
	// Either may be the one that appends; the other finds it present.
	eventually(t, time.Minute, func() error { return reached(t, server, c.first+2000) })
	first.kill()
	second.mustExit(0, time.Minute)
	c.check(t, server.Client(), c.last)
}
