package redisstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// cable lets the connection of one partition be pulled. Partitions are opened
// one after another, and each begins with the connection it writes through.
type cable struct {
	dialled atomic.Int64
	which   int64 // the connection, counted from 1
	pulled  atomic.Bool
}

var errPulled = errors.New("the cable is pulled")

func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.pulled.Load() {
		return nil, errPulled
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if c.dialled.Add(1) != c.which || err != nil {
		return conn, err
	}
	return &pulled{conn, c}, nil
}

type pulled struct {
	net.Conn
	c *cable
}

func (p *pulled) Write(b []byte) (int, error) {
	if p.c.pulled.Load() {
		return 0, errPulled
	}
	return p.Conn.Write(b)
}

// without commits while the cable is pulled, for a moment.
func (s *set) without(w *openedSet, c *cable, batches ...*event.Batch) []event.Receipt {
	s.T.Helper()
	c.pulled.Store(true)
	ctx, cancel := context.WithTimeout(s.Ctx(), time.Second)
	defer cancel()
	receipts, err := w.Commit(ctx, batches)
	if err == nil {
		s.T.Fatal("commit succeeds without one of the partitions")
	}
	return receipts
}

// G1: a process that dies in its very first batch leaves no partition without a
// cursor while others have gone on: it would take theirs, and lose its share.
func TestPartitionsCrashInTheFirstBatch(t *testing.T) {
	t.Parallel()
	eachSet(t, 3, func(s *set) {
		c := &cable{which: 2}
		w, _ := s.openSet(func(cfg *Config) { cfg.Dialer = c.dial })
		s.without(w, c, s.batch(storetest.Live, 1, 60))
		w, at := s.openSet()
		if at.Position.Start == event.After {
			s.mustSet(w, s.batch(at.Position, at.Position.Seq+1, 60))
		} else {
			s.mustSet(w, s.batch(at.Position, 1, 60))
		}
		s.wantSet(1, 60)
	})
}

// A batch is acknowledged when every partition has its share.
func TestPartitionsAcknowledgeWhatAllHave(t *testing.T) {
	t.Parallel()
	eachSet(t, 3, func(s *set) {
		c := &cable{which: 2}
		w, _ := s.openSet(func(cfg *Config) { cfg.Dialer = c.dial })
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		if receipts := s.without(w, c, s.batch(event.AfterSeq(60), 61, 90), s.batch(event.AfterSeq(90), 91, 120)); len(receipts) != 0 {
			t.Errorf("%d batches acknowledged that one partition does not have", len(receipts))
		}
	})
}

// A cursor that was restored stands where its stream ends, which is no sign that
// somebody moved it alone.
func TestPartitionsRestoredAboveAnother(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		key := keyspace.Partition(keyspace.DefaultStream, 0)
		for _, seq := range s.seqs(0) {
			if seq > 40 {
				rows, _ := s.Client.XRevRangeN(s.Ctx(), key, "+", "-", 1).Result()
				s.Do("xdel", key, rows[0].ID)
			}
		}
		s.Set(keyspace.Partition(keyspace.DefaultCursor, 0), "40")
		s.Do("del", keyspace.Partition(keyspace.DefaultCursor, 2), keyspace.Partition(keyspace.DefaultCursor, 2)+":meta")
		if mine := s.seqs(2); mine[len(mine)-1] <= 40 {
			t.Fatalf("partition 2 ends at %v: too low for this test", mine)
		}
		w, at := s.openSet()
		if at.Position != event.AfterSeq(40) {
			t.Fatalf("resume at %v: %s", at.Position, at.Why)
		}
		s.mustSet(w, s.batch(at.Position, 41, 70))
		s.wantSet(1, 70)
	})
}

// Fault table, stream deleted: a writer that dies when it has put back the cursor
// of one partition, and not yet read the others, leaves a set that the next one
// goes on with. So does one that dies after it did so for two.
func TestPartitionsCrashAfterAStreamVanished(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 11, 60))
		for _, i := range []int{1, 2} {
			s.Do("del", keyspace.Partition(keyspace.DefaultStream, i))
			next := s.batch(event.AfterSeq(60), 61, 61)
			if _, err := w.parts[i].Commit(s.Ctx(), []*event.Batch{next}); !isMoved(err) {
				t.Fatalf("partition %d: %v, want that it moved", i, err)
			}
			_, at := s.openSet()
			if at.Position.Start != event.After || at.Position.Seq >= 60 {
				t.Fatalf("resume at %v: %s", at.Position, at.Why)
			}
		}
		w, at := s.openSet()
		s.mustSet(w, s.batch(at.Position, at.Position.Seq+1, 70))
		s.wantSet(11, 70)
	})
}

// Fault table, stream deleted: where groups had acknowledged everything there is
// nothing to go back for, and the set goes on instead of noticing it for ever.
func TestPartitionsStreamVanishedAfterAllWasAcknowledged(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		for i := range s.n {
			s.Do("xgroup", "create", keyspace.Partition(keyspace.DefaultStream, i), "all", "$")
		}
		w, _ = s.openSet()
		s.Do("del", keyspace.Partition(keyspace.DefaultStream, 1))
		_, err := w.Commit(s.Ctx(), []*event.Batch{s.batch(event.AfterSeq(60), 61, 90)})
		var moved *event.Moved
		if !errors.As(err, &moved) || moved.Alarm != event.AlarmCursorMissing || moved.To != event.AfterSeq(60) {
			t.Fatalf("commit: %v", err)
		}
		s.mustSet(w, s.batch(event.AfterSeq(60), 61, 90))
		for _, seq := range s.seqs(1) {
			if seq <= 60 {
				t.Errorf("seq %d came back, although all groups had acknowledged it", seq)
			}
		}
	})
}

// Fault table, FLUSHALL: a set that has just been started knows what no group had
// acknowledged, before it stores anything.
func TestPartitionsFlushAllAfterARestart(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 11, 60))
		w, _ = s.openSet()
		s.Do("flushall")
		_, err := w.Commit(s.Ctx(), []*event.Batch{s.batch(event.AfterSeq(60), 61, 90)})
		var moved *event.Moved
		if !errors.As(err, &moved) || moved.Alarm != event.AlarmCursorMissing || moved.To.Seq > 10 {
			t.Fatalf("commit: %v", err)
		}
		s.mustSet(w, s.batch(moved.To, 11, 90))
		s.wantSet(11, 90)
	})
}

func isMoved(err error) bool {
	_, ok := asMoved(err)
	return ok
}

// Whoever asks where the set stands hears of the partition that has least.
func TestPartitionsPollTheLowest(t *testing.T) {
	eachSet(t, 3, func(s *set) {
		w, _ := s.openSet()
		s.mustSet(w, s.batch(storetest.Live, 1, 60))
		s.rollBack(keyspace.Partition(keyspace.DefaultCursor, 1), 40)
		if seq, ok, err := w.Poll(s.Ctx()); seq != 40 || !ok || err != nil {
			t.Errorf("poll: %v, %v, %v", seq, ok, err)
		}
	})
}

// Fault table, stream deleted around a restart: of one partition, of all, with their
// cursors, and all cursors alone.
func TestPartitionsStreamVanishedAtAStart(t *testing.T) {
	t.Parallel()
	keys := func(s *set, of string) (keys []any) {
		for i := range s.n {
			keys = append(keys, keyspace.Partition(of, i))
		}
		return keys
	}
	for name, vanish := range map[string]func(*set){
		"one":         func(s *set) { s.Do("del", keyspace.Partition(keyspace.DefaultStream, 1)) },
		"one trimmed": func(s *set) { s.Do("xtrim", keyspace.Partition(keyspace.DefaultStream, 2), "maxlen", 0) },
		"one with cursor": func(s *set) {
			s.Do("del", keyspace.Partition(keyspace.DefaultStream, 1), keyspace.Partition(keyspace.DefaultCursor, 1))
		},
		"all": func(s *set) { s.Do(append([]any{"del"}, keys(s, keyspace.DefaultStream)...)...) },
		"all with cursors": func(s *set) {
			s.Do(append(append([]any{"del"}, keys(s, keyspace.DefaultStream)...), keys(s, keyspace.DefaultCursor)...)...)
		},
		"all cursors alone": func(s *set) { s.Do(append([]any{"del"}, keys(s, keyspace.DefaultCursor)...)...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachSet(t, 3, func(s *set) {
				w, _ := s.openSet()
				s.mustSet(w, s.batch(storetest.Live, 11, 60))
				s.mustSet(w, s.batch(event.AfterSeq(60), 61, 70))
				vanish(s)
				w, at := s.openSet()
				if len(s.warned) == 0 || s.warned[0].Alarm != event.AlarmCursorMissing {
					t.Fatalf("told %v", s.warned)
				}
				s.mustSet(w, s.batch(at.Position, at.Position.Seq+1, 90))
				s.wantSet(11, 90)
				if s.openSet(); len(s.warned) > 0 {
					t.Fatalf("told again: %v", s.warned)
				}
			})
		})
	}
}

// G7: where several partitions are in trouble at one start, each is told of, and what is
// said of one is of that one: no range is named in which it has no event.
func TestPartitionsEachTellOfTheirTrouble(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not tell what was deleted
	stream := func(i int) string { return keyspace.Partition(keyspace.DefaultStream, i) }
	cursor := func(i int) string { return keyspace.Partition(keyspace.DefaultCursor, i) }
	for name, c := range map[string]struct {
		trouble func(*set)
		told    []int
	}{
		"a cursor and a stream": {func(s *set) { s.Do("del", cursor(0), stream(2)) }, []int{0, 2}},
		"a cursor, and two trimmed": {func(s *set) {
			s.Do("del", cursor(0))
			s.Do("xtrim", stream(1), "maxlen", 0)
			s.Do("xtrim", stream(2), "maxlen", 0)
		}, []int{0, 1, 2}},
		"two streams": {func(s *set) { s.Do("del", stream(0), stream(1)) }, []int{0, 1}},
		"all streams": {func(s *set) { s.Do("del", stream(0), stream(1), stream(2)) }, []int{0, 1, 2}},
		"two tails": {func(s *set) {
			for _, i := range []int{0, 1} {
				ids, _ := s.Client.XRevRangeN(s.Ctx(), stream(i), "+", "-", 4).Result()
				for _, m := range ids {
					s.Do("xdel", stream(i), m.ID)
				}
			}
		}, []int{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				s, h := newSet(t, server, 3), &heard{}
				for i := range s.n {
					s.Do("xgroup", "create", stream(i), "one", "0", "mkstream")
				}
				w, _ := s.openSet(h.hear)
				s.mustSet(w, s.batch(event.AfterSeq(1000), 1011, 1060))
				for at := event.Seq(1060); at < 1064; at++ {
					for _, p := range w.parts {
						p.Writer.floor.Next = time.Time{}
					}
					s.mustSet(w, s.batch(event.AfterSeq(at), at+1, at+1))
				}
				storetest.Must(t, w.Close())
				c.trouble(s)
				w, at := s.openSet(h.hear)
				for seq := at.Position.Seq; seq < 1090; seq++ {
					for _, p := range w.parts {
						p.Writer.floor.Next = time.Time{}
					}
					s.mustSet(w, s.batch(event.AfterSeq(seq), seq+1, seq+1))
				}
				s.wantSet(1011, 1090)
				said := append([]string(nil), h.alarms...)
				for _, m := range s.warned {
					said = append(said, m.Error())
				}
				for _, i := range c.told {
					n := 0
					for _, text := range said {
						if strings.Contains(text, fmt.Sprintf("partition %d:", i)) {
							n++
						}
					}
					if n != 1 {
						t.Errorf("partition %d is told of %d times: %q", i, n, said)
					}
				}
				if len(said) != len(c.told) {
					t.Errorf("told: %q", said)
				}
			})
		})
	}
}
