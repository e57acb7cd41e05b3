package pipeline_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// timed is an #identity whose time is text.
func timed(seq event.Seq, sent string) []byte {
	return join(header("identity"), head(5, 4),
		text("did"), text("did:plc:aaaabbbbccccddddeeeeffff"),
		text("seq"), head(0, uint64(seq)),
		text("time"), text(sent),
		text("handle"), text("a.example"))
}

func stamp(at time.Time) string { return at.Format(time.RFC3339) }

// secondly are events a second apart, but for those whose time is told otherwise.
func secondly(from, to event.Seq, start time.Time, odd map[event.Seq]string) (out [][]byte) {
	for seq := from; seq <= to; seq++ {
		sent, ok := odd[seq]
		if !ok {
			sent = stamp(start.Add(time.Duration(seq-from) * time.Second))
		}
		out = append(out, timed(seq, sent))
	}
	return out
}

// oddTimes are what single events may claim.
var oddTimes = map[string]string{
	"1970": "1970-01-01T00:00:00Z", "year one": "0001-01-01T00:00:00Z", "2262": "2262-04-11T23:47:16Z", "year 9999": "9999-12-31T23:59:59Z",
	"hours before": stamp(epoch.Add(-9 * time.Hour)), "hours behind": stamp(epoch.Add(9 * time.Hour)), "no time": "yesterday", "empty": "",
}

// E6, G7: one event's time neither raises an alarm nor hides one, wherever it
// stands: last before a break, first behind it, or the last before a restart.
func TestE6OneTimeFarOffDecidesNothing(t *testing.T) {
	later := epoch.Add(3 * time.Hour)
	for odd, sent := range oddTimes {
		for where, c := range map[string]struct {
			before, behind map[event.Seq]string
			start          time.Time // of the events behind
			first          event.Seq
			alarms         map[event.Alarm]int
		}{
			"last, nothing missing":         {before: map[event.Seq]string{20: sent}, start: epoch.Add(20 * time.Second), first: 500},
			"first, nothing missing":        {behind: map[event.Seq]string{500: sent}, start: epoch.Add(20 * time.Second), first: 500},
			"last and first":                {before: map[event.Seq]string{20: sent}, behind: map[event.Seq]string{500: sent}, start: epoch.Add(20 * time.Second), first: 500},
			"last, window exceeded":         {before: map[event.Seq]string{20: sent}, start: later, first: 500, alarms: map[event.Alarm]int{event.AlarmWindow: 1}},
			"first, window exceeded":        {behind: map[event.Seq]string{500: sent}, start: later, first: 500, alarms: map[event.Alarm]int{event.AlarmWindow: 1}},
			"last, wide gap":                {before: map[event.Seq]string{20: sent}, start: epoch.Add(20 * time.Second), first: 5_000_000},
			"first, wide gap":               {behind: map[event.Seq]string{5_000_000: sent}, start: epoch.Add(20 * time.Second), first: 5_000_000},
			"first, another relay by times": {behind: map[event.Seq]string{5_000_000: sent}, start: epoch.Add(-3 * time.Hour), first: 5_000_000, alarms: map[event.Alarm]int{event.AlarmRenumbered: 1}},
		} {
			t.Run(odd+"/"+where, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					behind := waits(secondly(c.first, c.first+6, c.start, c.behind)...)
					r := newSetup(only(secondly(1, 20, epoch, c.before)...), behind, behind, behind, behind)
					r.runFor(t, time.Minute)
					if n := len(r.sink.seqs()); n != 27 {
						t.Fatalf("stored %d", n)
					}
					for _, a := range []event.Alarm{event.AlarmWindow, event.AlarmRenumbered} {
						if n := r.seen.alarmed(a); n != c.alarms[a] {
							t.Errorf("%d alarms %s, want %d", n, a, c.alarms[a])
						}
					}
				})
			})
		}
	}
}

// Q5: a host that is silent for minutes or hours, loses its connection each time
// and skips a number has lost nothing; so has one whose numbers are sparse.
func TestQ5QuietHostHasLostNothing(t *testing.T) {
	for name, c := range map[string]struct {
		every   time.Duration
		step    event.Seq
		restart bool
	}{
		"seven minutes, two higher":               {7 * time.Minute, 2, false},
		"hours, two higher":                       {5 * time.Hour, 2, false},
		"sparse numbers":                          {7 * time.Minute, 70_000, false},
		"seven minutes, two higher, restarted":    {7 * time.Minute, 2, true},
		"sparse numbers, restarted after silence": {7 * time.Minute, 70_000, true},
		"microseconds":                            {7 * time.Minute, 420_000_000, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := newSetup()
				play := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
					for n := event.Seq(0); ; n++ {
						seq, due := 1000+n*c.step, began.Add(time.Duration(n)*c.every)
						if from.Start == event.After && seq <= from.Seq {
							continue
						}
						select {
						case <-time.After(time.Until(due)):
						case <-time.After(90 * time.Second): // nothing came: another connection
							return
						case <-ctx.Done():
							return
						}
						if !send(identityAt(seq, due)) {
							return
						}
					}
				}
				for range 4000 {
					r.relay.conns = append(r.relay.conns, play)
				}
				if c.restart {
					r.sink.start = event.Resume{Position: event.AfterSeq(1000), Time: stamp(began)}
					r.sink.set(1000)
				}
				r.runFor(t, 12*c.every)
				if len(r.sink.seqs()) < 10 {
					t.Errorf("stored %v", r.sink.seqs())
				}
				if len(r.seen.alarms) > 0 {
					t.Errorf("alarms: %v", r.seen.alarms)
				}
			})
		})
	}
}

// What a batch says of its time is what most of its last events say, for the side
// key and the lag are made of it.
func TestE6BatchTellsTheTimeOfSeveralEvents(t *testing.T) {
	for odd, sent := range oddTimes {
		t.Run(odd, func(t *testing.T) {
			var told []string
			r := newSetup(only(secondly(1, 20, epoch, map[event.Seq]string{20: sent})...))
			r.sink.before = func(_ int, batches []*event.Batch) error {
				for _, b := range batches {
					told = append(told, string(b.Time))
				}
				return nil
			}
			r.run(t)
			last, ok := event.ParseTime(told[len(told)-1])
			if off := last.Sub(epoch.Add(19 * time.Second)).Abs(); !ok || off > 5*time.Second {
				t.Errorf("the last batch tells %v", told)
			}
		})
	}
}
