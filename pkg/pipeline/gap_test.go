package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// liveRelay makes an event every so often, from seq 1001 on, and shows all behind what is
// asked for to each connection, as a relay does; lies are false seqs that come once, or
// on each connection, behind a true one.
type liveRelay struct {
	began time.Time
	every time.Duration
	log   event.Seq // that it holds when it begins
	most  event.Seq
	lies  map[event.Seq][]event.Seq
	each  bool
	told  map[event.Seq]bool
}

func newLiveRelay(every time.Duration, log, most event.Seq, lies map[event.Seq][]event.Seq) *liveRelay {
	return &liveRelay{began: time.Now(), every: every, log: log, most: most, lies: lies, told: map[event.Seq]bool{}}
}

func (l *liveRelay) newest() event.Seq {
	return min(l.most, l.log+event.Seq(time.Since(l.began)/l.every))
}

func (l *liveRelay) play(ctx context.Context, from event.Position, send func(...[]byte) bool) {
	next := max(from.Seq+1, 1001)
	for ctx.Err() == nil {
		for ; next <= l.newest(); next++ {
			if !send(identity(next)) {
				return
			}
			if lies := l.lies[next]; len(lies) > 0 && (l.each || !l.told[next]) {
				l.told[next] = true
				if !send(frames(lies...)...) {
					return
				}
			}
		}
		select {
		case <-time.After(l.every / 2):
		case <-ctx.Done():
		}
	}
}

// G1, G2, G7: a false seq, however little it is ahead, and whatever its company, costs no
// event; what is stored of it is none of the relay's numbers lost or stored twice.
func TestSmallFalseSeqCostsItselfOnly(t *testing.T) {
	const last = 5000
	cases := map[string]struct {
		every time.Duration
		log   event.Seq
		most  event.Seq
		lies  map[event.Seq][]event.Seq
		each  bool
		clean bool // no lie is stored
	}{
		"three ahead":             {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: {1403}}, false, true},
		"one ahead":               {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: {1402}}, false, true},
		"five hundred":            {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: {1900}}, false, true},
		"nine hundred in backlog": {5 * time.Millisecond, 3000, last, map[event.Seq][]event.Seq{1400: {2300}}, false, true},
		"twenty thousand":         {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{4000: {24_000}}, false, true},
		"twenty thousand, each":   {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{4000: {24_000}}, true, true},
		"on each connection":      {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: {2300}}, true, true},
		"again and again":         {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: {1900}, 1450: {1460}, 3000: {3900}, 3001: {3002, 3500}}, false, false},
		"two in a row":            {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: {2300, 2301}}, false, false},
		"many in a row":           {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: span(2300, 2900)}, false, false},
		"a staircase":             {5 * time.Millisecond, 1200, last, map[event.Seq][]event.Seq{1400: {2300, 3200, 4100, 5000, 5900}}, false, false},
		"a quiet host":            {2 * time.Second, 1030, 1200, map[event.Seq][]event.Seq{1040: {1940}}, false, true},
		"a quiet host, two":       {2 * time.Second, 1030, 1200, map[event.Seq][]event.Seq{1040: {1940, 1941}}, false, false},
		"a quiet host, each":      {5 * time.Second, 1030, 1100, map[event.Seq][]event.Seq{1040: {1940}}, true, false},
		"at the end":              {5 * time.Millisecond, 1200, 1400, map[event.Seq][]event.Seq{1400: {1403}}, false, true}, // nothing disproves it, and it is not stored
	}
	for name, c := range cases {
		for _, chunk := range []int{1, 64} {
			t.Run(fmt.Sprint(name, "/", chunk), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := newLiveRelay(c.every, c.log, c.most, c.lies)
					l.each = c.each
					r := newSetup(slices.Repeat([]connection{l.play}, 4000)...)
					r.relay.chunk, r.relay.lull = chunk, chunk == 1
					r.sink.set(1000)
					r.runFor(t, time.Duration(c.most-c.log)*c.every+time.Minute)
					var lies []event.Seq
					for _, some := range c.lies {
						lies = append(lies, some...)
					}
					got := r.sink.seqs()
					if n := len(got); c.clean && r.sink.cursor != c.most || n == 0 {
						t.Errorf("cursor %d", r.sink.cursor)
					}
					slices.Sort(got)
					if len(slices.Compact(slices.Clone(got))) != len(got) {
						t.Error("something is stored twice")
					}
					wantEach(t, got, c.most, lies, c.clean)
					if name == "at the end" {
						return
					}
					if r.seen.alarmed(event.AlarmLeap) == 0 || r.seen.alarmed(event.AlarmReset) > 0 {
						t.Errorf("alarms: %v", r.seen.alarms)
					}
					if c.clean && int(r.seen.total().Rejected[event.ReasonLeap]) < len(lies) {
						t.Errorf("rejected: %v", r.seen.rejects)
					}
				})
			})
		}
	}
}

// G1, G2: a connection that ends right behind a false seq proves nothing, not even when
// another one says the same false thing, and whatever is on its way to the sink already.
func TestFalseSeqBeforeACutIsNotStored(t *testing.T) {
	seqs := []event.Seq{1001, 1002, 1005, 1009, 1010, 1013, 1014, 1015, 1016, 1017, 1018, 1019, 1020}
	sound := script(seqs...)
	lie := func(n int) connection { return only(frames(slices.Concat(seqs[:n], []event.Seq{1500})...)...) }
	for name, conns := range map[string][]connection{
		"once":                     once(lie(5), sound),
		"behind a gap":             once(lie(4), sound),
		"twice":                    append([]connection{lie(5), only(frames(1500)...)}, again(sound)...),
		"twice, then the true one": append([]connection{lie(5), script(slices.Concat([]event.Seq{1500}, seqs[5:])...)}, again(sound)...),
		"behind one shown again":   append([]connection{only(frames(seqs[:3]...)...), script(seqs[2], 1500)}, again(sound)...),
		"another one each time":    append([]connection{lie(5), only(frames(1600)...), only(frames(1700)...)}, again(sound)...),
	} {
		for _, batch := range []int{1, 2, 50} {
			t.Run(fmt.Sprint(name, "/", batch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newSetup(conns...)
					r.cfg.BatchSize = batch
					leapRun(t, r)
					wantSeqs(t, r.sink, seqs)
					if r.seen.alarmed(event.AlarmLeap) == 0 || r.seen.total().Rejected[event.ReasonLeap] == 0 {
						t.Errorf("rejected %v, alarms %v", r.seen.rejects, r.seen.alarms)
					}
				})
			})
		}
	}
}

// G1, G2, G7: false seqs in a row confirm each other, and where the connection ends behind
// them nothing shows it: the next one is asked from in front of them. They may be stored;
// none of the relay's events is lost or stored twice, and it is told.
func TestFalseRunBeforeACutIsLeft(t *testing.T) {
	seqs := span(7_000_001, 7_000_100)
	sound := script(seqs...)
	plus := func(at, by event.Seq, n int) (lies []event.Seq) {
		for i := range event.Seq(n) {
			lies = append(lies, seqs[0]+at+by+i)
		}
		return lies
	}
	run := func(n int, lies []event.Seq, rest ...event.Seq) connection {
		return only(frames(slices.Concat(seqs[:n], lies, rest)...)...)
	}
	oldest, live, after := event.Position{Start: event.Oldest}, event.Position{Start: event.Live}, event.AfterSeq(7_000_000)
	cases := map[string]struct {
		from  event.Position
		conns []connection
		lies  []event.Seq
	}{
		"two":                      {after, once(run(5, plus(5, 900, 2)), sound), plus(5, 900, 2)},
		"three":                    {after, once(run(5, plus(5, 3, 3)), sound), plus(5, 3, 3)},
		"fifty":                    {after, once(run(5, plus(5, 50, 50)), sound), plus(5, 50, 50)},
		"nine hundred":             {after, once(run(5, plus(5, 900, 900)), sound), plus(5, 900, 900)},
		"two, twice":               {after, append([]connection{run(5, plus(5, 900, 2)), run(5, plus(5, 900, 2))}, again(sound)...), plus(5, 900, 2)},
		"oldest, two":              {oldest, once(run(0, plus(0, 899, 2)), sound), plus(0, 899, 2)},
		"oldest, two, then true":   {oldest, once(run(0, plus(0, 899, 2), seqs...), sound), plus(0, 899, 2)},
		"oldest, two far":          {oldest, once(run(0, plus(0, 1<<40, 2)), sound), plus(0, 1<<40, 2)},
		"oldest, two far and true": {oldest, once(run(0, plus(0, 5000, 2), seqs...), sound), plus(0, 5000, 2)},
		"oldest, one, on two":      {oldest, append([]connection{run(0, plus(0, 5000, 1)), run(0, plus(0, 5000, 1))}, again(sound)...), plus(0, 5000, 1)},
		"oldest, one near, on two": {oldest, append([]connection{run(0, plus(0, 3, 1)), run(0, plus(0, 3, 1))}, again(sound)...), nil},
		"live, two, then true":     {live, once(run(0, plus(0, 900, 2), seqs...), sound), plus(0, 900, 2)},
		"live, two far and true":   {live, once(run(1, plus(0, 20_000, 2), seqs[1:]...), sound), plus(0, 20_000, 2)},
	}
	for name, c := range cases {
		for _, batch := range []int{1, 50} {
			t.Run(fmt.Sprint(name, "/", batch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newSetup(c.conns...)
					r.cfg.BatchSize, r.relay.chunk = batch, 1
					if r.sink.start = (event.Resume{Position: c.from}); c.from.Start == event.After {
						r.sink.set(c.from.Seq)
					}
					r.runFor(t, 10*time.Minute)
					got := r.sink.seqs()
					slices.Sort(got)
					if len(slices.Compact(slices.Clone(got))) != len(got) {
						t.Errorf("something is stored twice: %v", got)
					}
					for _, seq := range seqs {
						if !slices.Contains(got, seq) {
							t.Fatalf("seq %d is missing: %v", seq, got)
						}
					}
					for _, seq := range got {
						if !slices.Contains(seqs, seq) && !slices.Contains(c.lies, seq) {
							t.Errorf("seq %d is stored", seq)
						}
					}
					if c.lies != nil && r.seen.alarmed(event.AlarmLeap) == 0 || r.seen.alarmed(event.AlarmReset) > 0 {
						t.Errorf("alarms %v", r.seen.alarms)
					}
				})
			})
		}
	}
}

// G1, Q6: what comes again because a gap is to be confirmed is no numbering that
// restarted, however long the relay takes, and a false seq in between is not stored.
func TestRepeatsThatWereAskedForAreNoReset(t *testing.T) {
	seqs := slices.Concat(span(1001, 1005), span(1020, 1100))
	slow := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		if from.Seq >= 1020 || !send(frames(1020, 1021)...) {
			return
		}
		select {
		case <-time.After(20 * time.Second):
		case <-ctx.Done():
		}
	}
	lie := func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
		script(slices.Concat([]event.Seq{1020, 1500}, span(1021, 1100))...)(ctx, from, send)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newSetup(append([]connection{only(frames(seqs[:8]...)...), slow, lie}, again(script(seqs...))...)...)
		r.relay.chunk, r.cfg.BatchSize = 1, 1
		leapRun(t, r)
		wantSeqs(t, r.sink, seqs)
		if r.seen.alarmed(event.AlarmReset) > 0 || r.seen.alarmed(event.AlarmLeap) == 0 {
			t.Errorf("alarms: %v", r.seen.alarms)
		}
		if asked := r.relay.positions(); asked[1] != event.AfterSeq(1005) || asked[2] != event.AfterSeq(1005) {
			t.Errorf("the relay was asked from %v", asked)
		}
	})
}

// wantEach fails unless every seq up to one is stored, and of lies none if clean.
func wantEach(t *testing.T, got []event.Seq, most event.Seq, lies []event.Seq, clean bool) {
	t.Helper()
	for seq := event.Seq(1001); seq <= most; seq++ {
		if _, ok := slices.BinarySearch(got, seq); !ok {
			t.Errorf("seq %d is missing, of %d stored", seq, len(got))
			return
		}
	}
	for _, seq := range got {
		if seq > most && (clean || !slices.Contains(lies, seq)) {
			t.Errorf("seq %d is stored", seq)
		}
	}
}

// Q1: gaps are legal. A relay that skips numbers is not asked again and again, nor are
// its events held back for long.
func TestQ1SmallGapsAreNotSlowed(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration
		step  func(i int) event.Seq
		conns int
		n     int
	}{
		"busy, now and then one":   {5 * time.Millisecond, func(i int) event.Seq { return 1 + event.Seq(i%97/96) }, 1, 140},
		"busy, now and then wide":  {5 * time.Millisecond, func(i int) event.Seq { return 1 + event.Seq(i%97/96*700) }, 1, 140},
		"busy, always":             {5 * time.Millisecond, func(i int) event.Seq { return 2 + event.Seq(i*7%13) }, 1, 140},
		"quiet, always":            {4 * time.Second, func(i int) event.Seq { return 10 }, 4, 140},
		"quiet, of many widths":    {4 * time.Second, func(i int) event.Seq { return 2 + event.Seq(i*7%13) }, 12, 140},
		"quiet, now and then one":  {4 * time.Second, func(i int) event.Seq { return 1 + event.Seq(i%20/19) }, 12, 140},
		"quiet, now and then wide": {4 * time.Second, func(i int) event.Seq { return 1 + event.Seq(i%20/19*700) }, 12, 140},
		"busy, leaps":              {10 * time.Millisecond, func(i int) event.Seq { return 1 + event.Seq(i%200/199*20_000) }, 8, 3000},
		"busy, leaps of 3,000":     {10 * time.Millisecond, func(i int) event.Seq { return 1 + event.Seq(i%500/499*3000) }, 8, 4000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seqs []event.Seq
				for i, seq := 0, event.Seq(1000); i < c.n; i++ {
					seq += c.step(i)
					seqs = append(seqs, seq)
				}
				began := time.Now()
				r := newSetup(again(func(ctx context.Context, from event.Position, send func(...[]byte) bool) {
					for i, seq := range seqs {
						if seq <= from.Seq {
							continue
						}
						select {
						case <-time.After(time.Until(began.Add(time.Duration(i) * c.every))):
						case <-ctx.Done():
							return
						}
						if !send(identity(seq)) {
							return
						}
					}
					hangUpSeen(ctx)
				})...)
				r.relay.lull = true
				leapRun(t, r)
				wantSeqs(t, r.sink, seqs)
				if n := len(r.relay.positions()); n > c.conns {
					t.Errorf("%d connections", n)
				}
				if len(r.seen.alarms) > 0 {
					t.Errorf("alarms: %v", r.seen.alarms)
				}
			})
		})
	}
}
