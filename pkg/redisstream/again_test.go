package redisstream

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// G2, G7: after going back over a false seq, what the stream holds is not stored twice. An
// event whose number another account's entry has is told of, and noted.
func TestReturnKnowsItsOwnEntries(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		var alarms []string
		w, _ := k.open(func(c *Config) {
			c.Alarm = func(a event.Alarm, seq event.Seq, _ string) { alarms = append(alarms, fmt.Sprint(a, " ", seq)) }
		})
		false6 := storetest.Batch(event.AfterSeq(3))
		false6.Add(6, event.KindCommit, []byte(`{"repo":"did:plc:another","ops":[]}`))
		k.must(w, storetest.Run(storetest.Live, 1, 3), false6, storetest.Batch(event.AfterSeq(6), 8))
		storetest.Must(t, w.Return(k.Ctx(), 3))
		if seq, ok, err := w.Poll(k.Ctx()); seq != 3 || !ok || err != nil {
			t.Fatalf("poll: %v %v %v", seq, ok, err)
		}
		r := k.must(w, storetest.Run(event.AfterSeq(3), 4, 7))[0]
		if r.Appended != 3 || r.Lost != 1 || r.Foreign != 0 {
			t.Errorf("%+v", r)
		}
		r = k.must(w, storetest.Run(event.AfterSeq(7), 8, 9))[0]
		if r.Appended != 1 || r.Present != 1 || r.Lost != 0 || r.Foreign != 0 {
			t.Errorf("%+v", r)
		}
		k.must(w, storetest.Run(event.AfterSeq(9), 10, 10))
		k.want(10, 1, 2, 3, 6, 8, 4, 5, 7, 9, 10)
		if !slices.Equal(alarms, []string{"seq_leap 6"}) {
			t.Errorf("alarms %v", alarms)
		}
		if lines := k.losses(); len(lines) != 1 || lines[0].From != 6 || lines[0].To != 6 {
			t.Errorf("ledger %+v", lines)
		}
		if w.others.Watching() {
			t.Error("its own entries are still looked for")
		}
	})
}

// G2: who takes over midway knows them as well, and takes the lower cursor for no loss.
func TestReturnIsKnownToAStandby(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.leads(a)
		k.must(a, storetest.Run(storetest.Live, 1, 3), storetest.Batch(event.AfterSeq(3), 9))
		k.standsBy(b, "a", 9)
		storetest.Must(t, a.Return(k.Ctx(), 3))
		k.standsBy(b, "a", 3)
		k.must(a, storetest.Run(event.AfterSeq(3), 4, 5))
		k.standsBy(b, "a", 5)
		k.expire()
		k.leads(b)
		k.must(b, storetest.Run(event.AfterSeq(5), 6, 10))
		k.want(10, 1, 2, 3, 9, 4, 5, 6, 7, 8, 10)
	})
}

// The same where the leader dies before it has stored anything, and the standby had seen
// the higher cursor.
func TestReturnBeforeALeadersDeath(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, b := k.member("a"), k.member("b")
		k.leads(a)
		k.must(a, storetest.Run(storetest.Live, 1, 3), storetest.Batch(event.AfterSeq(3), 9))
		k.standsBy(b, "a", 9)
		storetest.Must(t, a.Return(k.Ctx(), 3))
		k.expire()
		k.leads(b)
		at, err := b.Resume(k.Ctx())
		if err != nil || at.Position != event.AfterSeq(3) {
			t.Fatalf("it goes on at %v, %v", at, err)
		}
		k.must(b, storetest.Run(event.AfterSeq(3), 4, 10))
		k.want(10, 1, 2, 3, 9, 4, 5, 6, 7, 8, 10)
	})
}

// A crash that leaves some partitions where they were loses nothing of theirs.
func TestPartitionsReturnIsFinished(t *testing.T) {
	for moved := range 3 {
		eachSet(t, 3, func(s *set) {
			w, _ := s.openSet()
			s.mustSet(w, s.batch(storetest.Live, 1, 20), s.batch(event.AfterSeq(20), 31, 45))
			for _, p := range w.parts[:moved] {
				storetest.Must(s.T, p.Return(s.Ctx(), 20))
			}
			w, at := s.openSet()
			if moved == 0 {
				storetest.Must(s.T, w.Return(s.Ctx(), 20))
			} else if at.Position != event.AfterSeq(20) {
				s.T.Fatalf("it goes on at %s: %s", at.Position, at.Why)
			}
			s.mustSet(w, s.batch(event.AfterSeq(20), 21, 33))
			w, at = s.openSet()
			s.mustSet(w, s.batch(at.Position, 34, 50))
			var got []event.Seq
			for i := range s.n {
				got = append(got, s.seqs(i)...)
			}
			slices.Sort(got)
			for i, seq := range got {
				if len(got) != 50 || seq != event.Seq(i+1) {
					s.T.Fatalf("%d moved: stored %v", moved, got)
				}
			}
		})
	}
}
