package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// setup is one composition of fakes.
type setup struct {
	relay *fakeRelay
	sink  *memorySink
	seen  *recorder
	cfg   pipeline.Config
}

func newSetup(conns ...connection) *setup {
	r := &setup{relay: &fakeRelay{conns: conns}, sink: &memorySink{}, seen: &recorder{}}
	r.cfg = pipeline.Config{Source: r.relay, Sink: r.sink, Observer: r.seen, Decoders: 3}
	return r
}

func (r *setup) run(t *testing.T) {
	t.Helper()
	if err := pipeline.New(r.cfg).Run(t.Context()); err != nil {
		t.Fatalf("run: %v", err)
	}
}

func span(from, to event.Seq) (out []event.Seq) {
	for seq := from; seq <= to; seq++ {
		out = append(out, seq)
	}
	return out
}

func frames(seqs ...event.Seq) (out [][]byte) {
	for _, seq := range seqs {
		out = append(out, identity(seq))
	}
	return out
}

// after plays everything above the asked position up to last, as the reference
// relay does (Q3, exclusive).
func after(last event.Seq) connection {
	return func(_ context.Context, from event.Position, send func(...[]byte) bool) {
		send(frames(span(from.Seq+1, last)...)...)
	}
}

func only(raw ...[]byte) connection {
	return func(_ context.Context, _ event.Position, send func(...[]byte) bool) { send(raw...) }
}

func wantSeqs(t *testing.T, sink *memorySink, want []event.Seq) {
	t.Helper()
	if got := sink.seqs(); !slices.Equal(got, want) {
		t.Fatalf("stored %d seqs %v, want %d", len(got), brief(got), len(want))
	}
	for _, e := range sink.entries {
		if string(e.Data) != wantData(e.Seq) {
			t.Fatalf("seq %d holds %s", e.Seq, e.Data)
		}
	}
}

func brief(seqs []event.Seq) string {
	if len(seqs) > 20 {
		return fmt.Sprint(seqs[:10], "…", seqs[len(seqs)-10:])
	}
	return fmt.Sprint(seqs)
}

func TestEveryEventOnceInOrder(t *testing.T) {
	for _, chunk := range []int{1, 3, 64} {
		r := newSetup(after(5000))
		r.relay.chunk = chunk
		r.run(t)
		wantSeqs(t, r.sink, span(1, 5000))
		if r.sink.cursor != 5000 {
			t.Errorf("cursor %d", r.sink.cursor)
		}
		if n := slices.Max(r.sink.sizes); n > 500 {
			t.Errorf("a batch held %d entries", n)
		}
	}
}

// §4 of the contract: in-process reconnects use the latest position.
func TestReconnectAsksBehindTheLastFrameRead(t *testing.T) {
	r := newSetup(after(10), after(20), after(30))
	r.run(t)
	wantSeqs(t, r.sink, span(1, 30))
	if got := fmt.Sprint(r.relay.positions()); got != "[live 10 20]" {
		t.Errorf("asked for %s", got)
	}
}

func TestQ2Q3RepeatsAreDroppedAndCounted(t *testing.T) {
	inclusive := only(frames(10, 11, 12)...)
	overlap := only(frames(9, 10, 11, 12, 13, 12, 14)...)
	r := newSetup(after(10), inclusive, overlap)
	r.run(t)
	wantSeqs(t, r.sink, span(1, 14))
	if got := r.seen.total().Repeats; got != 1+5 {
		t.Errorf("counted %d repeats, want 6", got)
	}
	if len(r.seen.alarms) > 0 {
		t.Errorf("alarms: %v", r.seen.alarms)
	}
}

func TestQ1GapsAreLegalAndMeasured(t *testing.T) {
	r := newSetup(only(frames(1, 2, 10, 11, 1000)...))
	r.run(t)
	wantSeqs(t, r.sink, []event.Seq{1, 2, 10, 11, 1000})
	if c := r.seen.total(); c.Gaps != 2 || c.Skipped != 7+988 {
		t.Errorf("counted %d gaps, %d skipped", c.Gaps, c.Skipped)
	}
}

// §4 of the contract, F3: what yields no entry still moves the cursor.
func TestPositionMovesPastEventsWithoutEntry(t *testing.T) {
	r := newSetup(only(identity(1), syncEvent(2), unknown(3), notAnIdentity(4), info("Hello"), syncEvent(9)))
	r.run(t)
	wantSeqs(t, r.sink, []event.Seq{1})
	if r.sink.cursor != 9 {
		t.Errorf("cursor %d, want 9", r.sink.cursor)
	}
	c := r.seen.total()
	if c.Events[event.KindSync] != 2 || c.Events[event.KindUnknown] != 1 || c.Events[event.KindInfo] != 1 {
		t.Errorf("events %v", c.Events)
	}
	if c.Rejected[event.ReasonDID] != 1 || len(r.seen.rejects) != 1 || r.seen.rejects[0].Seq != 4 {
		t.Errorf("rejected %v, %v", c.Rejected, r.seen.rejects)
	} else if want := notAnIdentity(4); !bytes.Equal(r.seen.kept[0], want) {
		t.Errorf("the observer saw %q, the relay sent %q", r.seen.kept[0], want)
	}
}

func TestFilterMovesThePosition(t *testing.T) {
	r := newSetup(after(50))
	var err error
	if r.cfg.Filter, err = filter.New(filter.Config{Kinds: []string{"commit"}}); err != nil {
		t.Fatal(err)
	}
	r.run(t)
	wantSeqs(t, r.sink, nil)
	if r.sink.cursor != 50 || r.seen.total().Filtered != 50 {
		t.Errorf("cursor %d, filtered %d", r.sink.cursor, r.seen.total().Filtered)
	}
}

// F6: a frame that breaks the stream is asked for again from the last good
// position and passed over at the third try; its neighbours are kept.
func TestF6PoisonFrameIsRetriedThenPassed(t *testing.T) {
	poisoned := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		all := append(frames(span(1, 5)...), []byte{0xff, 0xff})
		all = append(all, frames(span(6, 9)...)...)
		if send(all[from.Seq:]...) {
			send(frames(span(10, 12)...)...)
		}
	}
	r := newSetup(poisoned, poisoned, poisoned)
	r.run(t)
	wantSeqs(t, r.sink, span(1, 12))
	if got := fmt.Sprint(r.relay.positions()); got != "[live 5 5]" {
		t.Errorf("asked for %s", got)
	}
	if got := len(r.seen.rejects); got != 3 {
		t.Errorf("%d sightings reported, want 3", got)
	}
}

// C9: a source hands an oversized message over only after asking for it again,
// so it is passed over at once.
func TestC9OversizedMessageIsPassedOver(t *testing.T) {
	r := newSetup(only(identity(1), oversize, identity(2)))
	r.run(t)
	wantSeqs(t, r.sink, span(1, 2))
	if c := r.seen.total(); c.Rejected[event.ReasonOversize] != 1 {
		t.Errorf("rejected %v", c.Rejected)
	}
}

func TestF4ErrorFrameClosesAndReconnects(t *testing.T) {
	r := newSetup(only(identity(1), errorFrame("ConsumerTooSlow"), identity(2)), after(3))
	r.relay.chunk = 64
	r.run(t)
	wantSeqs(t, r.sink, span(1, 3))
}

func TestUntilSeqStopsExactlyThere(t *testing.T) {
	for name, c := range map[string]struct {
		until, last event.Seq
		frames      []event.Seq
	}{
		"present": {until: 7, last: 7, frames: span(1, 20)},
		"skipped": {until: 8, last: 7, frames: []event.Seq{5, 7, 9, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			endless := func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
				send(frames(c.frames...)...)
				hangUpSeen(ctx)
			}
			r := newSetup(endless)
			r.cfg.UntilSeq = c.until
			r.run(t)
			got := r.sink.seqs()
			if got[len(got)-1] != c.last {
				t.Errorf("stored up to %d, want %d", got[len(got)-1], c.last)
			}
		})
	}
	t.Run("already", func(t *testing.T) {
		r := newSetup()
		r.sink.set(100)
		r.cfg.UntilSeq = 50
		r.run(t)
		if len(r.relay.positions()) != 0 {
			t.Error("connected although nothing is left to do")
		}
	})
}

// G4: Redis went back; the run goes on from the stored cursor.
func TestG4RollbackReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := after(3000)
		r := newSetup(full, full, full)
		r.cfg.BatchSize = 100
		r.sink.before = func(call int, _ []*event.Batch) error {
			if call == 5 { // lose what was acknowledged since seq 120
				r.sink.cursor = 120
				r.sink.entries = r.sink.entries[:120]
			}
			return nil
		}
		r.run(t)
		wantSeqs(t, r.sink, span(1, 3000))
		if r.seen.alarmed(event.AlarmRollback) != 1 {
			t.Errorf("alarms: %v", r.seen.alarms)
		}
	})
}

func TestFinalSinkErrorStopsTheRun(t *testing.T) {
	r := newSetup(func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
		for seq := event.Seq(1); send(identity(seq)); seq++ {
		}
	})
	broken := errors.New("cursor is garbage")
	r.sink.before = func(call int, _ []*event.Batch) error { return broken }
	if err := pipeline.New(r.cfg).Run(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("run: %v", err)
	}
}

// G6: cancelling stops reading, stores what was read and returns nil.
func TestG6CleanStopStoresWhatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var sent event.Seq
		r := newSetup(func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
			for send(identity(sent + 1)) {
				if sent++; sent == 777 {
					cancel()
				}
			}
		})
		if err := pipeline.New(r.cfg).Run(ctx); err != nil {
			t.Fatal(err)
		}
		got := r.sink.seqs()
		wantSeqs(t, r.sink, span(1, event.Seq(len(got))))
		if len(got) < 777 {
			t.Errorf("stored %d of at least 777 frames read", len(got))
		}
	})
}

// G6: the stop may come in the very instant in which a chunk is handed over; it
// must not be waited for by anybody then.
func TestG6StopWhileAChunkIsHandedOver(t *testing.T) {
	for range 60 { // either may come first
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r := newSetup(func(_ context.Context, _ event.Position, send func(...[]byte) bool) {
				for seq := event.Seq(1); send(identity(seq)); seq++ {
				}
			})
			r.relay.chunk, r.cfg.BatchSize = 1, 2
			when := time.Now().Add(time.Minute)
			r.sink.before = func(int, []*event.Batch) error { time.Sleep(time.Until(when)); return nil }
			time.AfterFunc(time.Minute, cancel)
			if err := pipeline.New(r.cfg).Run(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// G6: a sink that hangs does not keep the process beyond the drain time.
func TestG6StopIsBoundedWhenTheSinkHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := newSetup(func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
			for seq := event.Seq(1); send(identity(seq)); seq++ {
			}
		})
		r.cfg.Sink = hungSink{r.sink}
		time.AfterFunc(time.Minute, cancel)
		began := time.Now()
		if err := pipeline.New(r.cfg).Run(ctx); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Minute+9*time.Second {
			t.Errorf("stopping took %v", took-time.Minute)
		}
	})
}

type hungSink struct{ *memorySink }

func (hungSink) Commit(ctx context.Context, _ []*event.Batch) ([]event.Receipt, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A quiet stream is stored after the batch age, not when a batch is full.
func TestBatchAgeBoundsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stored time.Duration
		began := time.Now()
		r := newSetup(func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
			send(identity(1))
			time.Sleep(time.Hour)
		})
		r.sink.before = func(int, []*event.Batch) error { stored = time.Since(began); return nil }
		r.run(t)
		if stored != 40*time.Millisecond {
			t.Errorf("stored after %v", stored)
		}
	})
}

// With one decoder the reader decodes, and nothing else changes.
func TestOneDecoderIsTheReader(t *testing.T) {
	r := newSetup(after(500), after(1000))
	r.cfg.Decoders = 1
	r.run(t)
	wantSeqs(t, r.sink, span(1, 1000))
}

// Events before a lull have waited in the socket already: they are stored at
// once, and none of them is lost or out of order however the lulls fall.
func TestLullSendsTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stored time.Duration
		began := time.Now()
		r := newSetup(func(_ context.Context, _ event.Position, send func(...[]byte) bool) {
			send(frames(span(1, 93)...)...) // while the sink is behind they may wait for more
			time.Sleep(time.Millisecond)
			send(frames(span(94, 100)...)...)
			time.Sleep(time.Hour)
		})
		r.relay.lull, r.relay.chunk = true, 7
		r.sink.before = func(int, []*event.Batch) error { stored = time.Since(began); return nil }
		r.run(t)
		if stored != time.Millisecond {
			t.Errorf("the last batch was stored after %v, want the instant it was read", stored)
		}
		wantSeqs(t, r.sink, span(1, 100))
	})
}

func TestQueueIsBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		sent := 0
		r := newSetup(func(_ context.Context, _ event.Position, send func(...[]byte) bool) {
			for send(identity(event.Seq(sent + 1))) {
				sent++
			}
		})
		r.cfg.QueueBytes = 2000
		r.cfg.BatchSize = 10
		r.cfg.Sink = hungSink{r.sink}
		if err := pipeline.New(r.cfg).Run(ctx); err != nil {
			t.Fatal(err)
		}
		// 9 batches of 10, one being filled, and 2000 bytes of frames.
		if limit := 9*10 + 10 + 2000/len(identity(1)) + 5; sent > limit {
			t.Errorf("took %d frames from the relay while the sink hung, want at most %d", sent, limit)
		}
	})
}

// Random faults, many seeds, virtual time: whatever relay and sink do, the
// stream is exact. The fault counters prove that something was injected.
func TestRandomFaultsLeaveAnExactStream(t *testing.T) {
	const seeds, last = 300, 400
	var injected [5]int
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) { randomRun(t, seed, last, &injected) })
	}
	for kind, n := range injected {
		if n < seeds/10 {
			t.Errorf("fault kind %d was injected only %d times", kind, n)
		}
	}
}

func randomRun(t *testing.T, seed uint64, last event.Seq, injected *[5]int) {
	// Relay and sink run on goroutines of their own and draw for themselves.
	rng, sinkRNG := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	play := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		seq := from.Seq + 1
		if rng.IntN(2) == 0 && from.Seq > 3 { // overlap, then meet the cursor
			seq = from.Seq - event.Seq(rng.IntN(3))
			injected[0]++
		}
		for ; seq <= last; seq++ {
			switch rng.IntN(60) {
			case 0:
				injected[1]++
				return // cut
			case 1:
				injected[2]++
				send([]byte{0xa1, 0x61}) // half a header
			case 2:
				if seq > 5 {
					injected[3]++
					send(identity(seq - 3)) // regress
				}
			}
			if !send(identity(seq)) {
				return
			}
		}
	}
	r := newSetup(slices.Repeat([]connection{play}, 400)...)
	r.relay.chunk, r.relay.delay = 1+rng.IntN(5), time.Second
	r.cfg.BatchSize, r.cfg.InFlight, r.cfg.UntilSeq = 1+rng.IntN(40), 1+rng.IntN(4), last
	r.sink.before = func(int, []*event.Batch) error {
		if n := len(r.sink.entries); n > 10 && sinkRNG.IntN(15) == 0 { // lose a tail
			injected[4]++
			keep := n - sinkRNG.IntN(10)
			r.sink.entries = r.sink.entries[:keep]
			r.sink.cursor = r.sink.entries[keep-1].Seq
		}
		return nil
	}
	if err := pipeline.New(r.cfg).Run(t.Context()); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if got := r.sink.seqs(); !slices.Equal(got, span(1, last)) {
		t.Fatalf("seed %d: stored %d of %d: %s", seed, len(got), last, brief(got))
	}
}
