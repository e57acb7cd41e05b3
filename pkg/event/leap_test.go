package event_test

import (
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// follow lets a tracker see a steady relay: n events, of which each is step above
// the one before and every later.
func follow(tracker *event.Tracker, conn uint64, at time.Time, n int, step event.Seq, every time.Duration) (last event.Seq, now time.Time) {
	last, now = tracker.Last(), at
	for range n {
		last, now = last+step, now.Add(every)
		tracker.Observe(last, conn, now)
	}
	return last, now
}

// Q1: what rate and time explain is no leap, however wide the gap.
func TestQ1PauseOfASteadyRelayIsNoLeap(t *testing.T) {
	tracker := event.NewTracker(event.AfterSeq(7_000_000_000))
	last, now := follow(tracker, 1, time.Now(), 50_000, 1, time.Millisecond)
	for _, pause := range []time.Duration{time.Hour, 3 * 24 * time.Hour} {
		now = now.Add(pause)
		last += event.Seq(pause.Seconds() * 1000)
		if step := tracker.Observe(last, 2, now); step.Verdict != event.Fresh {
			t.Errorf("after %v: %+v", pause, step)
		}
		last, now = follow(tracker, 2, now, 100, 1, time.Millisecond)
	}
	if step := tracker.Observe(last+1_000_000_000, 2, now.Add(time.Second)); step.Verdict != event.Leap {
		t.Errorf("a billion within a second: %+v", step)
	}
}

// A leap that was true once does not make the next one true.
func TestOneTrueLeapExcusesNoOther(t *testing.T) {
	now := time.Now()
	tracker := event.NewTracker(event.AfterSeq(1000))
	for conn := uint64(1); tracker.Last() == 1000; conn++ {
		if conn > 3 {
			t.Fatal("not believed on the third connection")
		}
		for seq := event.Seq(9_000_000_000); ; seq++ {
			if step := tracker.Observe(seq, conn, now); step.Ask || step.Verdict == event.Fresh {
				break
			}
		}
	}
	first := tracker.Last()
	tracker.Rewind(event.AfterSeq(1000)) // read again, as from disk
	if step := tracker.Observe(first, 4, now); step.Verdict != event.Fresh {
		t.Errorf("the same leap again: %+v", step)
	}
	if step := tracker.Observe(tracker.Last()+9_000_000_000, 4, now); step.Verdict != event.Leap {
		t.Errorf("the next leap: %+v", step)
	}
}

// What one connection alone shows behind a leap does not make its like true.
func TestFalseGapBehindALeapExcusesNoOther(t *testing.T) {
	const first = event.Seq(9_000_000_000)
	now := time.Now()
	tracker := event.NewTracker(event.AfterSeq(1000))
	for conn := uint64(1); conn <= 2; conn++ {
		for i := event.Seq(0); i < 20; i++ {
			tracker.Observe(first+i, conn, now)
		}
		if conn == 1 {
			tracker.Observe(first+1_000_000_000, conn, now)
		}
		if !tracker.Waited(conn) {
			t.Fatalf("connection %d is not enough", conn)
		}
	}
	if step := tracker.Observe(first, 3, now); step.Verdict != event.Fresh {
		t.Fatalf("not believed: %+v", step)
	}
	tracker.Observe(first+1, 3, now)
	if step := tracker.Observe(first+1_000_000_001, 3, now); step.Verdict != event.Leap {
		t.Errorf("the false gap again: %+v", step)
	}
}

// What time explains a moment later does not disprove what came before: that one was
// not delivered, so the next would leave it out.
func TestLaterEventDoesNotDisproveAnEarlierOne(t *testing.T) {
	tracker := event.NewTracker(event.AfterSeq(7_000_000_000))
	last, now := follow(tracker, 1, time.Now(), 20_000, 1000, time.Millisecond) // a million a second
	first := last + 2_000_000_000
	if step := tracker.Observe(first, 1, now.Add(10*time.Second)); step.Verdict != event.Leap {
		t.Fatalf("two billion after ten seconds: %+v", step)
	}
	if step := tracker.Observe(first+20, 1, now.Add(20*time.Minute)); step.Verdict != event.Leap {
		t.Errorf("the event behind it, when time explains both: %+v", step)
	}
	if step := tracker.Observe(first, 2, now.Add(20*time.Minute+2*time.Second)); step.Verdict != event.Fresh {
		t.Errorf("asked again: %+v", step)
	}
}

// Clocks jump, and a machine sleeps: arrival times that go back or stand still
// neither excuse a leap nor make one.
func TestClockJumpMakesNoLeap(t *testing.T) {
	tracker := event.NewTracker(event.AfterSeq(1000))
	now := time.Now()
	for i, jump := range []time.Duration{0, -24 * time.Hour, 48 * time.Hour, -1000 * time.Hour} {
		now = now.Add(jump)
		last, _ := follow(tracker, 1, now, 1000, 1, 0)
		if tracker.Last() != last || last != event.Seq(1000+1000*(i+1)) {
			t.Errorf("after a jump of %v the tracker is at %d, want %d", jump, tracker.Last(), last)
		}
		if step := tracker.Observe(event.MaxSeq, 1, now); step.Verdict != event.Leap {
			t.Errorf("after a jump of %v: %+v", jump, step)
		}
	}
}

func TestE6ParseTime(t *testing.T) {
	for sent, want := range map[string]bool{
		"2026-07-04T11:59:58.5Z": true, "2026-07-04T11:59:58.1234567": true, "2026-07-04T13:59:58+02:00": true,
		"1970-01-01T00:00:00Z": false, "0001-01-01T00:00:00Z": false, "2262-04-11T23:47:16Z": false, "9999-12-31T23:59:59Z": false,
		"": false, "yesterday": false, "12": false,
	} {
		if _, ok := event.ParseTime(sent); ok != want {
			t.Errorf("ParseTime(%q) = %v", sent, ok)
		}
	}
}

// A seq behind an unusual gap is unsure; a connection that shows it again makes it sure,
// and what lies below refutes it.
func TestUnsureSeqIsAskedAbout(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		next              event.Seq
		refuted, believed event.Seq
		unsure            bool
	}{"shown again": {1500, 0, 1500, true}, "another below": {1051, 1500, 0, false}, "another behind": {1700, 0, 0, false}} {
		tracker := event.NewTracker(event.AfterSeq(1000))
		follow(tracker, 1, now, 50, 1, time.Millisecond)
		if step := tracker.Observe(1500, 1, now); step.Verdict != event.Fresh || !step.Unsure {
			t.Fatalf("%s: %+v", name, step)
		}
		tracker.Ask(1050, 1050, 1500, 1)
		if tracker.Last() != 1050 {
			t.Fatalf("%s: at %s", name, tracker.Last())
		}
		step := tracker.Observe(c.next, 2, now)
		if step.Refuted != c.refuted || step.Believed != c.believed || step.Unsure != c.unsure {
			t.Errorf("%s: %+v", name, step)
		}
		switch name {
		case "shown again": // and once more
			tracker.Ask(1050, 1050, 1500, 2)
			if step := tracker.Observe(1500, 3, now); step.Believed != 1500 || step.Unsure {
				t.Errorf("shown by three: %+v", step)
			}
		case "another behind": // which is as unsure as the first
			if step.Verdict != event.Leap {
				t.Errorf("%s: %+v", name, step)
			}
			if step := tracker.Observe(1500, 2, now); step.Believed != 1500 || step.Refuted != 1700 {
				t.Errorf("shown behind another: %+v", step)
			}
		}
	}
}

// A relay that contradicts itself is asked again for as long as something new comes.
func TestReturnNeedsNews(t *testing.T) {
	now := time.Now()
	tracker := event.NewTracker(event.AfterSeq(1000))
	follow(tracker, 1, now, 5, 1, time.Millisecond)
	tracker.Observe(1100, 1, now)
	step := tracker.Observe(1050, 1, now)
	if !step.Contradicts || step.Between != [2]event.Seq{1005, 1100} || !tracker.MayReturn() {
		t.Fatalf("%+v", step)
	}
	if got := tracker.Return(1005, 1050, 1); len(got) != 1 || got[0] != 1100 {
		t.Errorf("delivered behind the gap: %v", got)
	}
	if tracker.MayReturn() {
		t.Error("nothing new has come")
	}
	if step := tracker.Observe(1100, 2, now); step.Verdict != event.Leap || !tracker.JumpsOver(1100) {
		t.Errorf("over an event that was shown: %+v", step)
	}
	if step := tracker.Observe(1050, 2, now); step.Verdict != event.Fresh || step.Refuted != 1100 || !tracker.MayReturn() {
		t.Errorf("the event that was shown: %+v", step)
	}
}

// Q5: a relay that is asked from the oldest event again, since one connection alone has
// shown a start, and begins behind the last one, has forgotten what lies between. It says
// so only where it is asked from a seq.
func TestStartThatTheRelayForgot(t *testing.T) {
	now := time.Now()
	oldest := event.Position{Start: event.Oldest}
	tracker := event.NewTracker(oldest)
	follow(tracker, 1, now, 40, 1, time.Millisecond)
	if tracker.Resume() != oldest || tracker.Forgotten(tracker.Last()+1, 1) {
		t.Fatalf("asked from %s", tracker.Resume())
	}
	if !tracker.Forgotten(tracker.Last()+100, 2) {
		t.Error("it begins behind the last event")
	}
	if tracker.Observe(tracker.Last(), 2, now); tracker.Forgotten(tracker.Last()+1, 2) {
		t.Error("it has shown the last event")
	}
	if tracker.Trust(); tracker.Resume() != tracker.Position() {
		t.Errorf("asked from %s", tracker.Resume())
	}
}
