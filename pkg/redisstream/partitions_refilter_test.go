package redisstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// filters are the filter sets that the partitions' cursors belong to, each with
// how often that cursor was moved on purpose.
func (s *set) filters() string {
	s.T.Helper()
	var all []string
	for i := range s.n {
		side, broken := script.ParseSide([]byte(s.Get(keyspace.Side(keyspace.Partition(keyspace.DefaultCursor, i)))))
		if broken {
			s.T.Fatal("a side key is not JSON")
		}
		all = append(all, fmt.Sprintf("%s/%d", side.Filter, side.Epoch))
	}
	return strings.Join(all, " ")
}

// I9 for a set: a reload takes all cursors along before anything more is stored,
// and who has the former filters is refused whichever partition it asks.
func TestPartitionsRefilterTogether(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet(filtered("old"))
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		w.Refilter("new")
		if got := s.filters(); got != "old/0 old/0 old/0" {
			t.Errorf("Refilter itself must change nothing stored: %s", got)
		}
		at, err := w.Resume(s.Ctx())
		if err != nil || at.Position != event.AfterSeq(60) {
			t.Fatalf("resume: %+v, %v", at, err)
		}
		if got := s.filters(); got != "new/1 new/1 new/1" {
			t.Errorf("filters %s", got)
		}
		if _, _, err := s.tryOpen(filtered("old")); fault.ClassOf(err) != fault.Cursor {
			t.Errorf("a run with the former filters: %v", err)
		}
		s.mustSet(w, s.batch(event.AfterSeq(60), 61, 90))
		s.wantSet(1, 90)
	})
}

// G1, I9: a process that dies when it has changed the filters of some partitions
// leaves a set that its next start completes; one with the former filters changes
// nothing and is told what to do. The partitions may stand apart as well.
func TestPartitionsRefilterInterrupted(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		for name, changed := range map[string][]int{"the first": {0}, "the last": {2}, "all but one": {0, 2}} {
			for _, apart := range []bool{false, true} {
				s.Do("flushall")
				dies, _ := s.openSet(filtered("old"))
				s.mustSet(dies, s.batch(storetest.Live, 1, 60))
				if apart {
					s.onlyPartition(dies, 1, s.batch(event.AfterSeq(60), 61, 80))
				}
				for _, i := range changed {
					dies.parts[i].Refilter("new")
					_, err := dies.parts[i].Look(s.Ctx())
					storetest.Must(t, err)
				}
				half := s.filters()
				_, _, err := s.tryOpen(filtered("old"))
				if fault.ClassOf(err) != fault.Cursor || !strings.Contains(err.Error(), "a change of filters was interrupted") {
					t.Errorf("%s: a start with the former filters: %v", name, err)
				}
				if _, _, err := s.tryOpen(filtered("third")); fault.ClassOf(err) != fault.Cursor {
					t.Errorf("%s: a start with other filters: %v", name, err)
				}
				if got := s.filters(); got != half {
					t.Errorf("%s: refused, and yet changed from %s to %s", name, half, got)
				}
				w, at := s.openSet(filtered("new"))
				if got := s.filters(); at.Position != event.AfterSeq(60) || got != "new/1 new/1 new/1" {
					t.Fatalf("%s: resumes at %+v, filters %s", name, at, got)
				}
				s.mustSet(w, s.batch(at.Position, 61, 90))
				s.wantSet(1, 90)
			}
		}
	})
}
