package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// script plays seqs in this order to whoever asks from below them, as a relay
// does that has them in its log: all behind the first one above the position.
// Then it keeps the connection open.
func script(seqs ...event.Seq) connection {
	return func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		at := slices.IndexFunc(seqs, func(s event.Seq) bool { return from.Start != event.After || s > from.Seq })
		if at < 0 || send(frames(seqs[at:]...)...) {
			hangUpSeen(ctx)
		}
	}
}

// once plays the first connection, and to all later ones the second.
func once(first, later connection) []connection {
	return append([]connection{first}, slices.Repeat([]connection{later}, 40)...)
}

func again(c connection) []connection { return slices.Repeat([]connection{c}, 40) }

// stairs rise by ever more, from a power of two on.
func stairs(from int) (seqs []event.Seq) {
	for k := from; k < 45; k++ {
		seqs = append(seqs, 1006+1<<k)
	}
	return seqs
}

// leapRun lets a run with cursor 1000 go on for ten minutes.
func leapRun(t *testing.T, r *setup) {
	t.Helper()
	r.sink.set(1000)
	r.runFor(t, 10*time.Minute)
}

func (r *setup) runFor(t *testing.T, d time.Duration) {
	t.Helper()
	r.relay.delay = time.Second // as the source's shortest wait
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- pipeline.New(r.cfg).Run(ctx) }()
	time.Sleep(d)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

const far = event.MaxSeq

// Q1, G1, G7: one frame cannot move the cursor anywhere. A leap is believed only
// when other connections confirm it; otherwise its event alone is lost, counted,
// kept and named, and everything behind the last sound seq is stored.
func TestOneSeqFarAheadCostsItselfOnly(t *testing.T) {
	sound := script(span(1001, 1100)...)
	split := func(leaps ...event.Seq) []event.Seq {
		return slices.Concat(span(1001, 1005), leaps, span(1006, 1100))
	}
	cases := map[string]struct {
		conns []connection
		leaps int // rejected
	}{
		"on one connection":                {once(script(split(far)...), sound), 1},
		"on each connection":               {again(script(split(far)...)), 1},
		"a billion at a fast rate":         {again(script(split(1_000_001_005)...)), 1},
		"three that rise":                  {again(script(split(far-2, far-1, far)...)), 3},
		"two that fall":                    {again(script(split(far, 1<<40)...)), 2},
		"again and again":                  {again(script(slices.Concat(span(1001, 1005), []event.Seq{far}, span(1006, 1050), []event.Seq{1 << 40}, span(1051, 1100))...)), 2},
		"a small one":                      {again(script(slices.Concat(span(1001, 1005), []event.Seq{900_000}, span(1006, 1100))...)), 1},
		"last before a cut":                {once(only(frames(append(span(1001, 1005), far)...)...), sound), 1},
		"last before a cut, each time":     {[]connection{only(frames(append(span(1001, 1005), far)...)...), only(frames(far)...), only(frames(far)...), only(frames(far)...), sound}, 1},
		"a billion, then a cut, each time": {append(slices.Repeat([]connection{only(frames(1_000_001_000)...)}, 5), sound), 1},
		"a billion, then poison, each time": {again(func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			if send(frames(1_000_001_005)...) && send([]byte{0xff}) && send(frames(span(from.Seq+1, 1100)...)...) {
				hangUpSeen(ctx)
			}
		}), 1},
		"five thousand":                 {again(script(split(6006)...)), 1},
		"a staircase":                   {again(script(split(stairs(10)...)...)), 35},
		"first of a connection":         {once(script(append([]event.Seq{far}, span(1001, 1100)...)...), sound), 1},
		"first of each connection":      {again(script(append([]event.Seq{far}, span(1001, 1100)...)...)), 1},
		"another one on each, then cut": {[]connection{only(frames(1 << 50)...), only(frames(1 << 40)...), only(frames(1 << 45)...), only(frames(1 << 35)...), sound}, 4},
	}
	for name, c := range cases {
		for _, chunk := range []int{1, 64} {
			t.Run(fmt.Sprint(name, "/", chunk), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newSetup(c.conns...)
					r.relay.chunk = chunk
					leapRun(t, r)
					wantSeqs(t, r.sink, span(1001, 1100))
					if r.sink.cursor != 1100 {
						t.Errorf("cursor %d", r.sink.cursor)
					}
					if n := r.seen.total().Rejected[event.ReasonLeap]; n != int64(c.leaps) {
						t.Errorf("%d rejected, want %d: %v", n, c.leaps, r.seen.rejects)
					}
					if n := r.seen.alarmed(event.AlarmLeap); n < 1 {
						t.Errorf("alarms: %v", r.seen.alarms)
					}
					for i, j := range r.seen.rejects {
						if want := identity(j.Seq); j.Reason == event.ReasonLeap && !bytes.Equal(r.seen.kept[i], want) {
							t.Errorf("seq %d: kept %q", j.Seq, r.seen.kept[i])
						}
					}
					if len(r.seen.alarms) != r.seen.alarmed(event.AlarmLeap) {
						t.Errorf("alarms: %v", r.seen.alarms)
					}
				})
			})
		}
	}
}

// Every kind of frame that carries a seq is judged, and what carries none moves
// nothing (F3, F5).
func TestLeapOfEveryKindIsDoubted(t *testing.T) {
	seqOf := func(kind string) []byte {
		return join(header(kind), head(5, 2), text("name"), text("x"), text("seq"), head(0, uint64(far)))
	}
	errorWithSeq := join(head(5, 1), text("op"), head(1, 0), head(5, 2), text("error"), text("x"), text("seq"), head(0, uint64(far)))
	for name, c := range map[string]struct {
		frame []byte
		leaps int64
	}{
		"sync": {syncEvent(far), 1}, "unknown": {unknown(far), 1}, "rejected": {notAnIdentity(far), 1},
		"info": {seqOf("info"), 0}, "error": {errorWithSeq, 0},
		"above what Q1 allows": {identity(far + 1), 0}, "zero": {identity(0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				odd := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
					if from.Seq < 1005 {
						send(frames(span(from.Seq+1, 1005)...)...)
						send(c.frame)
						from.Seq = 1005
					}
					send(frames(span(from.Seq+1, 1100)...)...)
					hangUpSeen(ctx)
				}
				r := newSetup(again(odd)...)
				leapRun(t, r)
				wantSeqs(t, r.sink, span(1001, 1100))
				if n := r.seen.total().Rejected[event.ReasonLeap]; n != c.leaps {
					t.Errorf("%d rejected, want %d", n, c.leaps)
				}
			})
		})
	}
}

// Until it is confirmed nothing moves the stored cursor, not even a watermark
// that no entry carries.
func TestUnconfirmedLeapNeverReachesTheCursor(t *testing.T) {
	for name, frame := range map[string][]byte{"entry": identity(far), "watermark": syncEvent(far), "reachable": identity(1 << 40)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := waits(append(frames(span(1001, 1005)...), frame)...)
				quiet := waits()
				r := newSetup(append([]connection{first}, again(quiet)...)...)
				r.sink.before = func(int, []*event.Batch) error {
					if r.sink.cursor > 1005 {
						return errors.New("the cursor moved")
					}
					return nil
				}
				leapRun(t, r)
				wantSeqs(t, r.sink, span(1001, 1005))
				if r.sink.cursor != 1005 {
					t.Errorf("cursor %d", r.sink.cursor)
				}
			})
		})
	}
}

// Q1: gaps are legal. A leap that other connections show as well is stored, with
// everything behind it, and is no alarm.
func TestQ1ConfirmedLeapIsStored(t *testing.T) {
	busy := slices.Concat(span(1001, 1005), span(9_000_000_000, 9_000_000_500))
	for name, seqs := range map[string][]event.Seq{
		"a busy relay":              busy,
		"a single event":            {1001, 9_000_000_000},
		"two leaps":                 slices.Concat(span(1001, 1005), span(9_000_000_000, 9_000_000_100), span(1<<45, 1<<45+100)),
		"first of a connection":     span(9_000_000_000, 9_000_000_300),
		"to where no numbering was": slices.Concat(span(1001, 1005), span(far-200, far)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSetup(again(script(seqs...))...)
				leapRun(t, r)
				wantSeqs(t, r.sink, seqs)
				if c := r.seen.total(); c.Rejected[event.ReasonLeap] != 0 || len(r.seen.alarms) > 0 {
					t.Errorf("rejected %d, alarms %v", c.Rejected[event.ReasonLeap], r.seen.alarms)
				}
			})
		})
	}
}

// A false leap that came once, below or above a true one, neither keeps the true one
// out nor comes in with it.
func TestFalseLeapBesideATrueOne(t *testing.T) {
	line := slices.Concat(span(1001, 1005), span(9_000_000_000, 9_000_000_200))
	for name, odd := range map[string][]event.Seq{
		"below": {1_500_000}, "far below": {900_000_000}, "above": {far}, "above, reachable": {1 << 45}, "many": {1_500_000, 1 << 45, 700_000_000, 1 << 40, 5_000_000, far},
	} {
		for where, first := range map[string][]event.Seq{
			"before": slices.Concat(span(1001, 1005), odd, span(9_000_000_000, 9_000_000_200)),
			"last":   slices.Concat(span(1001, 1005), odd),
		} {
			t.Run(name+"/"+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cut := func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
						send(frames(first...)...)
						select {
						case <-time.After(time.Minute):
						case <-ctx.Done():
						}
					}
					r := newSetup(once(cut, script(line...))...)
					leapRun(t, r)
					wantSeqs(t, r.sink, line)
				})
			})
		}
	}
}

// A leap that the source has judged, as the spill directory's does, is not doubted again:
// between memory and disk no connection lasts long enough to confirm anything.
func TestJudgedLeapIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seqs := slices.Concat(span(1001, 1005), span(1<<40, 1<<40+20))
		r := newSetup(again(script(seqs...))...)
		r.relay.judged = true
		leapRun(t, r)
		wantSeqs(t, r.sink, seqs)
		if n := len(r.relay.positions()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// Q1: a relay whose numbers are sparse is slowed once at most, while its pace is
// learned, and loses nothing.
func TestQ1SparseNumbersAreNotSlowed(t *testing.T) {
	for name, step := range map[string]func(i int) event.Seq{
		"wide":                  func(i int) event.Seq { return event.Seq(1_000_000 + i*i%7*300_000) },
		"microseconds":          func(i int) event.Seq { return event.Seq(10_000_000 + i%13*1_000_000) },
		"dense":                 func(i int) event.Seq { return 1 + event.Seq(i%3) },
		"below what is doubted": func(i int) event.Seq { return 99_000 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seqs []event.Seq
				for i, seq := 0, event.Seq(1000); i < 300; i++ {
					seq += step(i)
					seqs = append(seqs, seq)
				}
				slow := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
					for _, seq := range seqs {
						if seq > from.Seq && (!send(identity(seq)) || ctx.Err() != nil) {
							return
						}
						if seq > from.Seq {
							select {
							case <-time.After(time.Second):
							case <-ctx.Done():
								return
							}
						}
					}
					hangUpSeen(ctx)
				}
				r := newSetup(again(slow)...)
				leapRun(t, r)
				wantSeqs(t, r.sink, seqs)
				if n := len(r.relay.positions()); n > 3 {
					t.Errorf("%d connections", n)
				}
				if len(r.seen.alarms) > 0 {
					t.Errorf("alarms: %v", r.seen.alarms)
				}
			})
		})
	}
}

// A start without a cursor has nothing to compare with: an absurd first seq waits
// for others, and one that the next events disprove is taken back.
func TestLiveStartAtAnAbsurdSeq(t *testing.T) {
	for _, first := range []event.Seq{far, 1 << 40, 5_000_000} {
		synctest.Test(t, func(t *testing.T) {
			r := newSetup(again(script(append([]event.Seq{first}, span(1001, 1100)...)...))...)
			r.runFor(t, 10*time.Minute)
			wantSeqs(t, r.sink, span(1001, 1100))
			if r.sink.cursor != 1100 || r.seen.total().Rejected[event.ReasonLeap] != 1 {
				t.Errorf("first %d: cursor %d, rejected %v", first, r.sink.cursor, r.seen.rejects)
			}
		})
	}
}

// A leap that was confirmed and proves wrong later is left again: what lies inside it
// is stored.
func TestLeapThatProvesWrongLateIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			if from.Seq < 1<<40 {
				send(frames(append(span(from.Seq+1, 1005), 1<<40)...)...)
			}
			select {
			case <-time.After(time.Minute):
				send(frames(span(1006, 1050)...)...)
				hangUpSeen(ctx)
			case <-ctx.Done():
			}
		}
		r := newSetup(again(late)...)
		leapRun(t, r)
		got := r.sink.seqs()
		slices.Sort(got)
		if want := append(span(1001, 1050), 1<<40); !slices.Equal(got, want) {
			t.Errorf("stored %v", got)
		}
		if r.seen.alarmed(event.AlarmLeap) == 0 {
			t.Errorf("alarms: %v", r.seen.alarms)
		}
	})
}

// UntilSeq is covered by what is true, not by a leap.
func TestLeapDoesNotCoverUntilSeq(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSetup(again(script(slices.Concat(span(1001, 1005), []event.Seq{far}, span(1006, 1100))...))...)
		r.sink.set(1000)
		r.cfg.UntilSeq = 1050
		r.run(t)
		wantSeqs(t, r.sink, span(1001, 1050))
	})
}

// G7: a gap too small to be doubted that was none, or a staircase of such, is told, and
// what lies inside it is stored.
func TestSmallFalseGapIsLeft(t *testing.T) {
	for name, bogus := range map[string][]event.Seq{"nine hundred": {1906}, "steps": {1008, 1010, 1014, 1022, 1038, 1070, 1134, 1262, 1518, 2000}, "a staircase": stairs(0)} {
		synctest.Test(t, func(t *testing.T) {
			r := newSetup(again(script(slices.Concat(span(1001, 1005), bogus, span(1007, 1012), span(1023, 1030))...))...)
			r.relay.chunk = 1
			r.sink.set(1000)
			r.runFor(t, 3*time.Second)
			wantSeqs(t, r.sink, slices.Concat(span(1001, 1005), span(1007, 1012), span(1023, 1030)))
			if n := r.seen.total().Rejected[event.ReasonLeap]; r.seen.alarmed(event.AlarmLeap) == 0 || n < int64(len(bogus)) {
				t.Errorf("%s: alarms %v, %d of %d rejected", name, r.seen.alarms, n, len(bogus))
			}
		})
	}
}

// A relay that ends each connection with repeats of old events has them dropped,
// but never for long without a new look (Q2).
func TestOnlyRepeatsAreLookedAtAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSetup(again(func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			if from.Seq == 1000 {
				send(frames(1_990)...) // no leap, but not true either
			}
			send(frames(span(1001, 1050)...)...)
			hangUpSeen(ctx)
		})...)
		leapRun(t, r)
		if r.seen.alarmed(event.AlarmLeap) == 0 || len(r.sink.entries) < 50 {
			t.Errorf("50 events were dropped: %v, alarms %v", r.sink.seqs(), r.seen.alarms)
		}
	})
}

// Silence proves nothing of a seq that no numbering has reached: it is named, and
// what comes after hours is stored.
func TestAbsurdSeqIsNotProvedBySilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := newSetup(again(func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
			send(frames(append(span(from.Seq+1, 1005), far)...)...)
			select {
			case <-time.After(time.Until(began.Add(9 * time.Minute))):
				send(frames(span(max(1006, from.Seq+1), 1100)...)...)
				hangUpSeen(ctx)
			case <-ctx.Done():
			}
		})...)
		leapRun(t, r)
		wantSeqs(t, r.sink, span(1001, 1100))
		if r.seen.alarmed(event.AlarmLeap) == 0 || len(r.relay.positions()) != 1 {
			t.Errorf("alarms %v, %d connections", r.seen.alarms, len(r.relay.positions()))
		}
	})
}

// A busy relay need not be waited for: what follows the leap tells soon.
func TestBusyRelaysLeapIsConfirmedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seqs := slices.Concat(span(1001, 1005), span(9_000_000_000, 9_000_000_500))
		r := newSetup(again(script(seqs...))...)
		r.sink.set(1000)
		r.runFor(t, 2*time.Second+event.LeapWait/2) // two new connections, a second each
		wantSeqs(t, r.sink, seqs)
	})
}
