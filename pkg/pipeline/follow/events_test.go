package follow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/pipeline/follow/followtest"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

func oldest() event.Position { return event.Position{Start: event.Oldest} }

// read reads a relay for some time, or to the end of the loop.
func read(t *testing.T, open follow.Open, o follow.Options, d time.Duration) (seqs []event.Seq, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	for item, err := range follow.Events(ctx, open, o) {
		if err != nil {
			return seqs, err
		}
		if item.Seq > 0 {
			if got := relaytest.Seq(item.Frame); got != item.Seq {
				t.Fatalf("the item of seq %s has the frame of %s", item.Seq, got)
			}
			seqs = append(seqs, item.Seq)
		}
	}
	return seqs, nil
}

func span(first, last event.Seq) (seqs []event.Seq) {
	for seq := first; seq <= last; seq++ {
		seqs = append(seqs, seq)
	}
	return seqs
}

// rates are relays: busy, and so quiet that another connection is asked.
var rates = map[string]time.Duration{"busy": 50 * time.Millisecond, "quiet": 5 * time.Second}

// G1, Q1: one false seq, however far above the true ones and wherever it comes, is not
// yielded, and no true event is missing, doubled or out of order.
func TestOneFalseSeqIsNotYielded(t *testing.T) {
	const before, most = 1100, 1200
	for _, ahead := range []event.Seq{2, 3, 50, 900, 20_000, 1_000_000_000, event.MaxSeq - 2000} {
		for rate, every := range rates {
			for _, at := range []event.Seq{1050, 1150, most} {
				for _, how := range []string{"once", "cut", "silent"} {
					for _, chunk := range []int{1, 64} {
						t.Run(fmt.Sprintf("%d/%s/%d/%s/%d", ahead, rate, at, how, chunk), func(t *testing.T) {
							t.Parallel()
							synctest.Test(t, func(t *testing.T) {
								r := &followtest.Relay{First: 1001, Before: before, Most: most, Every: every, Chunk: chunk,
									Lies: map[event.Seq][]event.Seq{at: {at + ahead}}, Cut: how == "cut", Silent: how == "silent"}
								got, err := read(t, r.Open, follow.Options{From: event.AfterSeq(1020)}, 100*every+2*time.Minute)
								if err != nil || !slices.Equal(got, span(1021, most)) {
									t.Errorf("yielded %v: %v", got, err)
								}
							})
						})
					}
				}
			}
		}
	}
}

// The first event of a start has nothing to be compared with: it waits as well, whether
// the start is live or from the oldest event.
func TestFalseFirstSeqIsNotYielded(t *testing.T) {
	const before, most = 1100, 1200
	for _, ahead := range []event.Seq{3, 900, 20_000, 1_000_000_000, event.MaxSeq - 2000} {
		for rate, every := range rates {
			for _, start := range []event.Start{event.Live, event.Oldest} {
				for _, how := range []string{"once", "cut", "silent"} {
					for _, live := range []bool{false, true} {
						t.Run(fmt.Sprintf("%d/%s/%d/%s/%v", ahead, rate, start, how, live), func(t *testing.T) {
							t.Parallel()
							synctest.Test(t, func(t *testing.T) {
								first := event.Seq(1001)
								if start == event.Live {
									first = before + 1
								}
								r := &followtest.Relay{First: 1001, Before: before, Most: most, Every: every, Live: live,
									Lies: map[event.Seq][]event.Seq{0: {first + ahead}}, Cut: how == "cut", Silent: how == "silent"}
								got, err := read(t, r.Open, follow.Options{From: event.Position{Start: start}}, 100*every+2*time.Minute)
								want := span(1001, most)
								if start == event.Live && len(got) > 0 && got[0] >= first && got[0] < first+2000 {
									want = span(got[0], most) // what came while nothing was connected yet
								}
								if err != nil || !slices.Equal(got, want) {
									t.Errorf("yielded %v: %v; asked %v", got, err, r.Asked())
								}
							})
						})
					}
				}
			}
		}
	}
}

// A false seq that comes on each connection again is one that other connections confirm:
// it is believed in the end, and the true ones come all the same.
func TestFalseSeqOfEachConnectionCostsNoTrueOne(t *testing.T) {
	for _, lies := range [][]event.Seq{{1053}, {1950}, {21_050}, {1_000_001_050}, {1900, 1901}, {1900, 1950, 1951}, {1053, 1057, 1065, 1081, 1113}} {
		for _, each := range []bool{false, true} {
			t.Run(fmt.Sprint(lies, each), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := &followtest.Relay{First: 1001, Before: 1100, Most: 1200, Every: 5 * time.Millisecond, Lies: map[event.Seq][]event.Seq{1050: lies}, Each: each}
					got, err := read(t, r.Open, follow.Options{From: oldest()}, 3*time.Minute)
					for _, seq := range span(1001, 1200) {
						n := 0
						for _, s := range got {
							if s == seq {
								n++
							}
						}
						if n == 0 || n > 1 && !slices.Contains(lies, seq) {
							t.Errorf("seq %s came %d times", seq, n)
						}
					}
					if err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// Reading that goes back says so, and yields nothing twice.
func TestGoingBackIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &followtest.Relay{First: 1, Before: 100, Most: 100, Chunk: 1, Lies: map[event.Seq][]event.Seq{50: {60, 61}}}
		var back, seqs []event.Seq
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for item, err := range follow.Events(ctx, r.Open, follow.Options{From: oldest()}) {
			if err != nil {
				t.Fatal(err)
			}
			if item.Back > 0 {
				back = append(back, item.Back)
			} else {
				seqs = append(seqs, item.Seq)
			}
		}
		// The frames of the false ones are those of the true ones here, and so known again.
		want := slices.Concat(span(1, 50), []event.Seq{60, 61}, span(51, 59), span(62, 100))
		if !slices.Equal(back, []event.Seq{50}) || !slices.Equal(seqs, want) {
			t.Errorf("back %v, yielded %v", back, seqs)
		}
	})
}

// Q1: gaps are legal, and cost a relay that always has them little time.
func TestGapsAreYieldedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seqs []event.Seq
		for i, seq := 0, event.Seq(1000); i < 200; i++ {
			seq += 2 + event.Seq(i*7%13)
			seqs = append(seqs, seq)
		}
		began := time.Now()
		open, conns := scripted(func(send func(...event.Seq) bool, from event.Position) {
			for _, seq := range seqs {
				if seq > from.Seq && !send(seq) {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		var late time.Duration
		n := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for item := range follow.Events(ctx, open, follow.Options{From: event.AfterSeq(1000)}) {
			if n++; n > 50 {
				late = max(late, time.Since(item.Arrived))
			}
			if n == len(seqs) {
				cancel()
			}
		}
		if n != len(seqs) || *conns != 1 || late > 100*time.Millisecond {
			t.Errorf("%d events on %d connections, the latest %s after it came, in %s", n, *conns, late, time.Since(began))
		}
	})
}

// Q1: a leap that other connections confirm is yielded, also where nothing but the leap
// comes, and where the loop ends with the relay's silence.
func TestTrueLeapsAreYielded(t *testing.T) {
	for name, seqs := range map[string][]event.Seq{
		"a busy relay":   slices.Concat(span(1001, 1005), span(9_000_000_000, 9_000_000_300)),
		"a single event": {1001, 9_000_000_000},
		"the last one":   {1001, 1002, 1700},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open, _ := scripted(func(send func(...event.Seq) bool, from event.Position) {
					at := slices.IndexFunc(seqs, func(s event.Seq) bool { return s > from.Seq })
					if at >= 0 {
						send(seqs[at:]...)
					}
				})
				got, err := read(t, open, follow.Options{From: event.AfterSeq(1000), Quiet: 5 * time.Second}, time.Hour)
				if err != nil || !slices.Equal(got, seqs) {
					t.Errorf("yielded %v: %v", got, err)
				}
			})
		})
	}
}

// scripted is a relay whose connections are played like this, and stay open behind it.
func scripted(play func(send func(...event.Seq) bool, from event.Position)) (open follow.Open, conns *int) {
	conns = new(int)
	return followtest.Scripted(func(n int, from event.Position, send func(...event.Seq) bool) {
		*conns = n
		play(send, from)
	}), conns
}

// Q6: only time tells a relay that counts anew from one that ignores the position.
func TestRelayThatCountsAnew(t *testing.T) {
	for _, anew := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			open, _ := scripted(func(send func(...event.Seq) bool, from event.Position) {
				first := event.Seq(20)
				if from.Seq < 3000 {
					first = max(first, from.Seq+1)
				}
				send(span(first, 3000)...)
			})
			began := time.Now()
			got, err := read(t, open, follow.Options{From: event.AfterSeq(5000), Anew: anew, Quiet: 5 * time.Second}, time.Hour)
			lost, _ := errors.AsType[*follow.PositionError](err)
			switch {
			case anew && (err != nil || !slices.Equal(got, span(20, 3000))):
				t.Errorf("yielded %d: %v", len(got), err)
			case !anew && (len(got) > 0 || lost == nil || lost.Err != follow.ErrRestarted || lost.First != 20 || lost.Asked != event.AfterSeq(5000)):
				t.Errorf("yielded %d: %v", len(got), err)
			case !anew && time.Since(began) != follow.StrayTime:
				t.Errorf("judged after %s", time.Since(began))
			}
		})
	}
}

func TestRelayThatIgnoresThePosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open, conns := scripted(func(send func(...event.Seq) bool, _ event.Position) { send(span(1, 5001)...) })
		repeats := 0
		got, err := read(t, open, follow.Options{From: event.AfterSeq(5000), Repeated: func() { repeats++ }}, time.Hour)
		if err != nil || !slices.Equal(got, []event.Seq{5001}) || *conns != 1 || repeats != 5000 {
			t.Errorf("yielded %v on %d connections, %d repeats: %v", got, *conns, repeats, err)
		}
	})
}

// A connection that falls back is closed; what the next one begins with decides.
func TestRelayThatFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open, conns := scripted(func(send func(...event.Seq) bool, from event.Position) {
			if send(from.Seq + 1) {
				for range follow.RegressEvents {
					send(7)
				}
			}
		})
		got, err := read(t, open, follow.Options{From: event.AfterSeq(5000)}, 2500*time.Millisecond)
		if err != nil || !slices.Equal(got, []event.Seq{5001, 5002, 5003}) || *conns != 3 {
			t.Errorf("yielded %v on %d connections: %v", got, *conns, err)
		}
	})
}

func TestFutureCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &followtest.Relay{First: 1, Before: 100, Most: 100}
		_, err := read(t, r.Open, follow.Options{From: event.AfterSeq(500)}, time.Minute)
		if lost, ok := errors.AsType[*follow.PositionError](err); !ok || lost.Err != follow.ErrFuture || lost.Asked != event.AfterSeq(500) {
			t.Errorf("%v", err)
		}
	})
}

// Somebody waits: the first dial that fails ends it, unless told otherwise; a later one
// does not.
func TestFirstDialThatFails(t *testing.T) {
	refused := errors.New("refused")
	for _, patient := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			open := followtest.Failing(refused, 3)
			got, err := read(t, open, follow.Options{From: oldest(), Patient: patient}, time.Minute)
			dial, _ := errors.AsType[*follow.DialError](err)
			if !patient && (dial == nil || !errors.Is(err, refused)) || patient && (err != nil || !slices.Equal(got, []event.Seq{1, 2})) {
				t.Errorf("patient %v: %v, %v", patient, got, err)
			}
		})
	}
}

// What nothing has confirmed is dropped when ctx ends, unless it is asked for.
func TestRestIsYieldedWhenAsked(t *testing.T) {
	for _, rest := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			open, _ := scripted(func(send func(...event.Seq) bool, from event.Position) { send(1, 2, 40) })
			got, err := read(t, open, follow.Options{From: oldest(), Rest: rest}, time.Second)
			if want := map[bool][]event.Seq{false: {1, 2}, true: {1, 2, 40}}[rest]; err != nil || !slices.Equal(got, want) {
				t.Errorf("yielded %v: %v", got, err)
			}
		})
	}
}

// However many events wait for one another, they take little memory.
func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seqs []event.Seq
		for i, seq := 0, event.Seq(1000); i < 3000; i++ {
			seq += event.Seq(2 + i) // ever wider
			seqs = append(seqs, seq)
		}
		open, _ := scripted(func(send func(...event.Seq) bool, from event.Position) {
			for _, seq := range seqs {
				if seq > from.Seq && !send(seq) {
					return
				}
			}
		})
		got, err := read(t, open, follow.Options{From: event.AfterSeq(1000)}, time.Minute)
		if err != nil || !slices.Equal(got, seqs) {
			t.Errorf("yielded %d of %d: %v", len(got), len(seqs), err)
		}
	})
}

// The caller may leave at any time, and the source's goroutine has ended then.
func TestLeavingEndsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails where a goroutine is left
		r := &followtest.Relay{First: 1, Before: 100, Most: 1000, Every: time.Millisecond, Chunk: 8}
		for item, err := range follow.Events(t.Context(), r.Open, follow.Options{From: oldest()}) {
			if err != nil {
				t.Fatal(err)
			}
			if item.Seq == 50 {
				break
			}
		}
	})
}

// Notices, repeats and frames of unknown kinds are silence too; an event is none, nor is
// the time that the loop's body takes.
func TestQuietEndsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		open := followtest.ScriptedFrames(func(_ int, _ event.Position, send func(...[]byte) bool) {
			send(relaytest.Identity(1), relaytest.Identity(2))
			time.Sleep(4 * time.Second)
			for send(relaytest.Frame("#info", map[string]any{"name": "x", "seq": int64(9)}), relaytest.Identity(2), relaytest.Frame("#zebra", map[string]any{})) {
				time.Sleep(100 * time.Millisecond)
				if time.Since(began) < 4200*time.Millisecond {
					send(relaytest.Identity(3))
				}
			}
		})
		n := 0
		for item, err := range follow.Events(t.Context(), open, follow.Options{From: oldest(), Quiet: 5 * time.Second}) {
			if err != nil {
				t.Fatal(err)
			}
			if item.Seq > 0 {
				n++
			}
			if item.Seq == 3 {
				time.Sleep(time.Minute)
			}
		}
		if took := time.Since(began) - time.Minute; n != 3 || took != 9100*time.Millisecond {
			t.Errorf("%d events in %s", n, took)
		}
	})
}

// F3, F5: what carries no seq of an event moves nothing, whatever number it holds; frames
// of unknown kinds are judged as events are.
func TestOnlyEventsAreNumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := followtest.ScriptedFrames(func(_ int, from event.Position, send func(...[]byte) bool) {
			far := map[string]any{"name": "x", "seq": int64(1 << 40)}
			send(relaytest.Identity(1), relaytest.Identity(2), relaytest.Frame("#info", far), relaytest.Frame("#zebra", far), []byte{1}, relaytest.Identity(3))
		})
		var got []string
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for item, err := range follow.Events(ctx, open, follow.Options{From: oldest()}) {
			if err != nil {
				t.Fatal(err)
			}
			name := item.Seq.String()
			if item.Notice != nil {
				name = string(item.Notice.Name)
			}
			got = append(got, name)
		}
		if want := []string{"1", "2", "x", "0", "3"}; !slices.Equal(got, want) {
			t.Errorf("yielded %v", got)
		}
	})
}
