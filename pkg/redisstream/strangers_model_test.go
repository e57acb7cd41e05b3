package redisstream

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// bridge is another writer in a random world: it stores the relay's events in their
// order, leaves some out, and saves its cursor behind them, as the Python bridge does.
// It begins before our writer or beside it, stops, and goes on again.
type bridge struct {
	k      *kit
	rng    *rand.Rand
	at     event.Seq
	stored map[event.Seq]bool
	latest map[int]event.Seq // of each repository
}

const worldRepos = 7

func (b *bridge) goOn(upto event.Seq) {
	for ; b.at < upto; b.at++ {
		if b.rng.IntN(6) == 0 {
			continue // it lost this one in a crash
		}
		seq := b.at + 1
		b.k.theirs(int(seq)%worldRepos, seq)
		b.stored[seq], b.latest[int(seq)%worldRepos] = true, max(seq, b.latest[int(seq)%worldRepos])
	}
	b.k.Set(keyspace.DefaultCursor, b.at.String()) // what it stored since its last save cannot be known for its own
}

// Fault table, a bridge beside fhctl (G1, G2, G3, G7), in random worlds: whatever the
// bridge stores, leaves out or writes into the cursor, and however often ours dies, each
// event that it left out is stored once by us, in order, or told as lost because the
// bridge had stored a later one of the same repository.
func TestStrangerModel(t *testing.T) {
	t.Parallel()
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				k := newKit(t, server)
				k.Do("flushall")
				newStrangerWorld(k, seed).play(t)
			})
		}
	})
}

type strangerWorld struct {
	k      *kit
	rng    *rand.Rand
	theirs *bridge
	heard  *heard
	ours   *Writer
	at     event.Seq
	mine   map[event.Seq]int  // how often we stored it
	there  int                // what the bridge had stored when we came to it
	lost   map[event.Seq]bool // by right: the bridge was ahead in that repository
}

func newStrangerWorld(k *kit, seed uint64) *strangerWorld {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &strangerWorld{k: k, rng: rng, heard: &heard{}, mine: map[event.Seq]int{}, lost: map[event.Seq]bool{},
		theirs: &bridge{k: k, rng: rng, stored: map[event.Seq]bool{}, latest: map[int]event.Seq{}}}
	w.theirs.goOn(event.Seq(1 + rng.IntN(60)))
	k.Set(keyspace.DefaultCursor, fmt.Sprint(max(1, int(w.theirs.at)-rng.IntN(40)))) // it saves seldom
	return w
}

func (w *strangerWorld) begin() {
	var from event.Resume
	w.ours, from = w.k.open(w.heard.hear, func(c *Config) { c.Identity.Relay = script.BridgeRelay })
	if from.Position.Start != event.After {
		w.k.T.Fatalf("resume at %v", from.Position)
	}
	w.at = from.Position.Seq
}

func (w *strangerWorld) play(t *testing.T) {
	w.begin()
	first, lost, foreign := w.at, 0, 0
	for range 40 {
		switch w.rng.IntN(6) {
		case 0:
			w.theirs.goOn(max(w.at, w.theirs.at) + event.Seq(w.rng.IntN(20)))
		case 1:
			_ = w.ours.Close()
			w.begin()
		default:
			batches := w.next()
			for _, r := range w.k.must(w.ours, batches...) {
				lost, foreign = lost+r.Lost, foreign+r.Foreign
			}
		}
	}
	w.judge(t, first, lost, foreign)
}

// next is what the relay sends next, and notes what must become of it.
func (w *strangerWorld) next() (batches []*event.Batch) {
	for range 1 + w.rng.IntN(3) {
		var seqs []event.Seq
		for range 1 + w.rng.IntN(6) {
			w.at++
			seqs = append(seqs, w.at)
			switch {
			case w.theirs.stored[w.at]:
				w.there++
			case w.theirs.latest[int(w.at)%worldRepos] > w.at:
				w.lost[w.at] = true
			default:
				w.mine[w.at]++
			}
		}
		batches = append(batches, ofRepos(event.AfterSeq(seqs[0]-1), worldRepos, seqs...))
	}
	return batches
}

func (w *strangerWorld) judge(t *testing.T, first event.Seq, lost, foreign int) {
	seen := map[event.Seq]int{}
	for _, seq := range w.k.seqs() {
		seen[seq]++
	}
	for seq := first + 1; seq <= w.at; seq++ {
		want := w.mine[seq]
		if w.theirs.stored[seq] { // it may come to where we are only later, and repeats then
			want++
		}
		if seen[seq] != want {
			t.Errorf("seq %s is there %d times, want %d (left out by right: %t)", seq, seen[seq], want, w.lost[seq])
		}
	}
	if lost != len(w.lost) || foreign != w.there {
		t.Errorf("told of %d lost and %d present, want %d and %d", lost, foreign, len(w.lost), w.there)
	}
	if got := w.k.Get(keyspace.DefaultCursor); got != w.at.String() && got != w.theirs.at.String() {
		t.Errorf("the cursor is %s, ours stands at %s", got, w.at)
	}
}
