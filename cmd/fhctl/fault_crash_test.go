package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// Fault table, daemon kill -9, at each point where it can lose or repeat
// something. The next run continues, and the stream is exact.
func TestDaemonKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	for point, reach := range map[string]func(*trial){
		"read": func(tr *trial) { // half a frame is in the buffer
			tr.tearRelay()
			tr.open(100)
			tr.hungUp("eof")
		},
		"decode": func(tr *trial) { // decoded and batched, and nothing is sent
			tr.proxy.Stall(true)
			tr.open(300)
			tr.waits("the events to be sent", func() bool { return tr.relay.Sent() >= 400 })
		},
		"send": func(tr *trial) { // half a batch reaches Redis
			torn := make(chan struct{}, 1)
			tr.proxy.Meddle(func(replies bool, n int) redistest.Fate {
				if replies || n < 8<<10 {
					return redistest.Fate{}
				}
				select {
				case torn <- struct{}{}:
				default:
				}
				return redistest.Fate{Cut: true, Keep: n / 2}
			})
			tr.open(300)
			<-torn
		},
		"applied, no reply": (*trial).unheard,
		"reply":             func(tr *trial) { tr.flow(100) },
		"drain": func(tr *trial) { // stopping, with batches that Redis does not take
			tr.proxy.Stall(true)
			tr.open(300)
			tr.waits("the events to be sent", func() bool { return tr.relay.Sent() >= 400 })
			tr.p.signal(syscall.SIGTERM)
			tr.waits("the relay's socket to be closed", func() bool { return tr.relay.Conns() == 0 })
		},
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t)
			tr.throughProxy()
			tr.run()
			tr.flow(100)
			reach(tr)
			tr.p.kill()
			tr.line.Meddle(nil)
			tr.proxy.Meddle(nil)
			tr.proxy.Stall(false)
			tr.run()
			tr.p.says(`"why":"saved cursor`, time.Minute)
			tr.finish()
		})
	}
}

// unheard lets entries through until some are applied whose reply was lost: they
// are stored, and the program cannot know. Only from a batch on are replies cut:
// a heartbeat that went unanswered before would keep the batch from being sent.
// It goes on until the proxy is told otherwise.
func (tr *trial) unheard() {
	tr.Helper()
	const batch = 8 << 10 // more than a script that is sent whole, except the one that stores
	sent, lost := false, new(atomic.Bool)
	tr.proxy.Meddle(func(replies bool, n int) redistest.Fate {
		sent = sent || !replies && n >= batch
		if replies && sent {
			lost.Store(true)
		}
		return redistest.Fate{Cut: replies && sent}
	})
	tr.open(100)
	tr.waits("entries to be applied unheard", func() bool {
		heard, _ := strconv.ParseFloat(tr.p.metric("fhctl_cursor_seq"), 64)
		stored := cursorOf(tr.T, tr.server.Client())
		if !lost.Load() && stored == tr.now() { // one by one, on a machine that slow
			tr.open(100)
		}
		return lost.Load() && float64(stored) > heard
	})
}

// waits until a condition holds.
func (tr *trial) waits(what string, ok func() bool) {
	tr.Helper()
	eventually(tr.T, time.Minute, func() error {
		if ok() {
			return nil
		}
		return fmt.Errorf("%s did not happen in time:\n%s", what, lastOf(tr.p.output()))
	})
}

// Fault table, reply lost: the batch is sent again and found present.
func TestReplyLost(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.env = append(tr.env, "FHCTL_DASHBOARD=false") // whose events are as large as a batch
	tr.run()
	tr.flow(100)
	for range 5 {
		tr.unheard()
		tr.proxy.Meddle(nil)
		tr.counted("fhctl_entries_present_total")
		tr.stored()
	}
	tr.failed("connection")
	tr.finish()
}

// Fault table, Redis kill -9, twenty times in every run, a thousand times in
// turn with the daemon, and with both at once, in the nightly one: with a file
// that is synced always nothing acknowledged is lost, and nothing repeated.
func TestRedisKilledTwentyTimes(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--appendonly", "yes", "--appendfsync", "always")
	tr.run()
	tr.flow(100)
	rng := rand.New(rand.NewPCG(20, 1))
	for range 20 {
		tr.open(40)
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond) // anywhere in an exchange
		tr.server.Kill()
		tr.open(20)
		tr.server.Restart()
		tr.stored()
	}
	tr.failed("connection")
	tr.finish()
}

func TestThousandKills(t *testing.T) {
	nightly(t)
	t.Parallel()
	tr := newTrial(t, "--appendonly", "yes", "--appendfsync", "always")
	tr.run()
	tr.flow(100)
	rng := rand.New(rand.NewPCG(1000, 1))
	for kill := range 1000 {
		tr.open(2)
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		daemon, redis := kill%4 == 0, kill%4 != 0 || rng.IntN(3) == 0
		if redis {
			tr.server.Kill()
		}
		if daemon {
			tr.p.kill()
		}
		if redis {
			tr.server.Restart()
		}
		if daemon {
			tr.run()
		}
		if rng.IntN(4) == 0 {
			tr.stored()
		}
		if kill%100 == 99 {
			tr.stored()
			tr.check(t, tr.server.Client(), tr.now())
		}
	}
	tr.finish()
}

// Fault table, torn AOF: a file that ends within the last batch gives back the
// whole batch or none of it, wherever it is cut, and the run goes on.
func TestTornAppendOnlyFile(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
	tr.run()
	tr.flow(200)
	rng := rand.New(rand.NewPCG(5, 5))
	for range 6 {
		tr.proxy.Stall(true) // so that what is stored next is one exchange
		tr.open(200)
		tr.waits("the events to be read", func() bool { return tr.relay.Sent() >= int64(tr.passed) })
		tr.proxy.Stall(false)
		tr.stored()
		tr.heard()
		tr.proxy.Stall(true)
		tr.server.Kill()
		tr.server.CutAOF(1 - rng.Float64()*0.1)
		tr.server.Restart()
		if err := tr.whole(); err != nil {
			t.Fatal(err)
		}
		tr.server.RewriteAOF() // docs/gotchas.md says why
		tr.proxy.Stall(false)
		tr.flow(10)
		tr.alarmed("redis_rollback")
	}
	tr.finish()
}

// whole is nil when the cursor stands at the newest entry.
func (tr *trial) whole() error {
	rows, err := tr.server.Client().XRevRangeN(tr.Context(), "firehose:events", "+", "-", 1).Result()
	if err != nil || len(rows) == 0 {
		return errors.Join(err, errors.New("no entries are left"))
	}
	cursor := tr.server.Client().Get(tr.Context(), "firehose:python_cursor").Val()
	if seq := fmt.Sprint(rows[0].Values["seq"]); seq != cursor {
		return fmt.Errorf("the file gave back entries up to %s beside the cursor %s", seq, cursor)
	}
	return nil
}
