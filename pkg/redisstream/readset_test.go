package redisstream

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

func (s *set) reader(change ...func(*reader.Config)) *reader.Reader {
	s.T.Helper()
	cfg := reader.Config{Connection: s.config().Connection, Partitions: s.n, Page: 7}
	for _, c := range change {
		c(&cfg)
	}
	r, err := reader.Open(s.Ctx(), cfg)
	if err != nil {
		s.T.Fatalf("open reader: %v", err)
	}
	s.T.Cleanup(func() { _ = r.Close() })
	return r
}

func consecutive(t *testing.T, got []reader.Stored, first event.Seq) {
	t.Helper()
	for i, e := range got {
		if seq, _ := e.Seq(); seq != first+event.Seq(i) {
			t.Fatalf("entry %d is seq %d, want %d", i, seq, first+event.Seq(i))
		}
	}
}

// A set reads as one stream in the order of seqs, from wherever, up to where it
// ended, and goes on from there without a gap.
func TestReaderOfASet(t *testing.T) {
	eachSet(t, 4, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 90))
		r := s.reader()
		b, err := r.Bounds(s.Ctx())
		if first, _ := b.First.Seq(); err != nil || first != 1 || b.Length != 90 {
			t.Fatalf("bounds %+v, %v", b, err)
		}
		var all []reader.Stored
		for e, err := range r.Range(s.Ctx(), b.First.ID, b.Last.ID) {
			storetest.Must(t, err)
			all = append(all, e)
		}
		if consecutive(t, all, 1); len(all) != 90 {
			t.Fatalf("%d entries", len(all))
		}
		newest, err := r.Last(s.Ctx(), 20)
		storetest.Must(t, err)
		if consecutive(t, newest, 71); len(newest) != 20 {
			t.Fatalf("%d newest entries", len(newest))
		}
		if at, found, err := r.SeekSeq(s.Ctx(), 55); !found || err != nil || fmt.Sprint(at.Fields[5]) != "55" {
			t.Fatalf("seek: %+v %v %v", at, found, err)
		}
		if n, exact, err := r.CountAfter(s.Ctx(), 60); n != 30 || !exact || err != nil {
			t.Fatalf("count: %d %v %v", n, exact, err)
		}
		end, err := r.End(s.Ctx())
		storetest.Must(t, err)
		s.mustSet(w, s.batch(event.AfterSeq(90), 91, 130))
		all = nil
		for e, err := range r.UpTo(s.Ctx(), "", end) {
			storetest.Must(t, err)
			all = append(all, e)
		}
		if len(all) != 90 {
			t.Fatalf("%d entries up to the former end", len(all))
		}
		ctx, stop := context.WithCancel(s.Ctx())
		defer stop()
		last, n := map[int]event.Seq{}, 0
		for e, err := range r.FollowFrom(ctx, end) {
			storetest.Must(t, err)
			seq, _ := e.Seq()
			if seq <= 90 || seq <= last[e.Partition] {
				t.Fatalf("seq %d of partition %d follows %d", seq, e.Partition, last[e.Partition])
			}
			if last[e.Partition] = seq; n == 39 {
				break
			}
			n++
		}
	})
}

// With another number than it was written with, a part would pass for the whole.
func TestReaderOfASetOfAnotherNumber(t *testing.T) {
	eachSet(t, 4, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 9))
		_, err := reader.Open(s.Ctx(), reader.Config{Connection: s.config().Connection, Partitions: 2})
		storetest.WantErr(t, err, fault.Usage)
		s.reader(func(c *reader.Config) { c.Partitions, c.OtherCount = 2, true })
	})
}

// An operator's move reaches every partition and leaves equal epochs; one that was
// cut short is refused until it is repeated.
func TestMoveCursorsOfASet(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 50))
		r := s.reader()
		seen, err := r.Cursors(s.Ctx())
		storetest.Must(t, err)
		move := admin.Move{To: 20, Owner: seen[0].Side, How: "20"}
		stale := append([]reader.CursorState(nil), seen...)
		stale[1].Raw = "7"
		err = admin.MoveCursors(s.Ctx(), r, move, stale, nil, false)
		storetest.WantErr(t, err, fault.Conflict)
		if !strings.Contains(err.Error(), "only 1 of 3") || s.cursor(0) != "20" || s.cursor(1) != "50" {
			t.Fatalf("cursors %s %s: %v", s.cursor(0), s.cursor(1), err)
		}
		_, _, err = s.tryOpen()
		storetest.WantErr(t, err, fault.Cursor)
		seen, err = r.Cursors(s.Ctx())
		storetest.Must(t, err)
		storetest.Must(t, admin.MoveCursors(s.Ctx(), r, move, seen, nil, false))
		seen, err = r.Cursors(s.Ctx())
		storetest.Must(t, err)
		for i, c := range seen {
			if c.Raw != "20" || c.Side.Epoch != seen[0].Side.Epoch {
				t.Fatalf("partition %d: %+v", i, c)
			}
		}
		// The writer that runs notices, and all is stored once more.
		_, err = w.Commit(s.Ctx(), []*event.Batch{s.batch(event.AfterSeq(50), 51, 60)})
		if moved, ok := asMoved(err); !ok || moved.To != event.AfterSeq(20) {
			t.Fatalf("commit: %v", err)
		}
		s.mustSet(w, s.batch(event.AfterSeq(20), 21, 60))
		if got := len(s.seqs(0)) + len(s.seqs(1)) + len(s.seqs(2)); got != 90 {
			t.Fatalf("%d entries, want 50 and 40 again", got)
		}
	})
}

// Dead letters are one stream, whoever asks: a reader of a set does not ask its
// partitions for them.
func TestDeadLettersOfASet(t *testing.T) {
	eachSet(t, 2, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 40))
		r := s.reader()
		if d, err := r.DeadLetters(s.Ctx()); err != nil || d.Length != 0 || d.Newest.ID != "" {
			s.T.Errorf("none: %+v, %v", d, err)
		}
		s.Do("xadd", reader.DeadLetterKey, "7-0", "type", "commit", "data", "{}", "seq", 70)
		d, err := r.DeadLetters(s.Ctx())
		if seq, ok := d.Newest.Seq(); err != nil || d.Length != 1 || d.Newest.ID != "7-0" || !ok || seq != 70 {
			s.T.Errorf("one: %+v, %v", d, err)
		}
	})
}

// Each partition has a ledger of its own: a reader of the set gives the newest lines
// of all.
func TestLossesOfASet(t *testing.T) {
	eachSet(t, 2, func(s *set) {
		r := s.reader()
		for i, id := range []string{"5-0", "4-0"} {
			s.Do("xadd", keyspace.Ledger(keyspace.Partition(keyspace.DefaultCursor, i)), id, "group", fmt.Sprint("g", i), "unread", 1)
			s.Do("xadd", keyspace.Ledger(keyspace.Partition(keyspace.DefaultCursor, i)), fmt.Sprintf("%d-0", 8+i), "group", fmt.Sprint("h", i), "unread", 1)
		}
		losses, why, err := r.Losses(s.Ctx(), 3)
		if err != nil || why != "" {
			s.T.Fatalf("losses: %q, %v", why, err)
		}
		var groups []string
		for _, l := range losses {
			groups = append(groups, l.Group)
		}
		if got := strings.Join(groups, " "); got != "h1 h0 g0" {
			s.T.Errorf("the newest losses are of %s, want h1 h0 g0", got)
		}
	})
}
