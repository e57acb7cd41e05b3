package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// readers are the slow group of each partition, and what they were given.
type readers struct {
	t      *testing.T
	client *redis.Client
	got    [][]event.Seq
}

func newReaders(t *testing.T, client *redis.Client, n int) *readers {
	for i := range n {
		createGroupOf(t, client, keyspace.Partition("firehose:events", i))
	}
	return &readers{t, client, make([][]event.Seq, n)}
}

// read takes up to n entries of one partition.
func (r *readers) read(i, n int) {
	r.t.Helper()
	r.got[i] = append(r.got[i], readsOf(r.t, r.client, keyspace.Partition("firehose:events", i), n)...)
}

// catchUp reads everything, and wants each partition's events once, in order, and
// no partition to have lost any unread.
func (r *readers) catchUp(c *corpus, p *program) {
	r.t.Helper()
	eventually(r.t, 2*time.Minute, func() error {
		n := 0
		for i := range r.got {
			r.read(i, 1000)
			n += len(r.got[i])
		}
		if n < len(c.want) {
			return fmt.Errorf("the groups were given %d of %d entries:\n%s", n, len(c.want), lastOf(p.output()))
		}
		return nil
	})
	for i, got := range r.got {
		share := &corpus{}
		for _, w := range c.want {
			if entry.Partition([]byte(w.data), len(r.got)) == i {
				share.want = append(share.want, w)
			}
		}
		if len(share.want) == 0 {
			r.t.Fatalf("no event is partition %d's: nothing is proved", i)
		}
		share.wantAll(r.t, got)
		ledger := redisstream.Config{CursorKey: keyspace.Partition("firehose:python_cursor", i)}.LedgerKey()
		if n, err := r.client.Exists(r.t.Context(), ledger).Result(); n != 0 || err != nil {
			r.t.Errorf("partition %d has a ledger of losses (%v)", i, err)
		}
	}
}

// G7 for a set with --when-full block: one partition that nobody reads holds up the
// whole set, whose relay connection is closed; nothing unread goes from any, also
// across a stop, and it goes on as that partition is read.
func TestBlockOfASetLosesNothing(t *testing.T) {
	t.Parallel()
	const n = 3
	c := newCorpus(t, 5000)
	server := redistest.Start(t)
	r := newReaders(t, server.Client(), n)
	relay := c.serve(t, "")
	env := partitioned(retention(relay.URL(), server.URL(), "block", "REDIS_MAX_STREAM_LEN=1200"), n)
	p := start(t, env, "ingest", "--from=oldest", until(c.last))
	eventually(t, time.Minute, func() error {
		r.read(0, 1000)
		r.read(1, 1000)
		for line := range strings.Lines(p.output()) {
			if strings.Contains(line, "waiting for room") && strings.Contains(line, `"partition":2`) {
				return nil
			}
		}
		return fmt.Errorf("partition 2 does not hold up the set:\n%s", lastOf(p.output()))
	})
	eventually(t, time.Minute, func() error {
		if n := relay.Conns(); n != 0 || p.metric("fhctl_stream_full") != "1" {
			return fmt.Errorf("%d connections to the relay, full is %s", n, p.metric("fhctl_stream_full"))
		}
		return nil
	})
	p.says("nothing is read from the relay", time.Minute)
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)

	p = start(t, env, "ingest", "--from=oldest", until(c.last))
	r.catchUp(c, p)
	p.mustExit(0, time.Minute)
}

// The same with --when-full spill: the relay is read on, into files, and each
// partition is given its events once and in order, with kill -9 in between.
func TestSpillOfASetFlowsBackExactly(t *testing.T) {
	t.Parallel()
	const n = 3
	c := newCorpus(t, 9000)
	server := redistest.Start(t)
	r := newReaders(t, server.Client(), n)
	relay := c.serve(t, "")
	env, dir := spilling(t, relay.URL(), server.URL(), "REDIS_MAX_STREAM_LEN=1200")
	env = partitioned(env, n)
	p := start(t, env, "ingest", "--from=oldest")
	r.read(0, 10)
	r.read(1, 300)
	c.onDisk(t, p, relay)
	p.kill()
	p = start(t, env, "ingest", "--from=oldest")
	p.says("an earlier run spilled", time.Minute)
	r.catchUp(c, p)
	eventually(t, time.Minute, func() error {
		if left := segments(t, dir); len(left) > 0 {
			return fmt.Errorf("left on disk: %v", left)
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
}

// G1 to G3 and G7 for a pair on a set, with kill -9 of either at random while the
// groups read in fits and starts. FHCTL_NIGHTLY=1 runs it.
func TestRetentionOfAPairedSetKilledAtRandom(t *testing.T) {
	nightly(t)
	const n = 3
	for _, mode := range []string{"block", "spill"} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s, seed %d", mode, seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 41))
				c := newCorpus(t, 12_000)
				server := redistest.Start(t)
				r := newReaders(t, server.Client(), n)
				relay := c.serve(t, "", slow(4000))
				var env [2][]string
				var pair [2]*program
				for i := range pair {
					env[i] = retention(relay.URL(), server.URL(), "block", "REDIS_MAX_STREAM_LEN=900")
					if mode == "spill" {
						env[i], _ = spilling(t, relay.URL(), server.URL(), "REDIS_MAX_STREAM_LEN=900")
					}
					env[i] = partitioned(env[i], n)
					pair[i] = start(t, env[i], "ingest", "--from=oldest")
				}
				for range 12 {
					for range 5 + rng.IntN(40) {
						r.read(rng.IntN(n), rng.IntN(120))
						time.Sleep(20 * time.Millisecond)
					}
					i := rng.IntN(2)
					pair[i].kill()
					pair[i] = start(t, env[i], "ingest", "--from=oldest")
				}
				r.catchUp(c, pair[0])
				for _, p := range pair {
					p.says(`"msg":"Health and metrics"`, time.Minute) // it hears signals
					p.signal(syscall.SIGTERM)
					p.mustExit(0, 10*time.Second)
				}
			})
		}
	}
}
