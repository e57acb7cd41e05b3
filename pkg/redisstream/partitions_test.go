package redisstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/partitions"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// set is a kit for partitioned streams: events of many repositories, and what
// the partitions hold.
type set struct {
	*kit
	n      int
	warned []*event.Moved // by the last openSet, before it succeeded
}

func newSet(t testing.TB, server *redistest.Server, n int) *set {
	return &set{kit: newKit(t, server), n: n}
}

// repoOf is the account of a seq: a few accounts take turns.
func repoOf(seq event.Seq) string { return fmt.Sprintf("did:plc:account%d", seq*7%23) }

func (s *set) batch(at event.Position, first, last event.Seq) *event.Batch {
	b := &event.Batch{}
	b.Reset(at)
	for seq := first; seq <= last; seq++ {
		b.Add(seq, event.KindCommit, fmt.Appendf(nil, `{"repo":"%s","ops":[]}`, repoOf(seq)))
	}
	b.Upto = max(b.Upto, last)
	b.Time = append(b.Time, "2026-01-02T03:04:05Z"...)
	return b
}

func (s *set) partitioned(c *Config) { c.Identity.Partitions = s.n }

// openedSet is a set and the partitions that it consists of.
type openedSet struct {
	*partitions.Set
	parts []part
}

func (s *set) openSet(change ...func(*Config)) (*openedSet, event.Resume) {
	s.T.Helper()
	w, at, err := s.tryOpen(change...)
	if err != nil {
		s.T.Fatalf("open set: %v (hint: %s)", err, fault.HintOf(err))
	}
	return w, at
}

func (s *set) tryOpen(change ...func(*Config)) (*openedSet, event.Resume, error) {
	s.T.Helper()
	opened, parts, err := openPartitions(s.Ctx(), s.config(append([]func(*Config){s.partitioned}, change...)...))
	if err != nil {
		return nil, event.Resume{}, err
	}
	w := &openedSet{opened, parts}
	s.T.Cleanup(func() { _ = w.Close() })
	at, err := w.Resume(s.Ctx())
	for s.warned = nil; isMoved(err) && len(s.warned) < 5; { // asked again, as the pipeline does
		moved, _ := asMoved(err)
		s.warned = append(s.warned, moved)
		at, err = w.Resume(s.Ctx())
	}
	return w, at, err
}

func (s *set) cursor(i int) string { return s.Get(keyspace.Partition(keyspace.DefaultCursor, i)) }

// wantSet checks that each event from first to last is in its partition once and
// in order, and that every cursor is at the last.
func (s *set) wantSet(first, last event.Seq) {
	s.T.Helper()
	want := make([][]event.Seq, s.n)
	for seq := first; seq <= last; seq++ {
		i := entry.PartitionOf(repoOf(seq), s.n)
		want[i] = append(want[i], seq)
	}
	for i := range s.n {
		if got := s.seqs(i); fmt.Sprint(got) != fmt.Sprint(want[i]) {
			s.T.Fatalf("partition %d is\n%v, want\n%v", i, got, want[i])
		}
		if got := s.cursor(i); got != last.String() {
			s.T.Fatalf("cursor %d is %s, want %s", i, got, last)
		}
	}
}

func (s *set) seqs(i int) (seqs []event.Seq) {
	s.T.Helper()
	rows, err := s.Client.XRange(s.Ctx(), keyspace.Partition(keyspace.DefaultStream, i), "-", "+").Result()
	if err != nil {
		s.T.Fatal(err)
	}
	for _, row := range rows {
		seq, _ := seqOf(row)
		seqs = append(seqs, seq)
	}
	return seqs
}

func (s *set) mustSet(w *openedSet, batches ...*event.Batch) []event.Receipt {
	s.T.Helper()
	receipts, err := w.Commit(s.Ctx(), batches)
	if err != nil {
		s.T.Fatalf("commit: %v (hint: %s)", err, fault.HintOf(err))
	}
	return append([]event.Receipt(nil), receipts...)
}

func eachSet(t *testing.T, n int, test func(*set)) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) { test(newSet(t, server, n)) })
}

// G1, G2, G3: events are split by account, every cursor moves with every batch,
// and receipts are of whole batches.
func TestPartitionsSplitByAccount(t *testing.T) {
	eachSet(t, 4, func(s *set) {
		w, at := s.openSet()
		if at.Position != storetest.Live || !strings.Contains(at.Why, "no saved cursor") {
			t.Fatalf("resume at %v: %s", at.Position, at.Why)
		}
		receipts := s.mustSet(w, s.batch(storetest.Live, 11, 30), s.batch(event.AfterSeq(30), 31, 700))
		if receipts[0].Appended != 20 || receipts[1].Appended != 670 || receipts[1].Cursor != 700 || receipts[1].Length != 690 {
			t.Fatalf("receipts %+v", receipts)
		}
		s.wantSet(11, 700)
		// A batch without entries moves all.
		b := s.batch(event.AfterSeq(700), 701, 700)
		b.Upto = 705
		s.mustSet(w, b)
		for i := range 4 {
			if got := s.cursor(i); got != "705" {
				t.Fatalf("cursor %d is %s", i, got)
			}
		}
		_, at = s.openSet()
		if at.Position != event.AfterSeq(705) || !strings.Contains(at.Why, "all equal") || at.Time == "" {
			t.Fatalf("resume at %+v", at)
		}
	})
}

// G2: after a crash the partitions stand apart; reading begins at the lowest,
// and each drops what it has.
func TestPartitionsResumeFromTheLowest(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 50))
		// What a crash leaves: partition 1 alone has stored the next batch.
		s.onlyPartition(w, 1, s.batch(event.AfterSeq(50), 51, 90))
		w, at := s.openSet()
		if at.Position != event.AfterSeq(50) || !strings.Contains(at.Why, "partition 1 is at 90") {
			t.Fatalf("resume at %v: %s", at.Position, at.Why)
		}
		receipts := s.mustSet(w, s.batch(event.AfterSeq(50), 51, 70), s.batch(event.AfterSeq(70), 71, 120))
		present := 0
		for _, r := range receipts {
			present += r.Present
		}
		if want := len(s.seqs(1)) - s.count(1, 1, 50) - s.count(1, 91, 120); present != want || receipts[0].Present+receipts[0].Appended != 20 {
			t.Fatalf("receipts %+v: %d present, want %d", receipts, present, want)
		}
		s.wantSet(1, 120)
	})
}

// count is how many events from first to last are a partition's.
func (s *set) count(i int, first, last event.Seq) (n int) {
	for seq := first; seq <= last; seq++ {
		if entry.PartitionOf(repoOf(seq), s.n) == i {
			n++
		}
	}
	return n
}

// onlyPartition stores one partition's share, as if the process had died before
// the others had theirs.
func (s *set) onlyPartition(w *openedSet, i int, b *event.Batch) {
	s.T.Helper()
	if _, err := w.parts[i].Commit(s.Ctx(), s.shares(w.parts[i], i, b)); err != nil {
		s.T.Fatal(err)
	}
}

// shares is what one partition has to store of batches, behind what it has.
func (s *set) shares(p part, i int, batches ...*event.Batch) (shares []*event.Batch) {
	at := p.Known().Cursor
	for _, b := range batches {
		if b.Upto <= at {
			continue
		}
		share := &event.Batch{}
		share.Reset(event.AfterSeq(at))
		for _, e := range b.Entries {
			if e.Seq > at && entry.Partition(e.Data, s.n) == i {
				share.Add(e.Seq, e.Kind, e.Data)
			}
		}
		share.Upto, share.Time = b.Upto, b.Time
		shares, at = append(shares, share), b.Upto
	}
	return shares
}

// A cold start gives every partition its cursor before anything is stored in any:
// whatever dies in between, nothing behind the lowest cursor is missing.
func TestPartitionsColdStartCutShort(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		if _, err := w.parts[1].Commit(s.Ctx(), []*event.Batch{{After: storetest.Live, Upto: 10}}); err != nil {
			t.Fatal(err)
		}
		w, at := s.openSet()
		if at.Position != event.AfterSeq(10) || len(s.warned) > 0 {
			t.Fatalf("resume at %v: %s, told %v", at.Position, at.Why, s.warned)
		}
		s.mustSet(w, s.batch(event.AfterSeq(10), 11, 40))
		s.wantSet(11, 40)
	})
}

// Never live for one and saved for others: a cursor that is missing is restored
// to the newest entry of its stream, or to the lowest of the others.
func TestPartitionsRestoreWhatIsMissing(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		s.Do("del", keyspace.Partition(keyspace.DefaultCursor, 2), keyspace.Partition(keyspace.DefaultCursor, 2)+":meta")
		w, at := s.openSet()
		mine := s.seqs(2)
		if newest := mine[len(mine)-1]; at.Position != event.AfterSeq(newest) {
			t.Fatalf("resume at %v, want %v: %s", at.Position, newest, at.Why)
		}
		s.tells(s.warned, event.AlarmCursorMissing, "partition 2")
		s.mustSet(w, s.batch(at.Position, at.Position.Seq+1, 80))
		s.wantSet(1, 80)
		// While it runs, and with the stream gone as well.
		s.Do("del", keyspace.Partition(keyspace.DefaultCursor, 0), keyspace.Partition(keyspace.DefaultCursor, 0)+":meta", keyspace.Partition(keyspace.DefaultStream, 0))
		_, err := w.Commit(s.Ctx(), []*event.Batch{s.batch(event.AfterSeq(80), 81, 99)})
		var moved *event.Moved
		// No group has read anything, so all that this process knows of is read again.
		if !errors.As(err, &moved) || moved.To.Start != event.Oldest || moved.Alarm != event.AlarmCursorMissing {
			t.Fatalf("commit: %v", err)
		}
		s.mustSet(w, s.batch(moved.To, 1, 99))
		s.wantSet(1, 99)
		// The entries alone: that partition moves its cursor back on purpose, and the
		// others are moved with it, each to where it is.
		s.Do("xgroup", "create", keyspace.Partition(keyspace.DefaultStream, 1), "g", "0")
		s.Do("xtrim", keyspace.Partition(keyspace.DefaultStream, 1), "maxlen", 0)
		_, err = w.Commit(s.Ctx(), []*event.Batch{s.batch(event.AfterSeq(99), 100, 120)})
		if !errors.As(err, &moved) || moved.Alarm != event.AlarmCursorMissing {
			t.Fatalf("commit: %v", err)
		}
		s.mustSet(w, s.batch(moved.To, moved.To.Seq+1, 120))
		s.openSet()
	})
}

// G4: one partition's Redis lost writes; the set reads again from there.
func TestPartitionsRollback(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		key := keyspace.Partition(keyspace.DefaultStream, 1)
		for _, seq := range s.seqs(1) {
			if seq > 40 {
				rows, _ := s.Client.XRevRangeN(s.Ctx(), key, "+", "-", 1).Result()
				s.Do("xdel", key, rows[0].ID)
			}
		}
		s.Set(keyspace.Partition(keyspace.DefaultCursor, 1), "40")
		_, err := w.Commit(s.Ctx(), []*event.Batch{s.batch(event.AfterSeq(60), 61, 70)})
		var moved *event.Moved
		if !errors.As(err, &moved) || moved.To != event.AfterSeq(40) || moved.Alarm != event.AlarmRollback || !strings.Contains(moved.Detail, "partition 1") {
			t.Fatalf("commit: %v", err)
		}
		s.mustSet(w, s.batch(event.AfterSeq(40), 41, 70))
		s.wantSet(1, 70)
	})
}

// N changes only while stopped: another number is refused, with what to do.
func TestPartitionsOfAnotherNumberAreRefused(t *testing.T) {
	eachSet(t, 2, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 20))
		for _, n := range []int{3, 4} {
			s.n = n
			_, _, err := s.tryOpen()
			storetest.WantErr(t, err, fault.Cursor)
			if !strings.Contains(fault.HintOf(err), takeOver(n, "2")) {
				t.Fatalf("hint: %s", fault.HintOf(err))
			}
		}
		// One stream of the same names would start live beside the set.
		one, err := Open(s.Ctx(), s.config())
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		_, err = one.Resume(s.Ctx())
		storetest.WantErr(t, err, fault.Cursor)
	})
}

// The other way round: a set does not start live beside one stream's cursor.
func TestPartitionsDoNotStartLiveBesideOneStream(t *testing.T) {
	eachSet(t, 2, func(s *set) {
		w, _ := s.open()
		s.must(w, storetest.Batch(storetest.Live, 1, 2))
		_, _, err := s.tryOpen()
		storetest.WantErr(t, err, fault.Cursor)
		if !strings.Contains(fault.HintOf(err), takeOver(2, "1")) {
			t.Fatalf("hint: %s", fault.HintOf(err))
		}
		_, at := s.openSet(func(c *Config) { c.From, _ = ParseFrom("live") })
		if at.Position != storetest.Live {
			t.Fatalf("resume at %v", at.Position)
		}
	})
}

// Cursors that were moved one by one hide what is missing: refused.
func TestPartitionsMovedAloneAreRefused(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 20))
		s.Set(keyspace.Partition(keyspace.DefaultCursor, 1), "500")
		_, _, err := s.tryOpen()
		storetest.WantErr(t, err, fault.Cursor)
		s.Set(keyspace.Partition(keyspace.DefaultCursor, 1), "20")
		s.openSet()
		if err := w.parts[2].Rebase(s.Ctx(), 10); err != nil {
			t.Fatal(err)
		}
		_, _, err = s.tryOpen()
		storetest.WantErr(t, err, fault.Cursor)
	})
}

// A request to begin elsewhere is applied once by every partition, also when a
// crash came between.
func TestPartitionsBeginAsRequested(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 20))
		from := func(text string) func(*Config) { return func(c *Config) { c.From, _ = ParseFrom(text) } }
		w, at := s.openSet(from("live"))
		if at.Position != storetest.Live {
			t.Fatalf("resume at %v", at.Position)
		}
		if _, err := w.parts[2].Commit(s.Ctx(), []*event.Batch{{After: storetest.Live, Upto: 99}}); err != nil {
			t.Fatal(err)
		}
		w, at = s.openSet(from("live"))
		if at.Position != event.AfterSeq(99) {
			t.Fatalf("resume at %v, want behind where one partition had left for: %s", at.Position, at.Why)
		}
		s.mustSet(w, s.batch(at.Position, 100, 110))
		if _, at = s.openSet(from("live")); at.Position != event.AfterSeq(110) {
			t.Fatalf("resume at %v", at.Position)
		}
		if _, at = s.openSet(from("oldest")); at.Position.Start != event.Oldest || s.cursor(1) != "0" {
			t.Fatalf("resume at %v, cursor %s", at.Position, s.cursor(1))
		}
	})
}

// Rebase moves all; the next batch continues from there.
func TestPartitionsRebase(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 100, 120))
		if err := w.Rebase(s.Ctx(), 4); err != nil {
			t.Fatal(err)
		}
		if seq, ok, err := w.Poll(s.Ctx()); seq != 4 || !ok || err != nil {
			t.Fatalf("poll: %v %v %v", seq, ok, err)
		}
		s.mustSet(w, s.batch(event.AfterSeq(4), 5, 9))
		_, at := s.openSet()
		if at.Position != event.AfterSeq(9) {
			t.Fatalf("resume at %v", at.Position)
		}
	})
}

// The set says down once while any partition is away, and up when all are back.
func TestPartitionsTellStoreOnce(t *testing.T) {
	redistest.RequireReal(t)
	s := newSet(t, redistest.Start(t), 3)
	w, _ := s.openSet()
	s.mustSet(w, s.batch(storetest.Live, 1, 5))
	s.Server.Do("config", "set", "min-replicas-to-write", "1")
	ctx, cancel := context.WithCancel(s.Ctx())
	defer cancel()
	go func() {
		storetest.Eventually(t, "the outage to be told", func() bool { return len(s.told()) > 0 })
		s.Server.Do("config", "set", "min-replicas-to-write", "0")
	}()
	if _, err := w.Commit(ctx, []*event.Batch{s.batch(event.AfterSeq(5), 6, 40)}); err != nil {
		t.Fatal(err)
	}
	told := s.told()
	ups := 0
	for _, e := range told {
		if e.Up {
			ups++
		}
	}
	if last := told[len(told)-1]; ups != 1 || !last.Up {
		t.Fatalf("told %+v", told)
	}
	s.wantSet(1, 40)
}

// Keys whose own braces would gather all partitions in one slot are refused, as
// are numbers that are no set.
func TestPartitionsRefuseSettings(t *testing.T) {
	s := newSet(t, redistest.StartEmbedded(t), 2)
	for _, change := range []func(*Config){
		func(c *Config) { c.StreamKey = "{a}:events" },
		func(c *Config) { c.CursorKey = "{a}:cursor" },
		func(c *Config) { c.Identity.Partitions = keyspace.MostPartitions + 1 },
		func(c *Config) { c.Identity.Partitions = 1 },
	} {
		_, err := OpenPartitions(s.Ctx(), s.config(s.partitioned, change))
		if fault.ClassOf(err) != fault.Usage {
			t.Fatalf("error %v", err)
		}
	}
}
