package pipeline_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// Q1, G1: a start from the oldest event without a cursor has nothing to compare the first
// seq with. One far above the true numbers, however soon its connection ends or falls
// silent, neither becomes the cursor nor covers what follows.
func TestFirstSeqOfAStartIsConfirmed(t *testing.T) {
	seqs := slices.Concat(span(1, 49), span(51, 100))
	sound := script(seqs...)
	bogus := func(seq event.Seq) connection { return only(frames(seq)...) }
	cases := map[string]struct {
		conns []connection
		leaps int64
	}{
		"then a cut":                      {once(bogus(1_000_000_001), sound), 1},
		"then silence":                    {once(script(1_000_000_001), sound), 1},
		"another one each time, then cut": {append([]connection{bogus(1 << 40), bogus(1 << 35), bogus(1 << 33)}, again(sound)...), 3},
		"the true one, then cuts":         {append([]connection{bogus(1), bogus(1), bogus(1)}, again(sound)...), 0},
		"then the true one":               {again(script(append([]event.Seq{1 << 40}, seqs...)...)), 1},
		"near, then a cut":                {once(bogus(50), sound), 1},
		"near, then silence":              {once(script(50), sound), 1},
		"near, then the true one":         {once(script(append([]event.Seq{50}, seqs...)...), sound), 1},
		"near, on each connection":        {again(script(append([]event.Seq{50}, seqs...)...)), 2},
		"near, behind the true one":       {[]connection{bogus(1), script(append([]event.Seq{50}, seqs...)...), sound, sound}, 1},
		"one that comes again":            {once(script(append([]event.Seq{60}, seqs...)...), sound), 0},
	}
	for name, c := range cases {
		for _, batch := range []int{1, 50} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newSetup(c.conns...)
					r.cfg.BatchSize, r.relay.chunk = batch, 1
					r.sink.start = event.Resume{Position: event.Position{Start: event.Oldest}}
					r.runFor(t, 10*time.Minute)
					wantSeqs(t, r.sink, seqs)
					if n := r.seen.total().Rejected[event.ReasonLeap]; n != c.leaps {
						t.Errorf("%d rejected, want %d: %v", n, c.leaps, r.seen.rejects)
					}
					if told := r.seen.alarmed(event.AlarmLeap) > 0; told != (c.leaps > 0) {
						t.Errorf("alarms: %v", r.seen.alarms)
					}
					if asked := r.relay.positions(); slices.Contains(asked, event.AfterSeq(0)) {
						t.Errorf("asked from %v: a relay takes 0 for no cursor, and goes live", asked)
					}
				})
			})
		}
	}
}

// A relay that holds one event alone costs a start one more connection.
func TestOnlyEventOfAStartIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSetup(again(script(7))...)
		r.sink.start = event.Resume{Position: event.Position{Start: event.Oldest}}
		r.runFor(t, 10*time.Second)
		wantSeqs(t, r.sink, []event.Seq{7})
		oldest := event.Position{Start: event.Oldest}
		if asked := r.relay.positions(); !slices.Equal(asked, []event.Position{oldest, oldest}) {
			t.Errorf("the relay was asked from %v", asked)
		}
	})
}
