package pipeline_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// waits sends frames, then keeps the connection until it is hung up.
func waits(raw ...[]byte) connection {
	return func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
		if send(raw...) {
			hangUpSeen(ctx)
		}
	}
}

// heldRun starts a run whose relay restarted its numbering below cursor 1000.
func heldRun(t *testing.T, cfg func(*setup), conns ...connection) (*setup, chan error, context.CancelFunc) {
	r := newSetup(conns...)
	r.sink.set(1000)
	cfg(r)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- pipeline.New(r.cfg).Run(ctx) }()
	return r, done, cancel
}

func asIs(*setup) {}

// Q6, silent variant: a relay that goes on below the cursor is reported, not
// dropped for ever.
func TestQ6SilentResetIsHeld(t *testing.T) {
	few, many := waits(frames(span(1, 5)...)...), waits(frames(span(1, 300)...)...)
	for name, conn := range map[string]connection{"few events": few, "many events": many} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, done, cancel := heldRun(t, asIs, conn, conn, conn, conn)
				time.Sleep(7 * time.Second)
				if r.seen.alarmed(event.AlarmReset) != 1 {
					t.Errorf("alarms after 7 s: %v", r.seen.alarms)
				}
				if n := len(r.seen.links); n != 1 || r.seen.links[0].State != event.LinkHeld {
					t.Errorf("links: %v", r.seen.links)
				}
				cancel()
				if err := <-done; err != nil {
					t.Errorf("stopping while held: %v", err)
				}
				wantSeqs(t, r.sink, nil)
			})
		})
	}
}

func TestQ6FutureCursorIsHeldAndRetriedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := waits(errorFrame("FutureCursor"))
		r, done, cancel := heldRun(t, asIs, conn, conn, conn, conn, conn, conn, conn, conn)
		time.Sleep(100 * time.Second)
		if n := len(r.relay.positions()); n < 3 || n > 5 {
			t.Errorf("asked the relay %d times in 100 s", n)
		}
		if r.seen.alarmed(event.AlarmFuture) < 3 {
			t.Errorf("alarms: %v", r.seen.alarms)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Q7: only the operator resolves it; moving the cursor is enough.
func TestQ7OperatorMovesTheCursorWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, done, cancel := heldRun(t, asIs, waits(frames(span(1, 5)...)...), after(20))
		defer cancel()
		time.Sleep(8 * time.Second)
		r.sink.set(3)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantSeqs(t, r.sink, span(4, 20))
	})
}

func TestQ6FollowAdoptsTheNewNumbering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		follow := func(r *setup) { r.cfg.OnReset = pipeline.Follow }
		r, done, cancel := heldRun(t, follow, waits(frames(span(3, 9)...)...), after(20))
		defer cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantSeqs(t, r.sink, span(3, 20))
		if len(r.sink.rebased) != 1 || r.sink.rebased[0] != 2 {
			t.Errorf("rebased to %v, want 2", r.sink.rebased)
		}
	})
}

// A relay that recovers by itself is taken up again without an operator.
func TestHoldEndsWhenTheRelayIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, done, cancel := heldRun(t, asIs, waits(errorFrame("FutureCursor")), after(1010))
		defer cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantSeqs(t, r.sink, span(1001, 1010))
	})
}

// Q3: an overlap that reaches the cursor is a replay, however slow.
func TestQ3OverlapIsNoReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(_ context.Context, _ event.Position, send func(...[]byte) bool) {
			send(frames(998, 999, 1000)...)
			time.Sleep(time.Minute)
			send(frames(1001)...)
		}
		r, done, cancel := heldRun(t, asIs, slow)
		defer cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantSeqs(t, r.sink, span(1001, 1001))
		if len(r.seen.alarms) > 0 {
			t.Errorf("alarms: %v", r.seen.alarms)
		}
	})
}

// A relay that ignores the cursor and replays from its first event gets to the
// cursor, so it is no reset either.
func TestQ3IgnoredCursorIsNoReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, done, cancel := heldRun(t, asIs, only(frames(span(1, 1020)...)...))
		defer cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		wantSeqs(t, r.sink, span(1001, 1020))
		if len(r.seen.alarms) > 0 {
			t.Errorf("alarms: %v", r.seen.alarms)
		}
	})
}

// A relay that restarts its numbering in the middle of a connection is closed
// and then judged from its first event.
func TestQ6ResetInsideAConnectionIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		restarts := func(ctx context.Context, _ event.Position, send func(...[]byte) bool) {
			if send(frames(span(1001, 1005)...)...) && send(frames(span(1, 1001)...)...) {
				hangUpSeen(ctx)
			}
		}
		r, done, cancel := heldRun(t, asIs, restarts, waits(frames(span(1, 300)...)...))
		time.Sleep(30 * time.Second)
		if r.seen.alarmed(event.AlarmReset) != 1 {
			t.Errorf("alarms: %v", r.seen.alarms)
		}
		cancel()
		<-done
		wantSeqs(t, r.sink, span(1001, 1005))
	})
}

func TestQ5WindowExceededIsCounted(t *testing.T) {
	late := epoch.Add(3 * time.Hour)
	cases := map[string]struct {
		second []connection
		want   int
	}{
		"announced":                    {[]connection{only(info("OutdatedCursor"), identity(500))}, 1},
		"announced between events":     {[]connection{only(identity(500), info("OutdatedCursor"), identity(501))}, 1},
		"announced again and again":    {[]connection{only(slices.Concat([][]byte{identity(500)}, slices.Repeat([][]byte{info("OutdatedCursor")}, 50), [][]byte{identity(501)})...)}, 1},
		"silent":                       {[]connection{only(identityAt(500, late))}, 1},
		"only quiet, next seq follows": {[]connection{only(identityAt(11, late))}, 0},
		"a gap in seq but not in time": {[]connection{only(identity(500))}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newSetup(append([]connection{after(10)}, c.second...)...)
			r.run(t)
			if got := r.seen.alarmed(event.AlarmWindow); got != c.want {
				t.Errorf("%d alarms, want %d", got, c.want)
			}
		})
	}
}
