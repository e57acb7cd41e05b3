package redisstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// blocking is a writer's settings for --when-full block.
func blocking(limit int64, timeout time.Duration) func(*Config) {
	return func(c *Config) { c.MaxLen, c.WhenFull, c.GroupTimeout = limit, Block, timeout }
}

// feed commits batches of 50 until the stream is full or n are stored, and
// gives the last seq that was.
func (k *kit) feed(w *Writer, from event.Seq, n int) (last event.Seq, full *event.Full) {
	k.T.Helper()
	last = from
	for range n {
		at := event.AfterSeq(last)
		if last == 0 {
			at = storetest.Live
		}
		receipts, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(at, last+1, last+50)})
		if errors.As(err, &full) {
			return last, full
		}
		if err != nil {
			k.T.Fatal(err)
		}
		for _, r := range receipts {
			if len(r.Trimmed) > 0 {
				k.T.Fatalf("lost %v at %d", r.Trimmed, last)
			}
		}
		last += 50
	}
	return last, nil
}

// read gives a group up to n entries and acknowledges them, if told to.
func (k *kit) read(group string, n int, ack bool) int {
	k.T.Helper()
	streams, err := k.Client.XReadGroup(k.Ctx(), &redis.XReadGroupArgs{
		Group: group, Consumer: "c", Count: int64(n), Block: -1, Streams: []string{keyspace.DefaultStream, ">"}}).Result()
	if errors.Is(err, redis.Nil) {
		return 0
	}
	if err != nil {
		k.T.Fatal(err)
	}
	for _, m := range streams[0].Messages {
		if ack {
			k.Do("xack", keyspace.DefaultStream, group, m.ID)
		}
	}
	return len(streams[0].Messages)
}

// resumes waits for Resume to find room, which it must within the kit's patience.
func (k *kit) resumes(w *Writer, want event.Seq) {
	k.T.Helper()
	at, err := w.Resume(k.Ctx())
	if err != nil || at.Position != event.AfterSeq(want) {
		k.T.Fatalf("resume: %v, %v; want %s", at, err, want)
	}
}

// G7: in block mode nothing unread or pending goes; what all have finished does.
func TestBlockKeepsWhatIsUnreadOrPending(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open(blocking(300, time.Hour))
		for _, g := range []string{"fast", "slow"} {
			k.Do("xgroup", "create", keyspace.DefaultStream, g, "0", "mkstream")
		}
		last, full := k.feed(w, 0, 100)
		if full == nil || last < 300 || last > 350 {
			t.Fatalf("%d stored, %v", last, full)
		}
		k.wantRun(1, last)
		if !strings.Contains(full.Detail, "group slow is ") || !strings.Contains(full.Detail, "shows no consumer") {
			t.Fatalf("detail: %s", full.Detail)
		}
		k.read("fast", 1000, true)
		k.read("slow", 100, false) // given, not acknowledged: still needed
		if again, _ := k.feed(w, last, 1); again != last {
			t.Fatal("pending entries do not hold the stream")
		}
		k.wantRun(1, last)
		k.Do("xack", keyspace.DefaultStream, "slow", k.ids()[0], k.ids()[1])
		k.feed(w, last, 1)
		if first := k.stream()[0]; first != 1 && first != 3 {
			t.Fatalf("the stream begins at %d", first)
		}
		k.read("slow", 1000, true)
		for _, id := range k.ids()[:100] {
			k.Do("xack", keyspace.DefaultStream, "slow", id)
		}
		k.resumes(w, last)
		upto, full := k.feed(w, last, 100)
		if full == nil || upto < last+250 || upto > last+350 {
			t.Fatalf("after catching up: %d stored, %v", upto, full)
		}
		k.want(upto, k.stream()...) // the cursor stands at what was stored
		if first := k.stream()[0]; first > last+1 {
			t.Fatalf("unread entries from %d on are gone: the stream begins at %d", last+1, first)
		}
	})
}

// Who does not read any more does not hold the stream for ever: a consumer that
// fell silent, a group without consumers, a group that is destroyed.
func TestBlockLetsGoOfTheAbandoned(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	cases := map[string]struct {
		begin, end func(k *kit)
		lost       bool
	}{
		"silent consumer": {begin: func(k *kit) { k.read("g", 10, true) }, lost: true},
		"no consumer":     {lost: true},
		"destroyed":       {end: func(k *kit) { k.Do("xgroup", "destroy", keyspace.DefaultStream, "g") }},
		"set forward":     {end: func(k *kit) { k.Do("xgroup", "setid", keyspace.DefaultStream, "g", "$") }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				if name == "set forward" && !server.Real() {
					t.Skip("the embedded server has no XGROUP SETID")
				}
				k := newKit(t, server)
				wait := time.Hour
				if c.lost {
					wait = timeout
				}
				w, _ := k.open(blocking(200, wait))
				k.Do("xgroup", "create", keyspace.DefaultStream, "g", "0", "mkstream")
				k.feed(w, 0, 1)
				if c.begin != nil {
					c.begin(k)
				}
				last, full := event.Seq(50), (*event.Full)(nil)
				if last, full = k.feedUntold(w, last, 100); full == nil && !c.lost {
					t.Fatal("it never was full")
				}
				if c.end != nil {
					c.end(k)
				}
				k.resumes(w, event.Seq(mustSeq(t, k.Get(keyspace.DefaultCursor))))
				var unread int64
				more := 3 // less than fills the stream again
				if c.lost {
					more = 10
				}
				for range more {
					r := k.must(w, storetest.Run(event.AfterSeq(last), last+1, last+50))[0]
					last += 50
					for _, trim := range r.Trimmed {
						unread += trim.Unread
					}
				}
				if (unread > 0) != c.lost {
					t.Fatalf("lost %d unread, want some: %v", unread, c.lost)
				}
			})
		})
	}
}

// feedUntold is feed for groups that may lose, on a slow machine early.
func (k *kit) feedUntold(w *Writer, from event.Seq, n int) (last event.Seq, full *event.Full) {
	k.T.Helper()
	for last = from; n > 0; n-- {
		_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(event.AfterSeq(last), last+1, last+50)})
		if errors.As(err, &full) {
			return last, full
		}
		if err != nil {
			k.T.Fatal(err)
		}
		last += 50
	}
	return last, nil
}

func mustSeq(t *testing.T, text string) event.Seq {
	t.Helper()
	seq, ok := event.ParseSeq(text)
	if !ok {
		t.Fatalf("cursor %q", text)
	}
	return seq
}

// A limit that was lowered is approached in bounded steps, and never by what
// somebody needs.
func TestBlockLoweredLimit(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Run(storetest.Live, 1, 5000))
		k.Do("xgroup", "create", keyspace.DefaultStream, "g", "0")
		k.read("g", 4900, true)
		w, _ = k.open(blocking(200, time.Hour))
		last, full := k.feed(w, 5000, 20)
		if full == nil || last < 5050 || last > 5150 {
			t.Fatalf("%d stored, %v", last, full)
		}
		if seqs := k.stream(); seqs[0] > 4901 || len(seqs) > 400 {
			t.Fatalf("%d entries from %d on", len(seqs), seqs[0])
		}
	})
}

// Wait stores the batch once there is room, telling observers meanwhile.
func TestWaitStoresWhenThereIsRoom(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open(blocking(100, time.Hour), func(c *Config) { c.WhenFull = Wait })
		k.Do("xgroup", "create", keyspace.DefaultStream, "g", "0", "mkstream")
		k.must(w, storetest.Run(storetest.Live, 1, 150))
		ctx, cancel := context.WithCancel(k.Ctx())
		stopped := make(chan error, 1)
		go func() {
			_, err := w.Commit(ctx, []*event.Batch{storetest.Run(event.AfterSeq(150), 151, 200)})
			stopped <- err
		}()
		storetest.Eventually(t, "a report of the full stream", func() bool {
			told := k.told()
			return len(told) > 0 && told[len(told)-1].Cause == "full" && !told[len(told)-1].Up
		})
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped with %v", err)
		}
		before := len(k.told())
		go func() {
			_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(event.AfterSeq(150), 151, 200)})
			stopped <- err
		}()
		storetest.Eventually(t, "the second to wait", func() bool { return len(k.told()) > before })
		k.read("g", 150, true)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		if told := k.told(); !told[len(told)-1].Up {
			t.Fatal("nobody was told that there is room")
		}
		k.want(200, k.stream()...)
		if log := k.Logged.String(); !strings.Contains(log, "newest_stored") || !strings.Contains(log, "group g is ") {
			t.Fatalf("log:\n%s", log)
		}
	})
}

// A user without rights to the ledger stores all the same, and is told once.
func TestLedgerIsOptional(t *testing.T) {
	redistest.RequireReal(t)
	server := redistest.Start(t)
	for _, c := range []struct{ name, rights, says string }{
		{"no key", "~" + keyspace.DefaultStream + " ~" + keyspace.DefaultCursor + " ~" + keyspace.DefaultCursor + ":meta ~" + keyspace.DefaultCursor + ":lease +@all", "the ledger cannot be written"},
		{"no xdel", "~firehose:* +@all -xdel", "so that lines can be merged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, server)
			k.Do("flushall")
			args := []any{"acl", "setuser", "limited", "reset", "on", ">secret"}
			for _, right := range strings.Fields(c.rights) {
				args = append(args, right)
			}
			k.Do(args...)
			w, _ := k.open(func(c *Config) {
				c.MaxLen = 100
				c.URL = strings.Replace(server.URL(), "redis://", "redis://limited:secret@", 1)
			})
			k.Do("xgroup", "create", keyspace.DefaultStream, "g", "0", "mkstream")
			var unread int64
			for i := range event.Seq(10) {
				at := event.AfterSeq(i * 50)
				if i == 0 {
					at = storetest.Live
				}
				for _, trim := range k.must(w, storetest.Run(at, i*50+1, i*50+50))[0].Trimmed {
					unread += trim.Unread
				}
			}
			if unread != 400 {
				t.Fatalf("counted %d unread", unread)
			}
			if n := strings.Count(k.Logged.String(), c.says); n != 1 {
				t.Fatalf("said %d times %q:\n%s", n, c.says, k.Logged.String())
			}
			lines, err := k.Client.XLen(k.Ctx(), keyspace.DefaultCursor+":losses").Result()
			if want := map[string]int64{"no key": 0, "no xdel": 8}[c.name]; err != nil || lines != want {
				t.Fatalf("%d lines in the ledger, want %d (%v)", lines, want, err)
			}
		})
	}
}

// The slowest group holds the stream, wherever the server lists it.
func TestBlockKeepsForTheSlowestWhateverItsName(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for _, slow := range []string{"a", "z"} {
			k := newKit(t, server)
			k.Do("flushall")
			w, _ := k.open(blocking(300, time.Hour))
			for _, g := range []string{"a", "m", "z"} {
				k.Do("xgroup", "create", keyspace.DefaultStream, g, "0", "mkstream")
			}
			last := event.Seq(0)
			for range 20 {
				var full *event.Full
				if last, full = k.feed(w, last, 1); full != nil {
					break
				}
				for _, g := range []string{"a", "m", "z"} {
					if g != slow {
						k.read(g, 1000, true)
					}
				}
			}
			if last > 350 {
				t.Fatalf("%d stored although %s has read nothing", last, slow)
			}
			k.wantRun(1, last)
		}
	})
}

// A batch that an earlier try had stored needs no room: asked to wait for some, its
// writer would wait for readers of what is stored already.
func TestBlockAcknowledgesWhatIsStoredWhileFull(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		k.Do("xgroup", "create", keyspace.DefaultStream, "g", "0", "mkstream")
		w, _ := k.open(blocking(100, 0))
		last, full := k.feed(w, 0, 10)
		if full == nil {
			t.Fatalf("%d stored, and the stream is not full", last)
		}
		again := storetest.Run(event.AfterSeq(last-50), last-49, last)
		receipts, err := w.Commit(k.Ctx(), []*event.Batch{again})
		if err != nil || len(receipts) != 1 || receipts[0].Present != 50 || receipts[0].Cursor != last {
			t.Fatalf("the last batch again: %+v, %v", receipts, err)
		}
		k.wantRun(1, last)
	})
}
