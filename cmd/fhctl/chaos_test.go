package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// TestChaos runs the program, on some seeds two of them, between a relay and a
// real Redis while faults of every kind strike at random. After each fault the
// rest of the stream must arrive, and the log must have told of it; at the end
// the stream is the relay's log and fhctl verify finds nothing.
//
// FHCTL_SEEDS=N runs that many seeds instead of three. To repeat one:
//
//	FHCTL_SEEDS=17 go test ./cmd/fhctl -run 'TestChaos/seed=17$' -v
func TestChaos(t *testing.T) {
	t.Parallel()
	seeds := 3
	if n, err := strconv.Atoi(os.Getenv("FHCTL_SEEDS")); err == nil {
		seeds = n
	}
	for seed := 1; seed <= seeds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			newChaos(t, uint64(seed)).play(14)
		})
	}
}

// chaos is one seed.
type chaos struct {
	*trial
	rng   *rand.Rand // decides what strikes, the same for each seed
	dice  *rand.Rand // for the proxies, which ask as often as bytes pass
	redis []string   // arguments of every server
	all   []*program
	pair  bool
}

// blow is one kind of fault. It must leave everything repaired.
type blow struct {
	name   string
	strike func(*chaos)
	// shows is what some program's log must say of it; "" where it is nothing
	// to tell, as of a reply that came late.
	shows string
}

const (
	unavailable = "Redis is not available"
	anAlarm     = "Alarm: "
)

func blows() []blow {
	return []blow{
		{"redis killed", (*chaos).killRedis, unavailable},
		{"redis killed, file cut back", (*chaos).loseEnd, anAlarm},
		{"redis restarted again and again", (*chaos).flap, unavailable},
		{"redis paused", (*chaos).pauseRedis, ""},
		{"replica promoted", (*chaos).promote, unavailable},
		{"stale replica promoted", (*chaos).promoteStale, anAlarm},
		{"daemon killed", func(c *chaos) { c.replace(syscall.SIGKILL) }, ""},
		{"daemon stopped", func(c *chaos) { c.replace(syscall.SIGTERM) }, ""},
		{"everything killed", (*chaos).killAll, ""},
		{"redis connections cut", func(c *chaos) { c.proxy.Cut() }, unavailable},
		{"redis connections half-open", func(c *chaos) { c.proxy.Freeze() }, unavailable},
		{"replies torn", (*chaos).tearReplies, unavailable},
		{"replies late", (*chaos).delay, ""},
		{"relay dropped", func(c *chaos) { c.relay.Disconnect(0) }, "Relay connection lost"},
		{"relay closed", func(c *chaos) { c.relay.Disconnect(1012) }, "Relay connection lost"},
		{"relay cut mid-frame", (*chaos).tearFrames, "Relay connection lost"},
		{"relay refuses", (*chaos).refuse, "cause\":\"http_"},
		{"relay misbehaves", (*chaos).misbehave, ""},
		{"scripts flushed", func(c *chaos) { c.server.Do("script", "flush") }, ""},
		{"cursor deleted", gone("firehose:python_cursor"), "cursor_missing"},
		{"side key deleted", gone("firehose:python_cursor:meta"), "python_cursor:meta vanished"},
		{"stream deleted", gone("firehose:events"), "cursor_missing"},
		{"all keys deleted", (*chaos).flushAll, anAlarm},
		{"out of memory", state("oom", "config set maxmemory 1", "config set maxmemory 0"), `"cause":"oom"`},
		{"no replicas", state("noreplicas", "config set min-replicas-to-write 1", "config set min-replicas-to-write 0"), `"cause":"noreplicas"`},
		{"demoted", state("readonly", "replicaof 127.0.0.1 1", "replicaof no one"), `"cause":"readonly"`},
	}
}

func newChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 4))
	redis := []string{"--appendonly", "yes", "--auto-aof-rewrite-percentage", "0", "--appendfsync"}
	redis = append(redis, []string{"always", "everysec"}[rng.IntN(2)])
	c := &chaos{trial: newTrial(t, redis...), rng: rng, redis: redis, pair: rng.IntN(3) == 0}
	c.dice = rand.New(rand.NewPCG(seed, 5))
	c.throughProxy()
	c.env = []string{"FHCTL_IDLE_TIMEOUT=2s"}
	t.Cleanup(func() {
		for i, p := range c.all {
			if t.Failed() {
				t.Logf("program %d of %d said:\n%s", i+1, len(c.all), p.output())
			}
		}
	})
	return c
}

func (c *chaos) run() {
	c.trial.run()
	c.all = append(c.all, c.p)
}

func (c *chaos) play(rounds int) {
	c.Helper()
	if c.pair {
		c.run()
	}
	c.run()
	kinds := blows()
	for range rounds {
		c.flow(1 + c.rng.IntN(40)) // somebody is connected and leads
		b := kinds[c.rng.IntN(len(kinds))]
		c.Logf("%s, after %d entries", b.name, c.passed)
		said := c.said()
		c.open(1 + c.rng.IntN(60))
		c.nap(20)
		b.strike(c)
		c.open(1 + c.rng.IntN(20))
		c.stored()
		// Of two, one that had not heard of the end may take over behind it: what
		// it lacks is read again, and neither has seen anything go.
		if b.shows != "" && !(c.pair && b.shows == anAlarm) {
			c.waits(fmt.Sprintf("a log line %q of %q", b.shows, b.name), func() bool { return c.says(b.shows, said) })
		}
	}
	c.flow(20)
	for _, p := range c.all {
		select {
		case <-p.done:
		default:
			p.signal(syscall.SIGTERM)
			p.mustExit(0, 20*time.Second)
		}
	}
	c.sound()
}

// said is how much each program has logged so far.
func (c *chaos) said() map[*program]int {
	lengths := map[*program]int{}
	for _, p := range c.all {
		lengths[p] = len(p.output())
	}
	return lengths
}

// says reports whether a program has logged the words since, or so often before that
// equal lines are left out for a minute.
func (c *chaos) says(words string, since map[*program]int) bool {
	for _, p := range c.all {
		said := p.output()
		if strings.Contains(said[since[p]:], words) || strings.Count(said, words) >= 5 {
			return true
		}
	}
	return false
}

// nap waits up to so many milliseconds: faults strike anywhere in an exchange.
func (c *chaos) nap(ms int) { time.Sleep(time.Duration(c.rng.IntN(ms+1)) * time.Millisecond) }

func (c *chaos) killRedis() {
	c.server.Kill()
	c.open(1)
	c.server.Restart()
}

func (c *chaos) flap() {
	for range 3 {
		c.server.Kill()
		c.open(1)
		c.server.Restart()
		c.nap(300)
	}
}

// loseEnd loses acknowledged writes, and what a torn transaction leaves in the
// file is rewritten away, as docs/gotchas.md tells operators.
func (c *chaos) loseEnd() {
	c.stored()
	c.acknowledged(50)
	c.cutBack(0.1 + c.rng.Float64()/2)
}

// acknowledged is as a trial's, for two programs: whichever leads sends the entry
// behind those only when it has heard of them.
func (c *chaos) acknowledged(n int) {
	c.flow(n)
	c.flow(1)
}

func (c *chaos) pauseRedis() {
	c.server.Pause()
	c.nap(1500)
	c.server.Continue()
}

// promote fails over to a replica that has everything.
func (c *chaos) promote() {
	c.stored()
	replica := redistest.StartReplica(c.T, c.server.Addr(), c.redis...)
	c.caughtUp(replica)
	c.switchTo(replica)
}

// promoteStale fails over to a replica that was cut off earlier.
func (c *chaos) promoteStale() {
	line := redistest.NewProxy(c.T, c.server.Addr())
	replica := redistest.StartReplica(c.T, line.Addr(), c.redis...)
	c.caughtUp(replica)
	line.Refuse(true)
	line.Cut()
	c.acknowledged(50)
	c.switchTo(replica)
}

func (c *chaos) switchTo(replica *redistest.Server) {
	c.server.Kill()
	c.open(1)
	replica.Promote()
	c.server = replica
	c.proxy.Forward(replica.Addr())
}

// replace ends one program and starts another.
func (c *chaos) replace(sig syscall.Signal) {
	var alive []*program
	for _, p := range c.all {
		select {
		case <-p.done:
		default:
			alive = append(alive, p)
		}
	}
	p := alive[c.rng.IntN(len(alive))]
	p.says("fhctl ingest", time.Minute) // it has begun, and minds signals
	p.signal(sig)
	if code := p.exit(20 * time.Second); sig == syscall.SIGTERM && code != 0 {
		c.Fatalf("a clean stop exits %d:\n%s", code, lastOf(p.output()))
	}
	c.run()
}

func (c *chaos) killAll() {
	for _, p := range c.all {
		p.kill()
	}
	c.server.Kill()
	c.line.Cut()
	c.server.Restart()
	c.run()
	if c.pair {
		c.run()
	}
}

// tearReplies cuts replies short until somebody has noticed.
func (c *chaos) tearReplies() {
	said := c.said()
	c.proxy.Meddle(func(replies bool, n int) redistest.Fate {
		if !replies || n < 2 || c.dice.IntN(2) == 0 {
			return redistest.Fate{}
		}
		return redistest.Fate{Cut: true, Keep: c.dice.IntN(n)}
	})
	c.open(10)
	c.waits("word of the torn replies", func() bool { return c.says(unavailable, said) })
	c.proxy.Meddle(nil)
}

func (c *chaos) delay() {
	slow := func(bool, int) redistest.Fate {
		return redistest.Fate{Delay: time.Duration(c.dice.IntN(30)) * time.Millisecond}
	}
	c.proxy.Meddle(slow)
	c.flow(30)
	c.proxy.Meddle(nil)
}

func (c *chaos) tearFrames() {
	cut := false
	c.line.Meddle(func(replies bool, n int) redistest.Fate {
		if !replies || cut || n < 200 {
			return redistest.Fate{}
		}
		cut = true
		return redistest.Fate{Cut: true, Keep: c.dice.IntN(n)}
	})
	c.open(30)
	c.stored()
	c.line.Meddle(nil)
}

func (c *chaos) refuse() {
	c.relay.Refuse([]int{429, 500, 502, 503}[c.rng.IntN(4)], "")
	if c.pair {
		c.relay.Refuse(503, "") // the standby has a connection as well
	}
	c.relay.Disconnect(0)
}

// misbehave has the relay do what it should not, once.
func (c *chaos) misbehave() {
	words := []string{"repeat", "regress", "text", "garbage", "empty", "unknown", "info:Hello", "error:ConsumerTooSlow", "stall:300ms", "oversize", "cut", "reset"}
	kind, arg, _ := strings.Cut(words[c.rng.IntN(len(words))], ":")
	if err := c.relay.Inject(relayserver.Fault{Kind: kind, Arg: arg, At: c.relay.Sent() + 1}); err != nil {
		c.Fatal(err)
	}
	before := c.relay.Injected()[kind]
	c.open(5)
	c.waits("the relay to "+kind, func() bool { return c.relay.Injected()[kind] > before })
}

func gone(key string) func(*chaos) {
	return func(c *chaos) {
		c.stored()
		c.server.Do("del", key)
	}
}

func (c *chaos) flushAll() {
	c.stored()
	c.server.Do("flushall")
}

func state(cause, begin, end string) func(*chaos) {
	return func(c *chaos) {
		c.stored()
		said := c.said()
		words := func(line string) (args []any) {
			for _, word := range strings.Fields(line) {
				args = append(args, word)
			}
			return args
		}
		c.server.Do(words(begin)...)
		c.open(10)
		c.waits("cause "+cause, func() bool { return c.says(`"cause":"`+cause+`"`, said) })
		c.server.Do(words(end)...)
	}
}
