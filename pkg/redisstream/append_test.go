package redisstream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// sideAt is the side key after an append: the last entry's seq, the cursor, and
// what no group has acknowledged.
func sideAt(stored, upto, floor int64) string {
	return fmt.Sprintf(`{"relay":"relay.example","filter":"","partitions":1,"from":"saved","eventTime":"2026-01-02T03:04:05Z","stored":%d,"upto":%d,"floor":%d,"epoch":0}`, stored, upto, floor)
}

func TestAppendOK(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, at := k.open()
		if at.Position != storetest.Live {
			t.Fatalf("cold start from %s", at.Position)
		}
		// Several in flight; gaps, a repeat within a batch, seqs whose
		// digits grow, a watermark without entries.
		got := k.must(w,
			storetest.Batch(storetest.Live, 7, 9, 9, 8, 10),
			storetest.Watermark(event.AfterSeq(10), 98),
			storetest.Batch(event.AfterSeq(98), 99, 100, 9007199254740991),
		)
		k.want(9007199254740991, 7, 9, 10, 99, 100, 9007199254740991)
		if got[0].Appended != 3 || got[0].Present != 2 || got[1].Appended != 0 || got[1].Cursor != 98 || got[2].Length != 6 {
			t.Fatalf("receipts %+v", got)
		}
		if side := k.side(); side != sideAt(9007199254740991, 9007199254740991, 6) {
			t.Fatalf("side key is %s", side)
		}
		if seq, ok, err := w.Poll(k.Ctx()); err != nil || !ok || seq != event.MaxSeq {
			t.Fatalf("poll: %d %t %v", seq, ok, err)
		}
		if n, err := w.Length(k.Ctx()); err != nil || n != 6 {
			t.Fatalf("length: %d %v", n, err)
		}
	})
}

func TestAppendKeepsBytes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		data := "{\"a\":\"\x00\r\n\xff\u2028 é\"}"
		big := strings.Repeat("x", 3<<20)
		b := storetest.Batch(storetest.Live)
		b.Add(1, event.KindIdentity, []byte(data))
		b.Add(2, event.KindAccount, []byte(big))
		k.must(w, b)
		rows, err := k.Client.XRange(k.Ctx(), keyspace.DefaultStream, "-", "+").Result()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if rows[0].Values["data"] != data || rows[0].Values["type"] != "identity" || rows[1].Values["data"] != big || rows[1].Values["type"] != "account" {
			t.Fatal("an entry changed on the way")
		}
	})
}

func TestAppendRepeatIsPresent(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1, 2, 3))
		got := k.must(w, storetest.Batch(event.AfterSeq(2), 3, 4))
		if got[0].Appended != 1 || got[0].Present != 1 {
			t.Fatalf("receipt %+v", got[0])
		}
		k.want(4, 1, 2, 3, 4)
	})
}

func TestAppendBehindIsRollback(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1, 2, 3, 4))
		k.rollBack(keyspace.DefaultCursor, 2)
		k.moved(w, event.AlarmRollback, event.AfterSeq(2), storetest.Batch(event.AfterSeq(4), 5))
		k.want(2, 1, 2, 3, 4)
		k.must(w, storetest.Batch(event.AfterSeq(2), 3, 4, 5))
		k.want(5, 1, 2, 3, 4, 3, 4, 5)
	})
}

func TestAppendConflict(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		other, _ := k.open()
		k.must(other, storetest.Batch(storetest.Live, 50))
		k.moved(w, event.AlarmConflict, event.AfterSeq(50), storetest.Batch(storetest.Live, 40, 41), storetest.Batch(event.AfterSeq(41), 60))
		k.want(50, 50)
		k.must(w, storetest.Batch(event.AfterSeq(50), 51))
		k.want(51, 50, 51)
	})
}

func TestAppendEpochConflict(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1000))
		other, _ := k.open()
		if err := other.Rebase(k.Ctx(), 5000); err != nil {
			t.Fatal(err)
		}
		// Without the epoch 1001 would count as present, and be lost.
		k.moved(w, event.AlarmConflict, event.AfterSeq(5000), storetest.Batch(event.AfterSeq(1000), 1001))
		if err := other.Rebase(k.Ctx(), 10); err != nil {
			t.Fatal(err)
		}
		k.moved(w, event.AlarmConflict, event.AfterSeq(10), storetest.Batch(event.AfterSeq(5000), 5001))
		k.want(10, 1000)
		if err := w.Rebase(k.Ctx(), 3); err != nil {
			t.Fatal(err)
		}
		storetest.WantErr(t, other.Rebase(k.Ctx(), 4), fault.Conflict)
	})
}

func TestAppendMissingTakesNewestEntry(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1, 2, 3))
		k.Do("del", keyspace.DefaultCursor)
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(3), storetest.Batch(event.AfterSeq(3), 4))
		k.want(3, 1, 2, 3)
		k.must(w, storetest.Batch(event.AfterSeq(3), 4))
		k.want(4, 1, 2, 3, 4)
	})
}

func TestAppendFlushAllGoesBackToUnacknowledged(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 9))
		k.Do("xgroup", "create", keyspace.DefaultStream, "fast", "0")
		k.Do("xgroup", "create", keyspace.DefaultStream, "slow", "0")
		k.Do("xreadgroup", "group", "fast", "c", "count", "9", "streams", keyspace.DefaultStream, ">")
		read, err := k.Client.Do(k.Ctx(), "xreadgroup", "group", "slow", "c", "count", "6", "streams", keyspace.DefaultStream, ">").Slice()
		if err != nil {
			t.Fatal(err)
		}
		rows := read[0].([]any)[1].([]any)
		for _, i := range []int{0, 1, 3} { // seqs 1, 2 and 4; 3 is pending
			k.Do("xack", keyspace.DefaultStream, "slow", rows[i].([]any)[0])
		}
		for _, row := range k.ids() {
			k.Do("xack", keyspace.DefaultStream, "fast", row)
		}
		w.floor = floor.Floor{}
		k.must(w, storetest.Watermark(event.AfterSeq(9), 12))
		k.Do("flushall")
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(2), storetest.Batch(event.AfterSeq(12), 13))
		k.must(w, storetest.Run(event.AfterSeq(2), 3, 13))
		k.wantRun(3, 13)
	})
}

func (k *kit) ids() (ids []string) {
	k.T.Helper()
	rows, err := k.Client.XRange(k.Ctx(), keyspace.DefaultStream, "-", "+").Result()
	if err != nil {
		k.T.Fatal(err)
	}
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

func TestAppendFlushAllWithoutGroups(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 5, 6))
		k.Do("flushall")
		// Nobody had acknowledged any of it: all that was held comes again.
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(4), storetest.Batch(event.AfterSeq(6), 7))
	})
}

// The floor is known as soon as a writer has resumed, not after its first batch.
func TestAppendFlushAllAfterARestart(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 5, 6))
		w, _ = k.open()
		k.Do("flushall")
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(4), storetest.Batch(event.AfterSeq(6), 7))
	})
}

func TestAppendRefusesForGood(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		spoil func(k *kit)
		class fault.Class
	}{
		{"BADCURSOR garbage", func(k *kit) { k.Set(keyspace.DefaultCursor, "12x") }, fault.Cursor},
		{"BADCURSOR empty", func(k *kit) { k.Set(keyspace.DefaultCursor, "") }, fault.Cursor},
		{"BADCURSOR negative", func(k *kit) { k.Set(keyspace.DefaultCursor, "-1") }, fault.Cursor},
		{"BADCURSOR float", func(k *kit) { k.Set(keyspace.DefaultCursor, "1e3") }, fault.Cursor},
		{"BADCURSOR beyond 2^53", func(k *kit) { k.Set(keyspace.DefaultCursor, "90071992547409920") }, fault.Cursor},
		{"BADCURSOR hash", func(k *kit) { k.Do("del", keyspace.DefaultCursor); k.Do("hset", keyspace.DefaultCursor, "a", "b") }, fault.Cursor},
		{"MISMATCH relay", func(k *kit) { k.Set(keyspace.DefaultCursor+":meta", `{"relay":"other.example"}`) }, fault.Cursor},
		{"MISMATCH filter", func(k *kit) { k.Set(keyspace.DefaultCursor+":meta", `{"relay":"relay.example","filter":"abc"}`) }, fault.Cursor},
		{"MISMATCH partitions", func(k *kit) { k.Set(keyspace.DefaultCursor+":meta", `{"relay":"relay.example","partitions":2}`) }, fault.Cursor},
		{"MISMATCH garbage", func(k *kit) { k.Set(keyspace.DefaultCursor+":meta", `?`) }, fault.Cursor},
		// Beside the writer's own cursor it was lost: TestAppendSideKeyVanished.
		{"MISMATCH absent", func(k *kit) { k.Do("del", keyspace.DefaultCursor+":meta"); k.Set(keyspace.DefaultCursor, "9") }, fault.Cursor},
		{"PARTIAL stream is a string", func(k *kit) { k.Do("del", keyspace.DefaultStream); k.Set(keyspace.DefaultStream, "x") }, fault.Data},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open()
				k.must(w, storetest.Batch(storetest.Live, 1, 2))
				c.spoil(k)
				before, _ := k.Client.Get(k.Ctx(), keyspace.DefaultCursor).Result()
				_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(2), 3)})
				storetest.WantErr(t, err, c.class)
				if after, _ := k.Client.Get(k.Ctx(), keyspace.DefaultCursor).Result(); after != before {
					t.Fatalf("cursor went from %q to %q", before, after)
				}
				fresh, err := Open(k.Ctx(), k.config())
				if err != nil { // wrong types are refused there
					storetest.WantErr(t, err, fault.Data)
					return
				}
				defer fresh.Close()
				_, err = fresh.Resume(k.Ctx())
				storetest.WantErr(t, err, fault.Cursor)
			})
		})
	}
}

func TestAppendPartial(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		// The last but one possible id: the second append must fail.
		k.Do("xadd", keyspace.DefaultStream, "18446744073709551615-18446744073709551614", "type", "commit", "data", "{}", "seq", "1")
		receipts, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(storetest.Live, 5, 6, 7), storetest.Batch(event.AfterSeq(7), 8)})
		if !server.Real() && err == nil {
			t.Skip("the embedded server's ids wrap around instead of running out")
		}
		storetest.WantErr(t, err, fault.Data)
		if len(receipts) != 0 {
			t.Fatalf("receipts %+v", receipts)
		}
		k.want(5, 1, 5)
	})
}

// TestAppendPartialBehindOthers: what came before the failure in the same
// exchange is acknowledged, what comes after it is not.
func TestAppendPartialBehindOthers(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	w, _ := k.open()
	k.must(w, storetest.Batch(storetest.Live, 1))
	k.Do("xadd", keyspace.DefaultStream, "18446744073709551615-18446744073709551614", "type", "commit", "data", "{}", "seq", "1")
	receipts, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(1), 2), storetest.Batch(event.AfterSeq(2), 3), storetest.Batch(event.AfterSeq(3), 4)})
	storetest.WantErr(t, err, fault.Data)
	if len(receipts) != 1 || receipts[0].Cursor != 2 {
		t.Fatalf("receipts %+v", receipts)
	}
	k.want(2, 1, 1, 2)
}

// TestAppendMissingButBack: another writer restored the cursor meanwhile.
func TestAppendMissingButBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1, 2, 3))
		k.rollBack(keyspace.DefaultCursor, 2)
		var moved *event.Moved
		if err := w.restore(k.Ctx(), w.acked.String(), ""); !errors.As(err, &moved) || moved.To != event.AfterSeq(2) {
			t.Fatalf("restore: %v", err)
		}
		k.want(2, 1, 2, 3)
	})
}

func TestAppendNoScript(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1))
		k.Do("script", "flush")
		k.must(w, storetest.Batch(event.AfterSeq(1), 2), storetest.Batch(event.AfterSeq(2), 3))
		k.want(3, 1, 2, 3)
		if told := k.told(); len(told) != 0 {
			t.Fatalf("observers heard of it: %+v", told)
		}
	})
}

func TestAppendTwoWritersLagging(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		a, _ := k.open()
		k.must(a, storetest.Batch(storetest.Live, 1, 2))
		b, at := k.open()
		if at.Position != event.AfterSeq(2) {
			t.Fatalf("second writer starts at %s", at.Position)
		}
		k.must(a, storetest.Run(event.AfterSeq(2), 3, 20))
		k.must(b, storetest.Run(event.AfterSeq(2), 3, 10), storetest.Run(event.AfterSeq(10), 11, 25))
		k.must(a, storetest.Run(event.AfterSeq(20), 21, 22))
		k.must(a, storetest.Run(event.AfterSeq(22), 23, 30))
		k.wantRun(1, 30)
	})
}

// Beside a side key of an older version, which does not tell where the cursor was
// left, a cursor that stands still above what is read was set by somebody.
func TestAppendCursorSetAhead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1, 2))
		k.Set(keyspace.DefaultCursor+":meta", `{"relay":"relay.example","filter":"","partitions":1,"epoch":0}`)
		k.Set(keyspace.DefaultCursor, "1000")
		k.must(w, storetest.Batch(event.AfterSeq(2), 3))
		w.ahead.since = w.ahead.since.Add(-aheadFor)
		k.moved(w, event.AlarmConflict, event.AfterSeq(1000), storetest.Batch(event.AfterSeq(3), 4))
	})
}

// The side key tells a cursor that is ahead by right: which entry was stored
// last, and where the cursor was left behind it. A restarted writer that has
// stored nothing yet still knows.
func TestAppendNotesTheLastEntryAndTheCursor(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 5, 7))
		k.must(w, storetest.Watermark(event.AfterSeq(7), 9))
		if side := k.side(); side != sideAt(7, 9, 4) {
			t.Errorf("side key is %s", side)
		}
		_ = w.Close()
		w, _ = k.open()
		k.must(w, storetest.Watermark(event.AfterSeq(9), 12))
		if side := k.Get(keyspace.DefaultCursor + ":meta"); !strings.Contains(side, `"stored":7,"upto":12`) {
			t.Errorf("after a restart the side key is %s", side)
		}
	})
}

// A side key that vanishes alone comes back if the cursor is where this writer
// left it; beside any other cursor it is foreign.
func TestAppendSideKeyVanished(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 5, 6))
		k.Do("del", keyspace.DefaultCursor+":meta")
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(6), storetest.Batch(event.AfterSeq(6), 7))
		k.must(w, storetest.Batch(event.AfterSeq(6), 7))
		k.Do("del", keyspace.DefaultCursor+":meta")
		k.Set(keyspace.DefaultCursor, "9")
		_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(7), 8)})
		storetest.WantErr(t, err, fault.Cursor)
		k.want(9, 5, 6, 7)
	})
}

// A stream whose entries vanished while the cursor stayed (deleted, evicted,
// trimmed away by hand) is noticed before anything is appended to its rest.
func TestAppendStreamVanished(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 5, 6), storetest.Batch(event.AfterSeq(6), 7, 8))
		k.Do("del", keyspace.DefaultStream)
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(4), storetest.Batch(event.AfterSeq(8), 9), storetest.Batch(event.AfterSeq(9), 10))
		k.must(w, storetest.Run(event.AfterSeq(4), 5, 10))
		k.wantRun(5, 10)

		k.Do("xgroup", "create", keyspace.DefaultStream, "all", "$")
		w.floor = floor.Floor{}
		k.must(w, storetest.Watermark(event.AfterSeq(10), 12))
		k.Do("xtrim", keyspace.DefaultStream, "maxlen", "0")
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(12), storetest.Batch(event.AfterSeq(12), 13))
		k.must(w, storetest.Batch(event.AfterSeq(12), 13))

		k.Do("del", keyspace.DefaultStream)
		w, at, told := k.start() // which knows what its predecessor noted
		k.tells(told, event.AlarmCursorMissing, "seq 13 to 13 is read again")
		k.must(w, storetest.Batch(at.Position, 13, 14))
		k.wantRun(13, 14)
	})
}

// Nothing is changed beside a cursor that no relay can have sent (Q1), not even
// the side key.
func TestAppendCursorBeyondEveryRelay(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 3))
		k.Set(keyspace.DefaultCursor, "99999999999999999")
		side := k.Get(keyspace.DefaultCursor + ":meta")
		_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(event.AfterSeq(3), 4, 9)})
		storetest.WantErr(t, err, fault.Cursor)
		if got := k.Get(keyspace.DefaultCursor + ":meta"); got != side {
			t.Errorf("the side key became %s, was %s", got, side)
		}
		if got := k.stream(); len(got) != 3 {
			t.Errorf("stream is %v", got)
		}
	})
}

// The floor is known from the first batch of a stream on, also when Redis goes
// away before it can be asked.
func TestAppendFlushAllAtTheVeryBeginning(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		w.floor.Next = time.Now().Add(time.Hour) // the groups are not asked
		k.must(w, storetest.Batch(storetest.Live, 5, 6))
		k.must(w, storetest.Batch(event.AfterSeq(6), 7))
		k.Do("flushall")
		k.moved(w, event.AlarmCursorMissing, event.AfterSeq(4), storetest.Batch(event.AfterSeq(7), 8))
	})
}

// A Redis that goes away while the groups are read is told of, and asked again
// after the next batch.
func TestRememberTellsOfAnOutage(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		proxy := redistest.NewProxy(t, server.Addr())
		w, _ := k.open(func(c *Config) { c.URL = proxy.URL() })
		k.must(w, storetest.Batch(storetest.Live, 5, 6))
		w.floor = floor.Floor{}
		proxy.Refuse(true)
		proxy.Cut()
		w.remember(k.Ctx())
		if told := k.told(); len(told) == 0 || told[len(told)-1].Up || told[len(told)-1].Cause != "connection" {
			t.Fatalf("observers heard %+v", told)
		}
		proxy.Refuse(false)
		k.must(w, storetest.Batch(event.AfterSeq(6), 7))
		if told := k.told(); !w.floor.Known || !told[len(told)-1].Up {
			t.Fatalf("floor %+v, observers heard %+v", w.floor, told)
		}
	})
}

// A cursor that appears where this writer was to start is another's, even where
// it ends where ours would: what lies before the other's start is not there.
func TestAppendAnothersStartIsNotOnesOwn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		late, _ := k.open()
		other, _ := k.open()
		k.must(other, storetest.Batch(storetest.Live, 5))
		k.moved(late, event.AlarmConflict, event.AfterSeq(5), storetest.Batch(storetest.Live, 3, 4, 5))
	})
}

// Step 2 of the script: the side key is written before anything is appended. Where
// that is refused nothing is stored, and the cursor stays.
func TestAppendSideKeyUnwritable(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.Do("acl", "setuser", "fh", "on", ">pw", "~firehose:*", "&*", "+@all")
	w, _ := k.open(func(c *Config) { c.URL = "redis://fh:pw@" + k.Server.Addr() })
	k.must(w, storetest.Batch(storetest.Live, 1))
	meta := k.Get(keyspace.DefaultCursor + ":meta")
	k.Do("acl", "setuser", "fh", "resetkeys", "%R~firehose:*", "~"+keyspace.DefaultStream, "~"+keyspace.DefaultCursor, "~"+keyspace.DefaultCursor+":l*")
	_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(1), 2, 3)})
	storetest.WantErr(t, err, fault.Refused)
	k.want(1, 1)
	if got := k.Get(keyspace.DefaultCursor + ":meta"); got != meta {
		t.Errorf("the side key is %s, was %s", got, meta)
	}
}
