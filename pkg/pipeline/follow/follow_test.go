package follow_test

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
)

// Q2, Q3, Q6: what repeats say of a connection, whether they come at its beginning or
// later.
func TestJudge(t *testing.T) {
	const last = 100
	repeats := func(n int) (seqs []event.Seq) {
		for i := range n {
			seqs = append(seqs, event.Seq(1+i%90))
		}
		return seqs
	}
	for name, tc := range map[string]struct {
		reached  bool
		seqs     []event.Seq
		want     follow.Verdict // of the last
		patience time.Duration
		overdue  follow.Verdict
	}{
		"the last event again":                   {false, []event.Seq{last}, follow.Boundary, follow.RepeatTime, follow.Boundary},
		"the end of a replay from below":         {false, []event.Seq{7, 8, last}, follow.Boundary, follow.RepeatTime, follow.Boundary},
		"a connection begins below":              {false, []event.Seq{7}, follow.First, follow.StrayTime, follow.Restarted},
		"a relay that ignores the cursor":        {false, repeats(5000), follow.Repeat, follow.StrayTime, follow.Restarted},
		"replay meets live":                      {true, []event.Seq{7}, follow.First, follow.RepeatTime, follow.Regressed},
		"some repeats later":                     {true, repeats(999), follow.Repeat, follow.RepeatTime, follow.Regressed},
		"many repeats later":                     {true, repeats(1000), follow.Regressed, follow.RepeatTime, follow.Regressed},
		"repeats, then the last event once more": {true, append(repeats(999), last, 7), follow.First, follow.RepeatTime, follow.Regressed},
	} {
		t.Run(name, func(t *testing.T) {
			var j follow.Judge
			if !j.Enter(3) || j.Enter(3) {
				t.Error("a connection is another one once")
			}
			if tc.reached && !j.Fresh() {
				t.Error("the first fresh event is the first")
			}
			var got follow.Verdict
			for _, seq := range tc.seqs {
				got = j.Old(seq, last, false)
			}
			if got != tc.want || j.Patience() != tc.patience || j.Overdue() != tc.overdue {
				t.Errorf("verdict %d, %s, then %d; want %d, %s, then %d", got, j.Patience(), j.Overdue(), tc.want, tc.patience, tc.overdue)
			}
			if j.Enter(4); j.Reached() || j.Old(7, last, false) != follow.First || j.Lowest() != 7 {
				t.Error("another connection begins anew")
			}
		})
	}
}

func TestJudgeContradicted(t *testing.T) {
	var j follow.Judge
	j.Enter(1)
	for i, want := range []follow.Verdict{follow.First, follow.Repeat, follow.Contradicted} {
		if got := j.Old(event.Seq(10+i), 100, true); got != want {
			t.Errorf("event %d inside a leap that was believed: %d, want %d", i, got, want)
		}
	}
}

func TestJudgeAllocatesNothing(t *testing.T) {
	var j follow.Judge
	seq := event.Seq(0)
	if n := testing.AllocsPerRun(1000, func() {
		j.Enter(1)
		seq++
		j.Old(seq%50, 100, false)
		j.Fresh()
	}); n != 0 {
		t.Errorf("%v allocations for each event", n)
	}
}

// line is a connection that a Follower reads.
type line struct {
	*follow.Follower
	conn uint64

	mu    sync.Mutex
	cause error // why it was closed
}

// why is why the connection was closed, nil while it is not. Timers close it.
func (l *line) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

func (l *line) closed(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cause = cause
}

func newLine(at event.Position) *line {
	return &line{Follower: follow.New(at, 0, slog.New(slog.DiscardHandler))}
}

// connect begins another connection.
func (l *line) connect() {
	l.conn++
	l.closed(nil)
	l.Enter(&event.Chunk{Conn: l.conn, Arrived: time.Now(), Hangup: l.closed})
}

// Q6: only time tells a relay that counts anew from one that ignores the cursor.
func TestFollowerOfARelayThatCountsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(event.AfterSeq(5000))
		defer l.Close()
		l.connect()
		for seq := event.Seq(20); seq < 3000; seq++ {
			if v := l.Take(seq); v != event.Repeat {
				t.Fatalf("seq %s: %d", seq, v)
			}
		}
		if _, restarted, _ := l.Resume(); restarted || l.why() != nil || !l.Astray() {
			t.Errorf("judged by a count: %v", l.why())
		}
		time.Sleep(follow.StrayTime + time.Millisecond)
		synctest.Wait()
		if l.why() == nil {
			t.Fatal("the connection was not closed")
		}
		at, restarted, first := l.Resume()
		if !restarted || first != 20 || at != event.AfterSeq(5000) {
			t.Errorf("read on at %s, restarted %v at %s", at, restarted, first)
		}
		if _, again, _ := l.Resume(); again {
			t.Error("it is told once")
		}
		l.Rewind(event.AfterSeq(first - 1))
		l.connect()
		if l.Take(20) != event.Fresh || l.Astray() {
			t.Error("the new numbering is not followed")
		}
	})
}

func TestFollowerOfARelayThatIgnoresTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(event.AfterSeq(5000))
		defer l.Close()
		l.connect()
		for seq := event.Seq(1); seq <= 5000; seq++ {
			l.Take(seq)
		}
		if l.Take(5001) != event.Fresh {
			t.Error("what follows the cursor is not taken")
		}
		time.Sleep(time.Hour)
		if _, restarted, _ := l.Resume(); restarted || l.why() != nil {
			t.Errorf("it got there: restarted %v, %v", restarted, l.why())
		}
	})
}

// A connection that falls back is closed; what the next one begins with decides.
func TestFollowerOfARelayThatFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(event.AfterSeq(5000))
		defer l.Close()
		l.connect()
		l.Take(5001)
		for range follow.RegressEvents {
			l.Take(7)
		}
		if !errors.Is(l.why(), follow.ErrRegressed) {
			t.Errorf("closed with %v", l.why())
		}
		if at, restarted, _ := l.Resume(); restarted || at != event.AfterSeq(5001) {
			t.Errorf("read on at %s, restarted %v", at, restarted)
		}
		l.connect()
		l.Take(5001)
		l.Take(7) // and nothing else
		time.Sleep(follow.RepeatTime + time.Millisecond)
		synctest.Wait()
		if _, restarted, _ := l.Resume(); restarted || l.why() == nil {
			t.Errorf("nothing but a repeat for a minute: restarted %v, %v", restarted, l.why())
		}
	})
}

// What lies inside a gap that was none is taken, and nothing twice.
func TestFollowerLeavesAFalseGap(t *testing.T) {
	l := newLine(event.AfterSeq(5000))
	defer l.Close()
	var taken []event.Seq
	take := func(seqs ...event.Seq) {
		for _, seq := range seqs {
			if l.Take(seq) == event.Fresh {
				taken = append(taken, seq)
			}
		}
	}
	l.connect()
	take(5001, 5007, 5008, 5002, 5003)
	if l.why() == nil {
		t.Error("the connection was not closed")
	}
	if at, restarted, _ := l.Resume(); restarted || at != event.AfterSeq(5001) {
		t.Errorf("read on at %s, restarted %v", at, restarted)
	}
	l.connect()
	for seq := event.Seq(5002); seq < 5012; seq++ {
		take(seq)
	}
	if want := []event.Seq{5001, 5007, 5008, 5002, 5003, 5004, 5005, 5006, 5009, 5010, 5011}; !slices.Equal(taken, want) {
		t.Errorf("taken: %v", taken)
	}
}

// A leap is shown on two connections before the third delivers it, also where nothing
// but the leap comes.
func TestFollowerHasLeapsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(event.AfterSeq(5000))
		defer l.Close()
		const far = 9_000_000_000
		for try := range 5 {
			l.connect()
			if l.Take(5001) == event.Leap {
				t.Fatal("the next seq is no leap")
			}
			for i := range event.Seq(8) {
				if v := l.Take(far + i); v == event.Fresh {
					if try == 0 {
						t.Error("it was believed at once")
					}
					return
				}
			}
			time.Sleep(event.LeapWait + time.Second)
			synctest.Wait()
			if l.why() == nil {
				t.Fatal("the connection was not closed")
			}
			time.Sleep(time.Second)
		}
		t.Error("it was never believed")
	})
}
