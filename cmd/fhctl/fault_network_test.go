package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// throughProxy puts a proxy before the relay as well; call it before run.
func (tr *trial) throughProxy() *redistest.Proxy {
	tr.Helper()
	if tr.line == nil {
		tr.line = redistest.NewProxy(tr.T, strings.TrimPrefix(tr.relay.URL(), "ws://"))
	}
	return tr.line
}

// tearRelay ends the relay's next long message in the middle, once.
func (tr *trial) tearRelay() {
	torn := false
	tr.line.Meddle(func(replies bool, n int) redistest.Fate {
		if !replies || torn || n < 4000 {
			return redistest.Fate{}
		}
		torn = true
		return redistest.Fate{Cut: true, Keep: n / 2}
	})
}

// Fault table, relay cut mid-frame: at any byte, again and again.
func TestRelayCutAtRandomBytes(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	line := tr.throughProxy()
	tr.run()
	tr.flow(100)
	rng := rand.New(rand.NewPCG(8, 8))
	for range 5 {
		cut := false
		line.Meddle(func(replies bool, n int) redistest.Fate {
			if !replies || cut || n < 500 {
				return redistest.Fate{}
			}
			cut = true
			return redistest.Fate{Cut: true, Keep: rng.IntN(n)}
		})
		tr.flow(200)
		tr.hungUp("eof")
	}
	tr.finish()
}

// Fault table, half-open TCP: packets are dropped and nothing is closed. The
// idle timeout ends such a relay connection, the command timeout such a Redis
// connection.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	line := tr.throughProxy()
	tr.env = []string{"FHCTL_IDLE_TIMEOUT=1s"}
	tr.run()
	tr.flow(100)
	line.Freeze()
	tr.open(100)
	tr.hungUp("idle")
	tr.stored()
	tr.proxy.Freeze()
	tr.open(100)
	tr.failed("timeout")
	tr.stored()
	tr.finish()
}

// Fault table, DNS and TLS failure: said, counted, and tried again ever more
// slowly.
func TestRelayOutOfReachBacksOff(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	for cause, url := range map[string]string{
		"dial_dns":     "wss://relay.invalid",
		"dial_refused": "ws://127.0.0.1:1",
		"tls":          strings.Replace(tr.relay.URL(), "ws://", "wss://", 1), // it speaks no TLS
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			p := start(t, environment(url, tr.server.URL()), "ingest")
			p.backsOff(cause, 3)
		})
	}
}

// backsOff waits for n failures of one cause and checks that each wait is at
// least half of what doubling asks for.
func (p *program) backsOff(cause string, n int) {
	p.t.Helper()
	var delays []time.Duration
	eventually(p.t, time.Minute, func() error {
		delays = delays[:0]
		for line := range strings.Lines(p.output()) {
			var said struct{ Cause, Delay string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Cause == cause {
				d, _ := time.ParseDuration(said.Delay)
				delays = append(delays, d)
			}
		}
		if len(delays) < n {
			return fmt.Errorf("%d failures of cause %s, want %d:\n%s", len(delays), cause, n, lastOf(p.output()))
		}
		return nil
	})
	for i, d := range delays[:n] {
		if least := time.Second << i / 2; d < least {
			p.t.Errorf("attempt %d is followed by a wait of %v, want at least %v", i+1, d, least)
		}
	}
}

// Fault table, 429 and 5xx: backed off, with what Retry-After asks for.
func TestRelayRefusesWithHTTP(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(100)
	for _, status := range []int{429, 503, 502} {
		tr.relay.Refuse(status, "1")
	}
	tr.relay.Disconnect(0)
	tr.open(100)
	tr.undialled("http_429")
	tr.undialled("http_5xx")
	tr.undialled("http_5xx")
	tr.stored()
	tr.finish()
	for line := range strings.Lines(tr.p.output()) {
		var said struct{ Cause, Delay string }
		if json.Unmarshal([]byte(line), &said) == nil && strings.HasPrefix(said.Cause, "http_") {
			if d, _ := time.ParseDuration(said.Delay); d < time.Second {
				t.Errorf("cause %s is followed by a wait of %v: the relay asked for a second", said.Cause, d)
			}
		}
	}
}

// Fault table, Redis out of reach by DNS: said and waited for.
func TestRedisNameUnknown(t *testing.T) {
	t.Parallel()
	p := start(t, environment("ws://127.0.0.1:1", "redis://redis.invalid:6379"), "ingest")
	p.says(`"cause":"dns"`, time.Minute)
	p.counts(`fhctl_store_failures_total{cause="dns"}`, 2)
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
}

// counts waits until a counter has reached n.
func (p *program) counts(name string, n float64) {
	p.t.Helper()
	eventually(p.t, time.Minute, func() error {
		if got, _ := strconv.ParseFloat(p.metric(name), 64); got >= n {
			return nil
		}
		return fmt.Errorf("%s is %q, want %v:\n%s", name, p.metric(name), n, lastOf(p.output()))
	})
}

// Fault table, clock jump: a Redis whose clock was a century ahead and is right
// again. XSETID leaves the stream as such a clock would. Ids rise all the same.
func TestRedisClockJumpsBack(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(100)
	ahead := time.Now().AddDate(100, 0, 0).UnixMilli()
	tr.server.Do("xsetid", "firehose:events", fmt.Sprintf("%d-7", ahead))
	tr.flow(100)
	tr.finish()
	newest, err := tr.server.Client().XRevRangeN(t.Context(), "firehose:events", "+", "-", 1).Result()
	if err != nil || len(newest) != 1 || !strings.HasPrefix(newest[0].ID, fmt.Sprint(ahead)+"-") {
		t.Errorf("the newest id is %v (%v), want one of the century ahead", newest, err)
	}
}

// Fault table, clock jump: Redis's clock is set back by an hour as the leader
// hangs, so that its lease ends an hour too late; set forward while another leads,
// its lease ends at once. Who stands by goes by its own clock, and the stream is
// exact. An expiry is moved as the clock would move it.
func TestRedisClockJumpsAroundALeadersDeath(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	const lease = "firehose:python_cursor:lease"
	tr.run()
	tr.acknowledged(100)
	first := tr.p
	tr.run()
	second := tr.p
	second.says("Standing by", time.Minute)
	first.signal(redistest.SignalStop) // not dead, so that nobody can look
	tr.server.Do("pexpire", lease, 3_600_000)
	tr.open(100)
	second.says(`"msg":"Leading"`, time.Minute)
	tr.stored()

	first.signal(redistest.SignalContinue)
	eventually(t, time.Minute, func() error {
		tr.server.Do("pexpire", lease, 0) // until the first comes between
		if first.metric("fhctl_leader") != "1" {
			return fmt.Errorf("the first does not lead:\n%s", lastOf(first.output()))
		}
		return nil
	})
	tr.flow(100)
	for _, p := range []*program{second, first} {
		tr.p = p
		tr.flow(50)
		p.signal(syscall.SIGTERM)
		p.mustExit(0, 10*time.Second)
	}
	tr.sound()
}
