package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

const leaseFor = 1500 * time.Millisecond

// member is one process's view of a memorySink that several share, with a lease
// as the append script has it.
type member struct {
	*memorySink
	lease *lease
	name  string
	led   bool
	asked int
}

type lease struct {
	holder string
	until  time.Time
}

func (l *lease) take(name string) bool {
	if l.holder != "" && l.holder != name && time.Now().Before(l.until) {
		return false
	}
	l.holder, l.until = name, time.Now().Add(leaseFor)
	return true
}

func (m *member) Lead(ctx context.Context) (event.Lead, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	before := m.led
	if m.led = m.lease.take(m.name); m.led {
		return event.Lead{Leading: true, Cursor: m.cursor}, ctx.Err()
	}
	if before {
		return event.Lead{}, &event.Led{By: m.lease.holder}
	}
	return event.Lead{By: m.lease.holder, Cursor: m.cursor}, ctx.Err()
}

func (m *member) Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error) {
	m.mu.Lock()
	m.led = m.lease.take(m.name)
	led, by := m.led, m.lease.holder
	m.mu.Unlock()
	if !led {
		return nil, &event.Led{By: by}
	}
	return m.memorySink.Commit(ctx, batches)
}

// other is another process, of which only what it does to the sink exists.
type other struct {
	sink  *memorySink
	lease *lease
}

// storesUpTo lets the other store what a relay of every seq sends, a thousand
// events a second, until it dies at the given seq. In the instant it begins
// nothing is stored, so that what else begins then cannot win or lose a race.
func (o other) storesUpTo(last event.Seq) {
	for {
		time.Sleep(20 * time.Millisecond)
		seq := sent()
		if seq > last {
			return
		}
		o.sink.mu.Lock()
		for next := o.sink.cursor + 1; next <= seq; next++ {
			o.sink.entries = append(o.sink.entries, event.Entry{Seq: next, Kind: event.KindIdentity, Data: []byte(wantData(next))})
		}
		o.sink.cursor, o.sink.has = seq, true
		o.lease.take("other")
		o.sink.mu.Unlock()
	}
}

// In a bubble of synctest time begins at the same instant: seq n is sent n
// milliseconds later.
var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func sent() event.Seq { return event.Seq(time.Since(bubble) / time.Millisecond) }

// steady plays a thousand events a second for ever, from a position.
func steady(ctx context.Context, from event.Position, send func(...[]byte) bool) {
	seq := from.Seq + 1
	if from.Start == event.Live {
		seq = sent() + 1
	}
	for ; ctx.Err() == nil; seq++ {
		time.Sleep(time.Until(bubble.Add(time.Duration(seq) * time.Millisecond)))
		if !send(identity(seq)) {
			return
		}
	}
}

// pair is a setup that shares its sink with another process.
func pair(conns ...connection) (*setup, *member, other) {
	r := newSetup(conns...)
	m := &member{memorySink: r.sink, lease: &lease{}, name: "this"}
	r.cfg.Sink = m
	return r, m, other{r.sink, m.lease}
}

// runs runs the pipeline beside what others do, until it ends.
func (r *setup) runs(t *testing.T, ctx context.Context, others func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); others() }()
	if err := pipeline.New(r.cfg).Run(ctx); err != nil {
		t.Errorf("run: %v", err)
	}
	<-done
}

func (r *setup) wantRoles(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, role := range r.seen.roles {
		if got = append(got, role.By); role.Leading {
			got[len(got)-1] = "this"
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("leaders %v, want %v", got, want)
	}
}

// A standby decodes nothing and keeps no more than it may need; it takes over on
// the connection it has, with what it put aside.
func TestStandbyTakesOverWithoutReconnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m, o := pair(steady)
		r.cfg.UntilSeq = 20_000
		o.lease.take("other")
		var decoded int64
		var took time.Duration
		r.runs(t, t.Context(), func() {
			o.storesUpTo(10_000)
			decoded = r.seen.total().Frames
			died := time.Now()
			for o.sink.last() <= 10_000 {
				time.Sleep(time.Millisecond)
			}
			took = time.Since(died)
		})
		wantSeqs(t, r.sink, span(1, 20_000))
		r.wantRoles(t, "other", "this")
		if got := fmt.Sprint(r.relay.positions()); got != "[live]" {
			t.Errorf("connected from %s", got)
		}
		if decoded != 0 {
			t.Errorf("decoded %d frames while standing by", decoded)
		}
		if n := r.seen.total().Frames; n > 10_300 {
			t.Errorf("decoded %d frames for 10,000 events", n)
		}
		if took > 2*time.Second {
			t.Errorf("nobody stored for %v", took)
		}
		if m.asked > 120 {
			t.Errorf("asked %d times in 20 s", m.asked)
		}
	})
}

// A standby told to run until a seq ends with it, whoever stored it: also when it
// learns of that only by taking the lead, and the relay then sends nothing more.
func TestStandbyEndsWhenItsLastSeqIsStored(t *testing.T) {
	quiet := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		for seq := event.Seq(1); seq <= 3000 && send(identity(seq)); seq++ {
			time.Sleep(time.Millisecond)
		}
		hangUpSeen(ctx)
	}
	for name, until := range map[string]event.Seq{"stored while it asks": 2000, "stored by the leader's last batch": 3000, "below it": 2990} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, o := pair(quiet)
				r.cfg.UntilSeq = until
				r.sink.set(0)
				o.lease.take("other")
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				r.runs(t, ctx, func() {
					o.storesUpTo(2970)
					r.sink.mu.Lock() // the last batch, and the end of the lease with it
					for seq := r.sink.cursor + 1; seq <= 3000; seq++ {
						r.sink.entries = append(r.sink.entries, event.Entry{Seq: seq, Kind: event.KindIdentity, Data: []byte(wantData(seq))})
					}
					r.sink.cursor = 3000
					o.lease.until = time.Now()
					r.sink.mu.Unlock()
				})
				if ended := time.Since(bubble); ctx.Err() != nil || ended > 10*time.Second {
					t.Errorf("ended after %v: %v", ended, ctx.Err())
				}
				wantSeqs(t, r.sink, span(1, 3000))
			})
		})
	}
}

func (s *memorySink) last() event.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor
}

// With less room than the lease lasts, the standby reads again from the cursor,
// also when the connection it has falls silent.
func TestStandbyThatDroppedReconnectsFromTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			for seq := event.Seq(1); seq <= 10_300 && send(identity(seq)); seq++ {
				time.Sleep(time.Millisecond)
			}
			hangUpSeen(ctx)
		}
		r, _, o := pair(silent, steady)
		r.cfg.UntilSeq = 12_000
		r.cfg.QueueBytes = 200 * int64(len(identity(1000)))
		o.lease.take("other")
		r.runs(t, t.Context(), func() { o.storesUpTo(10_000) })
		wantSeqs(t, r.sink, span(1, 12_000))
		asked := r.relay.positions()
		if len(asked) != 2 || asked[1].Start != event.After || asked[1].Seq < 9970 || asked[1].Seq > 10_000 {
			t.Errorf("connected from %v", asked)
		}
		if len(r.relay.causes) < 1 || !errors.Is(r.relay.causes[0], event.ErrTakeOver) {
			t.Errorf("hung up for %v", r.relay.causes)
		}
	})
}

// G1: a connection that began live after the leader's did may lack what the
// leader had read and not stored.
func TestStandbyThatBeganLiveKnowsWhatItLacks(t *testing.T) {
	for name, first := range map[string][]byte{"sends": identity(1001), "has sent no event": info("Hello"), "has sent nothing": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
					time.Sleep(time.Second)
					if first != nil {
						send(first)
					}
					time.Sleep(3 * time.Second)
					steady(ctx, event.Position{}, send)
				}
				r, _, o := pair(late, steady)
				r.cfg.UntilSeq = 6000
				o.lease.take("other")
				r.runs(t, t.Context(), func() { o.storesUpTo(500) })
				wantSeqs(t, r.sink, span(1, 6000))
			})
		})
	}
}

// A connection that breaks while standing by is made again behind what the
// leader has stored, and what the old one sent is not taken for more.
func TestStandbyReconnectsBehindTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			for seq := from.Seq + 1; seq <= 3000 && send(identity(seq)); seq++ {
				time.Sleep(time.Millisecond)
			}
		}
		r, _, o := pair(short, steady)
		r.cfg.UntilSeq = 12_000
		r.sink.set(0)
		o.lease.take("other")
		r.runs(t, t.Context(), func() { o.storesUpTo(10_000) })
		wantSeqs(t, r.sink, span(1, 12_000))
		if asked := r.relay.positions(); len(asked) != 2 || asked[1].Seq < 2700 {
			t.Errorf("connected from %v", asked)
		}
	})
}

// Redis lost writes, or an operator rewound, and the leader read them again, but
// died before it had caught up: what the standby holds begins too late.
func TestStandbyWhoseCursorWentBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, o := pair(steady, steady)
		r.cfg.UntilSeq = 8000
		time.Sleep(2 * time.Second)
		o.lease.take("other")
		for _, seq := range span(1, 2000) {
			r.sink.entries = append(r.sink.entries, event.Entry{Seq: seq, Data: []byte(wantData(seq))})
		}
		r.sink.set(2000)
		r.runs(t, t.Context(), func() {
			time.Sleep(time.Second)
			r.sink.set(1000)
			r.sink.mu.Lock()
			r.sink.entries = r.sink.entries[:1000]
			r.sink.mu.Unlock()
		})
		wantSeqs(t, r.sink, span(1, 8000))
	})
}

// What is wrong with a connection is judged by who leads, and only then.
func TestStandbyJudgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			send(info("OutdatedCursor"), []byte{0xff}, identity(1), errorFrame("ConsumerTooSlow"), oversize, identity(2))
			steady(ctx, event.AfterSeq(2), send)
		}
		r, _, o := pair(odd)
		r.cfg.UntilSeq = 8000
		o.lease.take("other")
		r.runs(t, t.Context(), func() { o.storesUpTo(5000) })
		wantSeqs(t, r.sink, span(1, 8000))
		if len(r.relay.positions()) != 1 || len(r.seen.alarms)+len(r.seen.rejects) != 0 {
			t.Errorf("connected %v, alarms %v, rejects %v", r.relay.positions(), r.seen.alarms, r.seen.rejects)
		}
	})
	synctest.Test(t, func(t *testing.T) { // the same, above the cursor
		r, _, o := pair(func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			for seq := event.Seq(1); seq <= 2000; seq++ {
				time.Sleep(time.Millisecond)
				send(identity(seq))
			}
			send(oversize)
			steady(ctx, event.AfterSeq(2000), send)
		})
		r.cfg.UntilSeq = 6000
		o.lease.take("other")
		r.runs(t, t.Context(), func() { o.storesUpTo(1500) })
		wantSeqs(t, r.sink, span(1, 6000))
		if len(r.seen.rejects) != 1 || r.seen.rejects[0].Reason != event.ReasonOversize {
			t.Errorf("rejects %v", r.seen.rejects)
		}
	})
}

// A leader that was paused finds another in its place, stands by, and may lead
// again later: the process goes on throughout.
func TestLeaderThatWasPausedStandsBy(t *testing.T) {
	for name, commits := range map[string]bool{"storing": true, "idle": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, m, o := pair(steady, steady, steady)
				r.cfg.UntilSeq = 20_000
				if !commits { // nothing to store while the lease changes hands
					r.relay.conns[0] = func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
						send(frames(span(1, 2000)...)...)
						hangUpSeen(ctx)
					}
				}
				r.runs(t, t.Context(), func() {
					time.Sleep(5 * time.Second)
					m.mu.Lock() // as if it had been paused for longer than the lease
					m.lease.holder, m.lease.until = "other", time.Now().Add(leaseFor)
					m.mu.Unlock()
					o.storesUpTo(10_000)
				})
				wantSeqs(t, r.sink, span(1, 20_000))
				r.wantRoles(t, "this", "other", "this")
				if len(r.seen.alarms) != 0 {
					t.Errorf("alarms %v", r.seen.alarms)
				}
			})
		})
	}
}

// G4: what the former leader stored was lost, and its lease with it.
func TestStandbyThatTakesOverAfterARollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m, o := pair(steady, steady)
		r.cfg.UntilSeq = 8000
		r.cfg.Sink = &rolledBack{member: m}
		o.lease.take("other")
		r.runs(t, t.Context(), func() { o.storesUpTo(5000) })
		wantSeqs(t, r.sink, span(1, 8000))
		if r.seen.alarmed(event.AlarmRollback) != 1 {
			t.Errorf("alarms %v", r.seen.alarms)
		}
	})
}

// rolledBack loses what was stored above 3000 just before the lead is given.
type rolledBack struct {
	*member
	stood, done bool
}

func (s *rolledBack) Lead(ctx context.Context) (event.Lead, error) {
	lead, err := s.member.Lead(ctx)
	if s.stood = s.stood || !lead.Leading; lead.Leading && s.stood && !s.done {
		s.done = true
		s.set(3000)
		s.mu.Lock()
		s.entries = s.entries[:3000]
		s.mu.Unlock()
		return lead, &event.Moved{To: event.AfterSeq(3000), Alarm: event.AlarmRollback, Detail: "lost"}
	}
	return lead, err
}

func TestStandbyEndsWhenTheLeaderHasStoredEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, o := pair(steady)
		r.cfg.UntilSeq = 3000
		o.lease.take("other")
		r.runs(t, t.Context(), func() { o.storesUpTo(5000) })
		r.wantRoles(t, "other")
	})
}

// G6: nothing has to be stored, so nothing delays the end.
func TestStandbyStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, _, o := pair(steady)
		o.lease.take("other")
		r.runs(t, ctx, func() { o.storesUpTo(6000) })
		r.wantRoles(t, "other")
		wantSeqs(t, r.sink, span(1, 6000))
	})
}

// A source that ends for good ends one that stands by as well.
func TestStandbyWhoseSourceFailsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, o := pair()
		broken := errors.New("no such host")
		r.cfg.Source = failing{broken}
		o.lease.take("other")
		o.lease.until = time.Now().Add(time.Hour)
		began := time.Now()
		if err := pipeline.New(r.cfg).Run(t.Context()); !errors.Is(err, broken) {
			t.Errorf("run: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// G1 to G3 for three processes that pause, lose the lease, are cut off and
// overflow at random, in virtual time.
func TestRandomPairsLeaveAnExactStream(t *testing.T) {
	const seeds, last = 40, 3000
	var changes, reconnects int
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			store, shared := &memorySink{}, &lease{}
			var setups []*setup
			done := make(chan error, 3)
			for i := range 3 {
				conn := faulty(rand.New(rand.NewPCG(seed, uint64(10+i))))
				r := newSetup(slices.Repeat([]connection{conn}, 200)...)
				r.sink, r.relay.delay = store, 100*time.Millisecond
				r.cfg.Sink = &member{memorySink: store, lease: shared, name: fmt.Sprint(i)}
				r.cfg.UntilSeq = last
				if rng.IntN(2) == 0 {
					r.cfg.QueueBytes = int64(100+rng.IntN(3000)) * 100
				}
				setups = append(setups, r)
				go func() { done <- pipeline.New(r.cfg).Run(t.Context()) }()
			}
			for range 3 {
				time.Sleep(time.Duration(rng.IntN(900)) * time.Millisecond)
				store.mu.Lock() // whoever led was paused, and another took over
				*shared = lease{fmt.Sprint(rng.IntN(3)), time.Now().Add(leaseFor)}
				store.mu.Unlock()
			}
			for range setups {
				if err := <-done; err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
			got := store.seqs()
			if want := span(got[0], last); !slices.Equal(got, want) {
				t.Fatalf("seed %d: stored %d of %d: %s", seed, len(got), len(want), brief(got))
			}
			for _, r := range setups {
				changes += len(r.seen.roles) - 1
				reconnects += len(r.relay.positions()) - 1
			}
		})
	}
	if changes < seeds || reconnects < seeds {
		t.Errorf("the lead changed %d times and connections broke %d times: too little happened", changes, reconnects)
	}
}

// faulty is steady, and breaks now and then.
func faulty(rng *rand.Rand) connection {
	return func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		steady(ctx, from, func(frames ...[]byte) bool { return rng.IntN(700) != 0 && send(frames...) })
	}
}

// failing is a source that cannot go on.
type failing struct{ err error }

func (f failing) Frames(context.Context, func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) { yield(nil, f.err) }
}
