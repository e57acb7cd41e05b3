package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
)

// log is what a relay server serves.
type log interface {
	Bounds() (oldest, newest event.Seq)
	Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error)
}

var _ log = (*Sim)(nil)

func newSim(t testing.TB, cfg Config) *Sim {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func next(t testing.TB, s *Sim, after event.Seq) (event.Seq, []byte) {
	t.Helper()
	seq, data, err := s.Next(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	return seq, data
}

func TestQ1SeqsRiseWithSmallGaps(t *testing.T) {
	s := newSeries(&Config{Seed: 3, Accounts: 1, Epoch: DefaultEpoch})
	last, gaps := event.Seq(0), 0
	for i := range int64(10_000) {
		seq := s.seq(i)
		if !seq.Valid() || seq <= last || last > 0 && seq > last+3 {
			t.Fatalf("event %d has seq %d after %d", i, seq, last)
		}
		if last > 0 && seq != last+1 {
			gaps++
		}
		if got := s.after(seq); got != i+1 {
			t.Fatalf("after the seq of event %d comes %d", i, got)
		}
		if got := s.after(seq - 1); got != i {
			t.Fatalf("below the seq of event %d comes %d", i, got)
		}
		last = seq
	}
	if gaps == 0 {
		t.Error("no gaps")
	}
}

func TestFramesCarryTheirSeq(t *testing.T) {
	s := newSim(t, Config{Count: 500, Rate: 1000, Backlog: 500})
	var after event.Seq
	for range 500 {
		seq, data := next(t, s, after)
		if peeked, ok := frame.PeekSeq(data); !ok || peeked != seq || seq <= after {
			t.Fatalf("seq %d, in the frame %d, after %d", seq, peeked, after)
		}
		after = seq
	}
	if _, _, err := s.Next(t.Context(), after); !errors.Is(err, io.EOF) {
		t.Fatalf("past the count: %v", err)
	}
}

// read is n frames after a seq, in one.
func read(t *testing.T, s *Sim, after event.Seq, n int) (seqs []event.Seq, all [][]byte) {
	t.Helper()
	for range n {
		seq, data := next(t, s, after)
		seqs, all, after = append(seqs, seq), append(all, data), seq
	}
	return seqs, all
}

// The same seq has the same frame, whoever asks, from wherever, whenever.
func TestEverySeqHasOneFrame(t *testing.T) {
	seqs, all := read(t, newSim(t, Config{Seed: 5}), 0, 4000)
	for name, cfg := range map[string]Config{"same": {Seed: 5}, "counted": {Seed: 5, Count: 10_000}} {
		s := newSim(t, cfg)
		for _, at := range []int{3500, 10, 3990, 1200, 1201, 0} {
			var after event.Seq
			if at > 0 {
				after = seqs[at-1]
			}
			gotSeqs, got := read(t, s, after, 10)
			if !slices.Equal(gotSeqs, seqs[at:at+10]) || !slices.EqualFunc(got, all[at:at+10], bytes.Equal) {
				t.Fatalf("%s: frames from event %d differ", name, at)
			}
		}
	}
	_, other := read(t, newSim(t, Config{Seed: 6}), 0, 50)
	if slices.EqualFunc(other, all[:50], bytes.Equal) {
		t.Error("another seed makes the same frames")
	}
}

func TestChaptersFollowEachOther(t *testing.T) {
	s := newSim(t, Config{Seed: 2})
	end := s.series.length
	seqs, across := read(t, s, s.series.seq(end-20), 40)
	_, begun := read(t, newSim(t, Config{Seed: 2}), s.series.seq(end+9), 10)
	if !slices.IsSorted(seqs) || !slices.EqualFunc(begun, across[29:39], bytes.Equal) {
		t.Fatal("the next chapter depends on how it was reached")
	}
}

func TestConsumersFarApart(t *testing.T) {
	s := newSim(t, Config{Seed: 4})
	var at [places + 2]event.Seq
	for i := range at {
		at[i] = s.series.seq(int64(i) * 700)
	}
	for range 5 {
		for i := range at {
			at[i], _ = next(t, s, at[i])
		}
	}
	for i := range at {
		if want := s.series.seq(int64(i)*700 + 5); at[i] != want {
			t.Errorf("consumer %d is at %d, want %d", i, at[i], want)
		}
	}
}

func TestRateSpreadsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, Config{Rate: 10, Count: 25, Backlog: 5})
		begin := time.Now()
		var after event.Seq
		for i := range 25 {
			after, _ = next(t, s, after)
			if took, want := time.Since(begin), time.Duration(max(0, i-4))*time.Second/10; took != want {
				t.Fatalf("event %d came after %v, want %v", i, took, want)
			}
			if _, newest := s.Bounds(); newest != s.series.seq(int64(max(4, i))) {
				t.Fatalf("at event %d the newest is %d", i, newest)
			}
		}
	})
}

func TestWaitingEnds(t *testing.T) {
	s := newSim(t, Config{Rate: minRate, Count: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Next(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	done := make(chan error)
	go func() { _, _, err := s.Next(t.Context(), 0); done <- err }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestReadersAtOnce(t *testing.T) {
	s := newSim(t, Config{Seed: 8})
	var all [4][][]byte
	var readers sync.WaitGroup
	for i := range all {
		readers.Go(func() {
			var after event.Seq
			for range 300 {
				seq, data, err := s.Next(t.Context(), after)
				if err != nil {
					t.Error(err)
					return
				}
				all[i], after = append(all[i], data), seq
			}
		})
	}
	readers.Wait()
	for i := range all {
		if !slices.EqualFunc(all[i], all[0], bytes.Equal) {
			t.Errorf("reader %d saw other frames", i)
		}
	}
}

// A relay that runs since the epoch is the same after a restart.
func TestRunningRelayGoesOnAfterRestart(t *testing.T) {
	now := DefaultEpoch.Add(1000 * time.Hour)
	cfg := Config{Rate: 100, Seed: 9, Backlog: 30, Now: func() time.Time { return now }}
	s := newSim(t, cfg)
	_, newest := s.Bounds()
	seqs, all := read(t, s, 0, 30)
	if seqs[29] != newest {
		t.Fatalf("the backlog ends at %d, the newest is %d", seqs[29], newest)
	}
	ev := decode(t, all[29])
	if when, err := time.Parse(time.RFC3339, string(ev.Time)); err != nil || now.Sub(when).Abs() > time.Second {
		t.Fatalf("the newest event is of %s, now is %s", ev.Time, now)
	}

	now = now.Add(10 * time.Minute)
	again := newSim(t, cfg)
	oldest, newest := again.Bounds()
	if newest <= seqs[29] || oldest > seqs[0] {
		t.Fatalf("the cursor %d is outside %d to %d", seqs[0], oldest, newest)
	}
	if _, same := read(t, again, seqs[0], 29); !slices.EqualFunc(same, all[1:], bytes.Equal) {
		t.Fatal("frames differ after a restart")
	}
}

// A counted or unpaced series begins anew, but goes on for those who know more.
func TestReachTakesUpEarlierCursors(t *testing.T) {
	for name, cfg := range map[string]Config{"counted": {Rate: 10, Count: 5000}, "unpaced": {}} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, cfg)
			saved := s.series.seq(2500)
			if _, newest := s.Bounds(); newest >= saved {
				t.Fatalf("newest is %d already", newest)
			}
			s.Reach(saved)
			if _, newest := s.Bounds(); newest != saved {
				t.Fatalf("newest is %d, want %d", newest, saved)
			}
			if cfg.Rate == 0 {
				if seq, _ := next(t, s, saved); seq != s.series.seq(2501) {
					t.Fatalf("went on at %d", seq)
				}
			}
			_, before := s.Bounds()
			s.Reach(31_527_015_322) // the live network's
			s.Reach(s.series.seq(10))
			if _, newest := s.Bounds(); newest != before {
				t.Fatalf("newest went to %d", newest)
			}
		})
	}
	s := newSim(t, Config{Rate: 10, Count: 100})
	s.Reach(s.series.seq(100))
	if _, newest := s.Bounds(); newest != 0 {
		t.Fatalf("reached %d past the count", newest)
	}
}

func TestParseURL(t *testing.T) {
	for text, want := range map[string]Config{
		"sim://":        {Rate: DefaultRate, Seed: DefaultSeed},
		"sim:///":       {Rate: DefaultRate, Seed: DefaultSeed},
		"sim://?rate=0": {Seed: DefaultSeed},
		"sim://?rate=2.5&count=7&seed=0&backlog=0&accounts=3": {Rate: 2.5, Count: 7, Backlog: -1, Accounts: 3},
	} {
		got, err := ParseURL(text)
		if err != nil || got.Rate != want.Rate || got.Count != want.Count || got.Seed != want.Seed || got.Backlog != want.Backlog || got.Accounts != want.Accounts {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, name := range map[string]string{
		"sim://?speed=1": "speed", "sim://?rate=fast": "rate", "sim://?rate=NaN": "rate", "sim://?rate=-1": "rate", "sim://?rate=1e9": "rate",
		"sim://?count=-1": "count", "sim://?count=1.5": "count", "sim://?count=99999999999": "count",
		"sim://?seed=x": "seed", "sim://?backlog=": "backlog", "sim://?accounts=99999999": "accounts", "sim://?seed=1&seed=2": "seed",
		"sim://host": "parameters", "sim://u:p@/": "parameters", "sim://?a;b": "malformed", "wss://x": "parameters",
	} {
		_, err := ParseURL(text)
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := New(Config{Rate: MaxRate + 1}); fault.ClassOf(err) != fault.Usage {
		t.Errorf("too fast: %v", err)
	}
}

func TestSeriesNamesWhatFramesDependOn(t *testing.T) {
	for want, cfg := range map[string]Config{
		"sim:seed=1,rate=50,accounts=200":                         {Rate: 50, Seed: 1, Count: 9, Backlog: 3},
		"sim:seed=0,rate=0,accounts=7,epoch=2027-01-01T00:00:00Z": {Accounts: 7, Epoch: DefaultEpoch.AddDate(1, 0, 0)},
	} {
		if got := cfg.Series(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Memory follows the accounts and not the events.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("plays 50,000 events")
	}
	s := newSim(t, Config{})
	for at := int64(999); at < 50_000; at += 1000 {
		next(t, s, s.series.seq(at))
		nodes, records := 0, 0
		for _, c := range s.open {
			for i := range c.cast {
				if c.cast[i].tree != nil {
					nodes += c.cast[i].tree.Nodes()
				}
				records += len(c.cast[i].records)
			}
		}
		if limit := DefaultAccounts * 300; nodes > limit || records > DefaultAccounts*2*maxRecords || len(s.open) > places {
			t.Fatalf("at event %d: %d nodes, %d records, %d places", at, nodes, records, len(s.open))
		}
	}
}
