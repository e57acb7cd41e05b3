package redisstream

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// A cursor that somebody wrote with leading zeros is the number it says: nothing
// above it is taken for stored, and nothing up to it is stored again.
func TestAppendCursorWithLeadingZeros(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 5, 7))
		k.Set(keyspace.DefaultCursor, "0000000007")
		k.must(w, storetest.Run(event.AfterSeq(7), 8, 9))
		k.wantRun(5, 9)
		k.rollBack(keyspace.DefaultCursor, 6)
		k.Set(keyspace.DefaultCursor, "0006")
		k.moved(w, event.AlarmRollback, event.AfterSeq(6), storetest.Batch(event.AfterSeq(9), 10))
	})
}

// A start behind a seq, without a cursor, begins with the event that follows it.
func TestAppendStartsRightBehindASeq(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, at := k.open(func(c *Config) { c.From = From{Requested: true, At: event.AfterSeq(41)} })
		if at.Position != event.AfterSeq(41) {
			t.Fatalf("resume at %v: %s", at.Position, at.Why)
		}
		k.must(w, storetest.Run(at.Position, 42, 44))
		k.wantRun(42, 44)
	})
}

// Without the right to write the cursor nothing is appended, although stream and
// side key could be written: the script proves the cursor first.
func TestAppendProvesTheCursorFirst(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.Do("acl", "setuser", "few", "on", ">pw", "~firehose:*", "&*", "+@all")
	w, _ := k.open(func(c *Config) { c.URL = "redis://few:pw@" + k.Server.Addr() })
	k.must(w, storetest.Run(storetest.Live, 1, 3))
	if err := k.Client.Do(k.Ctx(), "acl", "setuser", "few", "-set", "(+set ~"+keyspace.DefaultCursor+":*)").Err(); err != nil {
		t.Skip("needs Redis 7, whose users may have a command on some keys only: ", err)
	}
	if _, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(event.AfterSeq(3), 4, 6)}); err == nil {
		t.Error("a commit succeeds without the right to write the cursor")
	}
	k.wantRun(1, 3)
}

// A cursor that became a hash just before it is to be moved is a damaged cursor
// like any other.
func TestRebaseOfACursorThatIsNoString(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 3))
		k.Do("del", keyspace.DefaultCursor)
		k.Do("hset", keyspace.DefaultCursor, "f", "v")
		storetest.WantErr(t, w.Rebase(k.Ctx(), 1), fault.Cursor)
	})
}
