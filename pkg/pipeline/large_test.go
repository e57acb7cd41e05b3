package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// account is an #account whose status is n control characters, each of which
// becomes six bytes of the entry.
func account(seq event.Seq, n int) []byte {
	return join(header("account"), head(5, 5),
		text("did"), text("did:plc:aaaabbbbccccddddeeeeffff"),
		text("seq"), head(0, uint64(seq)),
		text("time"), text(epoch.Format(time.RFC3339)),
		text("active"), []byte{0xf5},
		text("status"), text(strings.Repeat("\x01", n)))
}

func wantAccount(n int) string {
	return `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true,"status":"` + strings.Repeat(`\u0001`, n) + `"}`
}

// largeSink fails when it is handed more than one entry of its size, or batches
// above their bounds.
type largeSink struct {
	*memorySink
	t     *testing.T
	bytes int
	lent  int
}

func (s *largeSink) Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error) {
	lent := 0
	for _, b := range batches {
		if b.Bytes > s.bytes && len(b.Entries) > 1 {
			s.t.Errorf("a batch of %d entries has %d bytes", len(b.Entries), b.Bytes)
		}
		if b.Lent {
			lent++
		}
	}
	if lent > 1 {
		s.t.Errorf("%d large entries at once", lent)
	}
	s.lent += lent
	return s.memorySink.Commit(ctx, batches)
}

// G5: what becomes large goes through the pipeline one after the other, in order,
// and nothing is lost by it, whatever breaks meanwhile.
func TestG5LargeEntriesAreExact(t *testing.T) {
	sizes := []int{0, 10, 20_000, 60_000, 300_000}
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			const last = 60
			size := func(seq event.Seq) int { return sizes[(uint64(seq)*7+seed)%uint64(len(sizes))] }
			play := func(broken bool) connection {
				return func(_ context.Context, from event.Position, send func(...[]byte) bool) {
					until := event.Seq(last)
					if broken {
						until = from.Seq + event.Seq(rng.IntN(30))
					}
					var run [][]byte
					for seq := from.Seq + 1; seq <= min(until, last); seq++ {
						run = append(run, account(seq, size(seq)))
					}
					send(run...)
				}
			}
			r := newSetup(play(true), play(true), play(true), play(false), play(false), play(false))
			r.relay.chunk = 1 + rng.IntN(20)
			r.relay.lull = seed%3 == 0
			r.cfg.Decoders = []int{1, 2, 3, 16}[seed%4]
			r.cfg.QueueBytes = []int64{1, 300_000, 8 << 20}[seed%3]
			sink := &largeSink{memorySink: r.sink, t: t, bytes: 512 << 10}
			r.cfg.Sink = sink
			moved := false
			r.sink.before = func(call int, _ []*event.Batch) error {
				time.Sleep(time.Duration(call%3) * time.Second)
				if call == 4 && !moved {
					moved = true
					return &event.Moved{To: event.AfterSeq(r.sink.cursor), Alarm: event.AlarmRollback}
				}
				return nil
			}
			r.run(t)
			if len(r.sink.entries) != last {
				t.Fatalf("seed %d: %d entries, want %d", seed, len(r.sink.entries), last)
			}
			for i, e := range r.sink.entries {
				if e.Seq != event.Seq(i+1) || string(e.Data) != wantAccount(size(e.Seq)) {
					t.Fatalf("seed %d: entry %d is seq %s of %d bytes", seed, i, e.Seq, len(e.Data))
				}
			}
			if sink.lent == 0 {
				t.Error("no entry was large: nothing was proved")
			}
		})
	}
}

// G1: what is larger than an entry may be is counted and shown, and those beside it
// are stored.
func TestG1WhatIsTooLargeIsRejected(t *testing.T) {
	for _, decoders := range []int{1, 3} {
		r := newSetup(only(identity(1), account(2, event.MaxData/6+1), identity(3), account(4, event.MaxData/6-100), identity(5)))
		r.cfg.Decoders = decoders
		r.run(t)
		if got := fmt.Sprint(r.sink.seqs()); got != "[1 3 4 5]" {
			t.Errorf("stored %s", got)
		}
		if n := r.seen.total().Rejected[event.ReasonLimit]; n != 1 || len(r.seen.rejects) != 1 || r.seen.rejects[0].Seq != 2 {
			t.Errorf("%d rejected for the limit: %v", n, r.seen.rejects)
		}
	}
}

// Batches are bounded in bytes as well as in entries.
func TestBatchesAreBoundedByBytes(t *testing.T) {
	r := newSetup(after(2000))
	r.cfg.BatchSize, r.cfg.BatchBytes = 10_000, 2000
	sink := &largeSink{memorySink: r.sink, t: t, bytes: 2000}
	r.cfg.Sink = sink
	r.run(t)
	wantSeqs(t, r.sink, span(1, 2000))
}

// G6: a stop is clean while the sink holds a large entry and others wait for its
// memory.
func TestG6StopWhileALargeEntryWaits(t *testing.T) {
	for _, decoders := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			r := newSetup(func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
				for seq := event.Seq(1); send(account(seq, 300_000)); seq++ {
				}
			})
			r.cfg.Decoders, r.cfg.Sink = decoders, hungSink{r.sink}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- pipeline.New(r.cfg).Run(ctx) }()
			time.Sleep(time.Minute)
			stop()
			began := time.Now()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the stop took %v", took)
			}
		})
	}
}

// What a generation left in flight is not counted for ever.
func TestQueuedForgetsWhatWasDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSetup(after(3000), after(3000))
		r.sink.before = func(call int, _ []*event.Batch) error {
			if call == 2 {
				return &event.Moved{To: event.AfterSeq(r.sink.cursor), Alarm: event.AlarmRollback}
			}
			return nil
		}
		p := pipeline.New(r.cfg)
		if err := p.Run(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if frames, bytes := p.Queued(); frames != 0 || bytes != 0 {
			t.Errorf("%d frames of %d bytes are queued behind the end", frames, bytes)
		}
	})
}
