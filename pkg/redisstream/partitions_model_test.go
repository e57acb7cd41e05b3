package redisstream

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// TestModelPartitions plays a relay to several processes on one partitioned set
// while replies are lost, connections are cut, processes die with some of the
// partitions stored and others not, and single partitions lose cursors, streams'
// ends and scripts. Whatever happens, each event is in its account's partition
// once and in order, and every cursor is at the end (G1 to G4). FHCTL_NIGHTLY=1
// plays many more seeds.
func TestModelPartitions(t *testing.T) {
	t.Parallel()
	from, seeds := uint64(0), uint64(2)
	if os.Getenv("FHCTL_NIGHTLY") != "" {
		seeds = 150
	}
	if one, err := strconv.ParseUint(os.Getenv("FHCTL_SEED"), 10, 64); err == nil {
		from, seeds = one, one+1
	}
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		struck := [setTroubles]int{}
		for seed := from; seed < seeds; seed++ {
			m := &setModel{set: newSet(t, server, 2+int(seed)%4), rand: rand.New(rand.NewPCG(seed, 11)), proxy: redistest.NewProxy(t, server.Addr())}
			m.Do("flushall")
			t.Logf("repeat with FHCTL_SEED=%d", seed)
			m.struck = &struck
			m.play(100)
		}
		for kind, n := range struck {
			if n == 0 && kind != setNothing && seeds-from > 1 {
				t.Errorf("trouble %d never struck", kind)
			}
		}
	})
}

// What can befall a set.
const (
	setNothing = iota
	setLoseReply
	setCut
	setScriptFlush
	setDelCursor
	setDelSide
	setDelAllCursors
	setRollback
	setReplace
	setHalfStored
	setTroubles
)

type setModel struct {
	*set
	rand    *rand.Rand
	proxy   *redistest.Proxy
	struck  *[setTroubles]int
	writers []*setPlayer
	last    event.Seq
}

type setPlayer struct {
	w  *openedSet
	at event.Position
}

func (m *setModel) join() *setPlayer {
	m.T.Helper()
	w, at := m.openSet(func(c *Config) { c.URL = m.proxy.URL() })
	return &setPlayer{w: w, at: at.Position}
}

func (m *setModel) play(steps int) {
	m.T.Helper()
	m.last = 1
	m.writers = []*setPlayer{m.join()}
	m.step(m.writers[0])
	m.writers = append(m.writers, m.join())
	for range steps {
		m.last += event.Seq(m.rand.IntN(9))
		m.trouble()
		m.step(m.writers[m.rand.IntN(len(m.writers))])
	}
	m.last += 5 // so that each of them has something to store
	for range 6 {
		for _, p := range m.writers {
			m.step(p)
		}
	}
	m.wantSet(1, m.last)
	for _, p := range m.writers {
		_ = p.w.Close()
	}
}

func (m *setModel) trouble() {
	kind := m.rand.IntN(setTroubles + 4)
	i := m.rand.IntN(m.n)
	cursor := keyspace.Partition(keyspace.DefaultCursor, i)
	switch kind {
	case setLoseReply:
		m.proxy.LoseReplies(1 + m.rand.IntN(3))
	case setCut:
		m.proxy.Cut()
	case setScriptFlush:
		m.Do("script", "flush")
	case setDelCursor:
		m.Do("del", cursor)
	case setDelSide:
		m.Do("del", cursor, cursor+":meta")
	case setDelAllCursors:
		for i := range m.n {
			m.Do("del", keyspace.Partition(keyspace.DefaultCursor, i))
		}
		// All at once is a cold start for a process that begins now: let one
		// that knows them put them back.
		m.step(m.writers[0])
	case setRollback:
		m.rollback(i)
	case setReplace:
		if !m.anyCursor() {
			return
		}
		m.replace()
	case setHalfStored:
		if !m.anyCursor() {
			return
		}
		m.halfStored()
	default:
		return
	}
	m.struck[kind]++
}

// anyCursor is false when all are gone: a process that begins then cannot know
// that there were any.
func (m *setModel) anyCursor() bool {
	for i := range m.n {
		if m.cursor(i) != "" {
			return true
		}
	}
	return false
}

// replace is a process killed and another in its place.
func (m *setModel) replace() {
	at := m.rand.IntN(len(m.writers))
	_ = m.writers[at].w.Close()
	m.writers[at] = m.join()
}

// halfStored is a process that dies when some of its partitions have stored their
// shares and others have not.
func (m *setModel) halfStored() {
	at := m.rand.IntN(len(m.writers))
	p := m.writers[at]
	batches := m.batches(p.at)
	lowest := event.MaxSeq // behind which the set goes on
	for _, part := range p.w.parts {
		lowest = min(lowest, part.Known().Cursor)
	}
	if len(batches) > 0 && lowest > 0 && p.at == event.AfterSeq(lowest) {
		for i, part := range p.w.parts {
			if shares := m.shares(part, i, batches...); len(shares) > 0 && m.rand.IntN(2) == 0 {
				_, _ = part.Commit(m.Ctx(), shares) // it may find that the cursor moved
			}
		}
	}
	_ = p.w.Close()
	m.writers[at] = m.join()
}

// rollback takes a partition's newest entries and sets its cursor as it was before
// them, in one step as a server that comes back does: a batch that was sent by a
// process that has gone may still arrive. One that comes back with the cursor has
// the side key as well.
func (m *setModel) rollback(i int) {
	const script = `
local rows = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])
if #rows < 2 or not redis.call('GET', KEYS[2]) then return 0 end
for i = 1, #rows - 1 do redis.call('XDEL', KEYS[1], rows[i][1]) end
local fields = rows[#rows][2]
for i = 1, #fields, 2 do
  if fields[i] == 'seq' then redis.call('SET', KEYS[2], fields[i + 1]) end
end
return 1`
	m.Do("eval", script, 2, keyspace.Partition(keyspace.DefaultStream, i), keyspace.Partition(keyspace.DefaultCursor, i), 2+m.rand.IntN(5))
}

// batches is up to three that the relay has behind a place.
func (m *setModel) batches(at event.Position) (batches []*event.Batch) {
	for range 1 + m.rand.IntN(3) {
		first := at.Seq + 1
		upto := min(m.last, first+event.Seq(m.rand.IntN(15)))
		if upto < first {
			break
		}
		batches = append(batches, m.batch(at, first, upto))
		at = event.AfterSeq(upto)
	}
	return batches
}

func (m *setModel) step(p *setPlayer) {
	m.T.Helper()
	batches := m.batches(p.at)
	if len(batches) == 0 {
		return
	}
	receipts, err := p.w.Commit(m.Ctx(), batches)
	var moved *event.Moved
	switch {
	case errors.As(err, &moved):
		p.at = moved.To
	case err != nil:
		m.T.Fatalf("commit: %v", err)
	case len(receipts) != len(batches):
		m.T.Fatalf("%d receipts for %d batches", len(receipts), len(batches))
	default:
		p.at = event.AfterSeq(batches[len(batches)-1].Upto)
	}
}
