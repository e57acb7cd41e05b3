package redisstream

import (
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// Fault table, something else trims the stream's beginning (G7): what groups had not
// read of it is told with its range and noted in the ledger, while ingest runs or at the
// next start, once. What all had read, and what fhctl trims itself, is not.
func TestStartUnreadEntriesRemoved(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not tell how much a group has read
	server := redistest.Start(t)
	for name, c := range map[string]struct {
		read   int
		then   int // read after the floor was noted
		keep   int
		own    bool
		alarms int
	}{
		"unread":              {4, 0, 5, false, 1},
		"nothing was read":    {0, 0, 5, false, 1},
		"all was read":        {18, 0, 5, false, 0},
		"what was read alone": {4, 0, 15, false, 0},
		"read since":          {4, 9, 5, false, 0},
		"fhctl's own":         {4, 0, 5, true, 0},
	} {
		for _, restarts := range []bool{false, true} {
			k, h := newKit(t, server), &heard{}
			k.Do("flushall")
			limit := func(*Config) {}
			if c.own {
				limit = func(c *Config) { c.MaxLen = 5 }
			}
			w, _ := k.open(h.hear)
			k.must(w, storetest.Run(storetest.Live, 1, 18))
			k.group("one", c.read)
			k.noted(w, 18)
			k.reads("one", c.then)
			if !c.own {
				k.Do("xtrim", keyspace.DefaultStream, "maxlen", c.keep)
			}
			if restarts || c.own {
				w, _ = k.open(h.hear, limit)
			}
			for at := event.Seq(20); at < 24; at++ {
				w.floor.next = time.Time{}
				k.must(w, storetest.Run(event.AfterSeq(at), at+1, at+1))
			}
			removed := 0
			for _, a := range h.alarms {
				if strings.HasPrefix(a, event.AlarmRemoved.String()) {
					removed++
				}
			}
			if removed != c.alarms {
				t.Errorf("%s, restarts %t: alarms %v", name, restarts, h.alarms)
			}
			if removed > 0 {
				h.said(t, "entries_removed", "seq")
			}
		}
	}
}

// G7: that the oldest entry is not the first event of a stream, since others before it
// are another partition's or filtered, is no loss, though no group has read anything.
func TestFirstEntryLaterThanTheStartIsNoLoss(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k, h := newKit(t, server), &heard{}
		k.Do("xgroup", "create", keyspace.DefaultStream, "one", "0", "mkstream")
		w, _ := k.open(h.hear)
		w.floor.next = time.Now().Add(time.Hour)
		k.must(w, storetest.Batch(event.AfterSeq(0), 500, 501))
		for at := event.Seq(501); at < 505; at++ {
			w.floor.next = time.Time{}
			k.must(w, storetest.Run(event.AfterSeq(at), at+1, at+1))
		}
		if len(h.alarms) > 0 {
			t.Errorf("alarms %v", h.alarms)
		}
		if n := k.Client.Exists(k.Ctx(), w.config.LedgerKey()).Val(); n > 0 {
			t.Error("there is a ledger of losses")
		}
	})
}

// A start that has neither cursor nor side key begins live, and says what that leaves
// out where the stream holds entries: they may have been deleted by mistake.
func TestStartWithoutAnyCursorBesideEntriesIsTold(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 9))
		if strings.Contains(k.Logged.String(), "There is no cursor although") {
			t.Error("an empty stream is told of")
		}
		k.Do("del", keyspace.DefaultCursor, keyspace.DefaultCursor+":meta")
		if _, at := k.open(); at.Position.Start != event.Live || !strings.Contains(k.Logged.String(), "newest=9") {
			t.Errorf("it begins at %s and says\n%s", at.Position, k.Logged)
		}
	})
}
