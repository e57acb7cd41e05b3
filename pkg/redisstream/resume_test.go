package redisstream

import (
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redistest"
)

func from(t testing.TB, text string) func(*Config) {
	t.Helper()
	f, err := ParseFrom(text)
	storetest.Must(t, err)
	return func(c *Config) { c.From = f }
}

var oldest = event.Position{Start: event.Oldest}

func TestParseFrom(t *testing.T) {
	for text, want := range map[string]string{"": "saved", "saved": "saved", "live": "live", "oldest": "oldest", "7000000123": "7000000123"} {
		f, err := ParseFrom(text)
		if err != nil || f.String() != want {
			t.Errorf("%q: %s, %v", text, f, err)
		}
	}
	for _, text := range []string{"0", "-1", "newest", "1.5", "9007199254740992", " 1"} {
		_, err := ParseFrom(text)
		storetest.WantErr(t, err, fault.Usage)
	}
}

func TestResumeColdStart(t *testing.T) {
	for text, want := range map[string]event.Position{"saved": storetest.Live, "live": storetest.Live, "oldest": oldest, "500": event.AfterSeq(500)} {
		t.Run(text, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, at := k.open(from(t, text))
				if at.Position != want || at.Why == "" {
					t.Fatalf("resume: %+v", at)
				}
				if k.Get(keyspace.DefaultCursor) != "" {
					t.Fatal("a cursor was written before any event")
				}
				k.must(w, storetest.Batch(want, 601, 602))
				// The same words after a restart mean: continue.
				w, at = k.open(from(t, text))
				if at.Position != event.AfterSeq(602) || at.Time != "2026-01-02T03:04:05Z" {
					t.Fatalf("restart: %+v", at)
				}
				k.must(w, storetest.Batch(at.Position, 603))
				k.want(603, 601, 602, 603)
			})
		})
	}
}

func TestResumeRequestIsAppliedOnce(t *testing.T) {
	for text, want := range map[string]event.Position{"oldest": oldest, "2": event.AfterSeq(2)} {
		t.Run(text, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open()
				k.must(w, storetest.Run(storetest.Live, 1, 4))
				_, at := k.open(from(t, text))
				if at.Position != want {
					t.Fatalf("request: %+v", at)
				}
				// Killed before it stored anything: the request stands.
				w, at = k.open(from(t, text))
				if at.Position != want {
					t.Fatalf("restart before the first event: %+v", at)
				}
				k.must(w, storetest.Batch(want, 3))
				w, at = k.open(from(t, text))
				if at.Position != event.AfterSeq(3) {
					t.Fatalf("restart: %+v", at)
				}
				k.must(w, storetest.Batch(at.Position, 4, 5))
				k.want(5, 1, 2, 3, 4, 3, 4, 5)
				// A run without the request forgets it, so that it can be
				// made again.
				w, at = k.open()
				if at.Position != event.AfterSeq(5) {
					t.Fatalf("saved: %+v", at)
				}
				k.must(w, storetest.Batch(at.Position, 6))
				if _, at = k.open(from(t, text)); at.Position != want {
					t.Fatalf("request made again: %+v", at)
				}
			})
		})
	}
}

func TestResumeLiveLeavesTheCursorUntilTheFirstEvent(t *testing.T) {
	for name, seqs := range map[string][]event.Seq{"forward": {900, 901}, "another numbering below": {20, 21}} {
		t.Run(name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				w, _ := k.open()
				k.must(w, storetest.Batch(storetest.Live, 100))
				other, _ := k.open()
				w, at := k.open(from(t, "live"))
				if at.Position != storetest.Live {
					t.Fatalf("resume: %+v", at)
				}
				k.want(100, 100)
				k.must(w, storetest.Batch(storetest.Live, seqs...), storetest.Batch(event.AfterSeq(seqs[1]), seqs[1]+1))
				k.want(seqs[1]+1, 100, seqs[0], seqs[1], seqs[1]+1)
				// A second writer notices the jump.
				k.moved(other, event.AlarmConflict, event.AfterSeq(seqs[1]+1), storetest.Batch(event.AfterSeq(100), 950))
				if _, at = k.open(from(t, "live")); at.Position != event.AfterSeq(seqs[1]+1) {
					t.Fatalf("restart: %+v", at)
				}
			})
		})
	}
}

func TestResumeLiveLosesTheRace(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 100))
		jumper, _ := k.open(from(t, "live"))
		k.must(w, storetest.Batch(event.AfterSeq(100), 101))
		k.moved(jumper, event.AlarmConflict, event.AfterSeq(101), storetest.Batch(storetest.Live, 200))
		k.want(101, 100, 101)
	})
}

func TestResumePythonBridgeCursor(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		k.Set(keyspace.DefaultCursor, "7000000123")
		w, err := Open(k.Ctx(), k.config())
		storetest.Must(t, err)
		defer w.Close()
		_, err = w.Resume(k.Ctx())
		storetest.WantErr(t, err, fault.Cursor)
		if !strings.Contains(err.Error(), "bsky.network") || !strings.Contains(fault.HintOf(err), fault.Remedy{Do: fault.MoveCursor, Value: "SEQ"}.With("relay", k.config().Identity.Relay)) {
			t.Fatalf("%v (hint: %s)", err, fault.HintOf(err))
		}
		bridge := func(c *Config) { c.Identity.Relay = "bsky.network" }
		w, at := k.open(bridge)
		if at.Position != event.AfterSeq(7000000123) {
			t.Fatalf("resume: %+v", at)
		}
		k.must(w, storetest.Batch(at.Position, 7000000124))
		k.want(7000000124, 7000000124)
		if side := k.Get(keyspace.DefaultCursor + ":meta"); !strings.Contains(side, `"relay":"bsky.network"`) {
			t.Fatalf("side key is %s", side)
		}
		// What the hint says to type is this move.
		r, err := reader.Open(k.Ctx(), reader.Config{Connection: k.config().Connection})
		storetest.Must(t, err)
		defer r.Close()
		seen, err := r.Cursor(k.Ctx())
		storetest.Must(t, err)
		storetest.Must(t, admin.MoveCursor(k.Ctx(), r, admin.Move{Seen: seen, To: seen.Seq, Owner: script.Side{
			Relay: k.config().Identity.Relay, Filter: k.config().Identity.Filter, Partitions: 1,
		}}))
		if _, at := k.open(); at.Position != event.AfterSeq(7000000124) {
			t.Fatalf("claimed: %+v", at)
		}
	})
}

func TestResumeAnotherRelaysCursor(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1))
		for _, change := range []func(*Config){
			func(c *Config) { c.Identity.Relay = "other.example" },
			func(c *Config) { c.Identity.Filter = "f00" },
			func(c *Config) { c.Identity.Partitions = 4 },
			func(c *Config) { c.Identity.Relay = "other.example"; from(t, "oldest")(c) },
		} {
			other, err := Open(k.Ctx(), k.config(change))
			storetest.Must(t, err)
			defer other.Close()
			_, err = other.Resume(k.Ctx())
			storetest.WantErr(t, err, fault.Cursor)
			if !strings.Contains(err.Error(), storetest.Relay) {
				t.Fatalf("error does not name both sides: %v", err)
			}
			k.want(1, 1)
		}
	})
}

func TestResumeCursorGoneButSideKeyLeft(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1))
		k.Do("del", keyspace.DefaultCursor)
		w, at, told := k.start()
		k.tells(told, event.AlarmCursorMissing, keyspace.DefaultCursor)
		if at.Position != event.AfterSeq(1) {
			t.Fatalf("resume: %+v", at)
		}
		k.must(w, storetest.Batch(at.Position, 2, 3))
		k.want(3, 1, 2, 3)
	})
}
