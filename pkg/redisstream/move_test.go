package redisstream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// move sees and moves; it must succeed.
func (k *kit) move(r *reader.Reader, change func(*admin.Move)) {
	k.T.Helper()
	if err := admin.MoveCursor(k.Ctx(), r, k.seen(r, change)); err != nil {
		k.T.Fatalf("move: %v", err)
	}
}

func (k *kit) seen(r *reader.Reader, change func(*admin.Move)) admin.Move {
	k.T.Helper()
	c, err := r.Cursor(k.Ctx())
	if err != nil {
		k.T.Fatal(err)
	}
	m := admin.Move{Seen: c, Owner: script.Side{Relay: storetest.Relay}, How: "test", By: "me"}
	change(&m)
	return m
}

// TestMoveIsNoticedByARunningWriter: back, ahead, and to where it is (G7).
func TestMoveIsNoticedByARunningWriter(t *testing.T) {
	eachServer(t, func(t *testing.T, k *kit) {
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 11, 20))
		r := k.reader()
		k.move(r, func(m *admin.Move) { m.To = 14 })
		k.moved(w, event.AlarmConflict, event.AfterSeq(14), storetest.Run(event.AfterSeq(20), 21, 25))
		k.must(w, storetest.Run(event.AfterSeq(14), 15, 22))
		k.move(r, func(m *admin.Move) { m.To = 30 })
		k.moved(w, event.AlarmConflict, event.AfterSeq(30), storetest.Run(event.AfterSeq(22), 23, 25))
		k.must(w, storetest.Run(event.AfterSeq(30), 31, 32))
		k.move(r, func(m *admin.Move) { m.To = 0 })
		k.moved(w, event.AlarmConflict, event.Position{Start: event.Oldest}, storetest.Run(event.AfterSeq(32), 33, 33))
		k.move(r, func(m *admin.Move) { m.To = 5; m.Owner.Relay = "other.example" })
		_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(event.AfterSeq(0), 1, 2)})
		storetest.WantErr(t, err, fault.Cursor)
	})
}

func TestMoveComparesAndSets(t *testing.T) {
	eachServer(t, func(t *testing.T, k *kit) {
		r := k.reader()
		m := k.seen(r, func(m *admin.Move) { m.To = 7 })
		k.Set(keyspace.DefaultCursor, "9")
		storetest.WantErr(t, admin.MoveCursor(k.Ctx(), r, m), fault.Conflict)
		k.move(r, func(m *admin.Move) { m.To = 8 })
		stale := k.seen(r, func(m *admin.Move) { m.To = 10 })
		k.move(r, func(m *admin.Move) { m.To = 8 }) // the same value, another epoch
		storetest.WantErr(t, admin.MoveCursor(k.Ctx(), r, stale), fault.Conflict)
		if got := k.Get(keyspace.DefaultCursor); got != "8" {
			t.Errorf("the cursor is %s", got)
		}
	})
}

func TestMoveAdoptsABridgesCursor(t *testing.T) {
	eachServer(t, func(t *testing.T, k *kit) {
		k.Set(keyspace.DefaultCursor, "100")
		r := k.reader()
		k.move(r, func(m *admin.Move) { m.To = 100 })
		w, at := k.open()
		if at.Position != event.AfterSeq(100) {
			t.Errorf("it resumes from %s", at.Position)
		}
		k.must(w, storetest.Run(event.AfterSeq(100), 101, 102))
	})
}

func TestRemoveMakesTheNextStartLive(t *testing.T) {
	eachServer(t, func(t *testing.T, k *kit) {
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 11, 20))
		r := k.reader()
		k.move(r, func(m *admin.Move) { m.To = 15 })
		k.move(r, func(m *admin.Move) { m.Remove = true })
		other, at := k.open(func(c *Config) { c.Identity.Relay = "other.example" })
		if at.Position != storetest.Live || k.Get(keyspace.DefaultCursor+":meta") != "" {
			t.Errorf("it resumes from %s", at.Position)
		}
		k.must(other, storetest.Run(storetest.Live, 501, 502))
		k.move(r, func(m *admin.Move) { m.To = 1; m.Owner.Relay = "other.example" })
		if c, _ := r.Cursor(k.Ctx()); c.Side.Epoch != 3 {
			t.Errorf("the epoch is %d: it must not repeat", c.Side.Epoch)
		}
	})
}

func TestHistoryKeepsTheLastChanges(t *testing.T) {
	eachServer(t, func(t *testing.T, k *kit) {
		k.Set(keyspace.DefaultCursor, "5")
		r := k.reader()
		k.move(r, func(m *admin.Move) { m.To = 7 })
		k.move(r, func(m *admin.Move) { m.Remove = true })
		h, err := admin.History(k.Ctx(), r)
		if err != nil || len(h) != 2 {
			t.Fatal(h, err)
		}
		k.move(r, func(m *admin.Move) { m.To = 7; m.Undoes = h[0].ID })
		h, _ = admin.History(k.Ctx(), r)
		if len(h) != 3 || h[0].Before != "" || h[0].After != "7" || h[1].Before != "7" || h[1].After != "" || !h[1].Undone || h[2].Undone ||
			h[2].Before != "5" || h[2].OwnerKnown || h[1].Owner.Relay != storetest.Relay || h[2].By != "me" || h[0].Epoch != 3 {
			t.Errorf("%+v", h)
		}
		for i := range 100 + 5 {
			k.move(r, func(m *admin.Move) { m.To = event.Seq(i) })
		}
		if h, _ = admin.History(k.Ctx(), r); len(h) != 100 || h[0].After != fmt.Sprint(100+4) {
			t.Errorf("%d changes are kept", len(h))
		}
	})
}

// TestMoveWithOnlyTheListedRights: removal works for a user without DEL.
func TestMoveWithOnlyTheListedRights(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.Do("acl", "setuser", "fhctl", "on", ">pw", "~firehose:*", "&*", "+evalsha", "+eval", "+get", "+set", "+xadd", "+xtrim", "+xlen",
		"+xinfo", "+xpending", "+xrange", "+xrevrange", "+setex", "+publish", "+ping", "+hello", "+info", "+client|setname")
	r := k.reader(func(c *reader.Config) { c.URL = "redis://fhctl:pw@" + k.Server.Addr() })
	k.Add(3, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(i + 1) })
	k.move(r, func(m *admin.Move) { m.To = 2 })
	k.move(r, func(m *admin.Move) { m.Remove = true })
	if k.Get(keyspace.DefaultCursor) != "" {
		t.Error("the cursor is still there")
	}
	if h, err := admin.History(k.Ctx(), r); err != nil || len(h) != 2 {
		t.Error(h, err)
	}
	if _, err := r.Groups(k.Ctx()); err != nil {
		t.Error(err)
	}
	k.Do("acl", "setuser", "fhctl", "-eval", "-evalsha")
	storetest.WantErr(t, admin.MoveCursor(k.Ctx(), r, k.seen(r, func(m *admin.Move) { m.To = 2 })), fault.Refused)
}

func TestCountAfter(t *testing.T) {
	eachServer(t, func(t *testing.T, k *kit) {
		r := k.reader(func(c *reader.Config) { c.Page = 64 })
		if n, exact, err := r.CountAfter(k.Ctx(), 5); n != 0 || !exact || err != nil {
			t.Errorf("no stream: %d, %v, %v", n, exact, err)
		}
		k.Add(500, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(10 * (i + 1)) })
		for seq, want := range map[event.Seq]int64{0: 500, 9: 500, 10: 499, 11: 499, 2505: 250, 4990: 1, 5000: 0, 6000: 0} {
			if n, exact, err := r.CountAfter(k.Ctx(), seq); n != want || !exact || err != nil {
				t.Errorf("after %d: %d, %v, %v, want %d", seq, n, exact, err, want)
			}
		}
	})
}

// TestMoveWhoseReplyIsLost says that nobody knows, and did it once.
func TestMoveWhoseReplyIsLost(t *testing.T) {
	k := newKit(t, redistest.Start(t))
	proxy := redistest.NewProxy(t, k.Server.Addr())
	r := k.reader(func(c *reader.Config) { c.URL, c.CommandTimeout = proxy.URL(), 300*time.Millisecond })
	k.move(r, func(m *admin.Move) { m.To = 5 }) // the server knows the script now
	m := k.seen(r, func(m *admin.Move) { m.To = 7 })
	proxy.LoseReplies(1)
	err := admin.MoveCursor(k.Ctx(), r, m)
	storetest.WantErr(t, err, fault.Unreachable)
	if !strings.Contains(err.Error(), "may have been moved or not") || k.Get(keyspace.DefaultCursor) != "7" {
		t.Errorf("%v; the cursor is %s", err, k.Get(keyspace.DefaultCursor))
	}
}

// TestMoveThatMayNotWriteLeavesNoTrace: the history tells of nothing that was
// not done.
func TestMoveThatMayNotWriteLeavesNoTrace(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.Set(keyspace.DefaultCursor, "9")
	k.Do("acl", "setuser", "fhctl", "on", ">pw", "~firehose:*", "+@all", "-set")
	r := k.reader(func(c *reader.Config) { c.URL = "redis://fhctl:pw@" + k.Server.Addr() })
	storetest.WantErr(t, admin.MoveCursor(k.Ctx(), r, k.seen(r, func(m *admin.Move) { m.To = 2 })), fault.Refused)
	if h, err := admin.History(k.Ctx(), r); err != nil || len(h) != 0 || k.Get(keyspace.DefaultCursor) != "9" {
		t.Error(h, err)
	}
}
