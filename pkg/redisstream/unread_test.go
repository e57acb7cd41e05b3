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
				w.floor.Next = time.Time{}
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
		w.floor.Next = time.Now().Add(time.Hour)
		k.must(w, storetest.Batch(event.AfterSeq(0), 500, 501))
		for at := event.Seq(501); at < 505; at++ {
			w.floor.Next = time.Time{}
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

// G7: unread entries that something else deletes from inside a stream, or from its end,
// are told of with their range and noted in the ledger, while ingest runs or at the next
// start, once. What every group had read is not.
func TestUnreadEntriesDeleted(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t) // the embedded server does not tell what was deleted
	server := redistest.Start(t)
	for name, c := range map[string]struct {
		read     int // by the group; -1 for no group
		from, to event.Seq
		follow   bool // entries follow before the next look
		told     bool
	}{
		"in the middle":               {4, 8, 11, true, true},
		"in the middle, then a look":  {4, 8, 11, false, true},
		"without a group":             {-1, 8, 11, true, true},
		"one":                         {4, 9, 9, true, true},
		"at the end":                  {4, 15, 18, false, true},
		"at the end, and others came": {4, 15, 18, true, true},
		"what was read":               {12, 8, 11, true, false},
	} {
		for _, down := range []bool{false, true} {
			if down && c.to == 18 {
				continue // that is read again: TestStartNewestEntriesRemoved
			}
			k, h := newKit(t, server), &heard{}
			k.Do("flushall")
			w, _ := k.open(h.hear)
			k.must(w, storetest.Run(storetest.Live, 1, 18))
			if c.read >= 0 {
				k.group("one", c.read)
			}
			k.noted(w, 18)
			if down {
				storetest.Must(t, w.Close())
			}
			for i, id := range k.ids() {
				if seq := event.Seq(i + 1); seq >= c.from && seq <= c.to {
					k.Do("xdel", keyspace.DefaultStream, id)
				}
			}
			if down {
				w, _ = k.open(h.hear)
			}
			for at := event.Seq(20); at < 24; at++ {
				if w.floor.Next = (time.Time{}); !c.follow {
					w.remember(k.Ctx())
				}
				k.must(w, storetest.Run(event.AfterSeq(at), at+1, at+1))
			}
			n, lines := 0, k.losses()
			for _, a := range h.alarms {
				if strings.HasPrefix(a, event.AlarmRemoved.String()) {
					n++
				}
			}
			if told := n == 1 && len(lines) == 1 && lines[0].From == c.from && lines[0].To >= c.to; told != c.told || !c.told && n+len(lines) > 0 {
				t.Errorf("%s, down %t: alarms %v, ledger %+v", name, down, h.alarms, lines)
			}
		}
	}
}

// Consumers that delete what every group has acknowledged, which none should, cause no
// alarm and no reading again, whether ingest runs meanwhile or not. What not every group
// had read is told of.
func TestConsumersThatDeleteWhatTheyRead(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	server := redistest.Start(t)
	for _, another := range []bool{false, true} {
		for _, down := range []bool{false, true} {
			k, h := newKit(t, server), &heard{}
			k.Do("flushall")
			w, _ := k.open(h.hear)
			k.must(w, storetest.Run(storetest.Live, 1, 3))
			k.group("one", 0)
			if another {
				k.group("two", 1)
			}
			k.noted(w, 3)
			at := event.Seq(5)
			for range 4 {
				k.reads("one", 100)
				for _, id := range k.ids() {
					k.Do("xdel", keyspace.DefaultStream, id)
				}
				if down && !another {
					storetest.Must(t, w.Close())
					var told []*event.Moved
					w, _, told = k.start(h.hear)
					for _, m := range told {
						if !strings.Contains(m.Detail, "every group had acknowledged") || strings.Contains(m.Detail, "going back") {
							t.Errorf("told: %s", m.Detail)
						}
					}
				}
				at++
				if _, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(event.AfterSeq(at-1), at, at)}); (err != nil) != another {
					t.Errorf("another group %t: %v", another, err)
				}
				if another {
					break
				}
			}
			if !another && len(h.alarms) > 0 {
				t.Errorf("alarms %v", h.alarms)
			}
			_ = w.Close()
		}
	}
}

// A stream without a group that something else shortens, perhaps one of a set, is told of.
func TestEntriesRemovedWithoutAGroup(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	server := redistest.Start(t)
	for _, down := range []bool{false, true} {
		k, h := newKit(t, server), &heard{}
		k.Do("flushall")
		w, _ := k.open(h.hear)
		k.must(w, storetest.Run(storetest.Live, 1, 18))
		k.noted(w, 18)
		if down {
			storetest.Must(t, w.Close())
		}
		k.Do("xtrim", keyspace.DefaultStream, "maxlen", 3)
		if down {
			w, _ = k.open(h.hear)
		}
		for at := event.Seq(20); at < 24; at++ {
			w.floor.Next = time.Time{}
			k.must(w, storetest.Run(event.AfterSeq(at), at+1, at+1))
		}
		if len(h.alarms) != 1 || len(k.losses()) != 1 {
			t.Errorf("down %t: alarms %v, ledger %+v", down, h.alarms, k.losses())
			continue
		}
		h.said(t, "entries_removed", "no group", "seq 1 to 15")
	}
}
