package reader

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// statsReader reads a stream of n entries with ids 1000-0, 1001-0, ….
func statsReader(t *testing.T, server *redistest.Server, n int) (*Reader, *redis.Client) {
	t.Helper()
	client := server.Client()
	pipe := client.Pipeline()
	for i := range n {
		pipe.Do(t.Context(), "xadd", keyspace.DefaultStream, fmt.Sprintf("%d-0", 1000+i), "type", "commit", "data", "{}", "seq", i+1)
	}
	if _, err := pipe.Exec(t.Context()); n > 0 && err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), Config{Connection: conn.Connection{URL: server.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, client
}

func TestNewestGoesBackInPages(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		const stored = 2*newestPage + 7
		r, _ := statsReader(t, server, stored)
		for _, tc := range []struct{ ask, want int }{{0, 0}, {1, 1}, {newestPage, newestPage}, {newestPage + 1, newestPage + 1}, {9999, stored}} {
			got := 0
			for s, err := range r.Newest(t.Context(), tc.ask) {
				if want := ID(fmt.Sprintf("%d-0", 999+stored-got)); err != nil || s.ID != want {
					t.Fatalf("entry %d is %s (%v), want %s", got, s.ID, err, want)
				}
				got++
			}
			if got != tc.want {
				t.Errorf("Newest(%d) gave %d entries, want %d", tc.ask, got, tc.want)
			}
		}
		for range r.Newest(t.Context(), 500) {
			break
		}
	})
}

func TestFollowing(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		r, _ := statsReader(t, server, 3)
		for after, want := range map[ID]ID{"0-0": "1000-0", "1000-0": "1001-0", "1001-5": "1002-0", "1002-0": ""} {
			s, found, err := r.Following(t.Context(), after)
			if err != nil || s.ID != want || found != (want != "") {
				t.Errorf("behind %s: %q, %v, %v", after, s.ID, found, err)
			}
		}
	})
}

func TestRedeliveriesAreCounted(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		r, client := statsReader(t, server, 5)
		ctx := t.Context()
		if err := client.XGroupCreate(ctx, keyspace.DefaultStream, "g", "0").Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{keyspace.DefaultStream, ">"}}).Err(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := client.XClaim(ctx, &redis.XClaimArgs{Stream: keyspace.DefaultStream, Group: "g", Consumer: "d", Messages: []string{"1001-0"}}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		d, err := r.Redeliveries(ctx, "g")
		if want := (Redeliveries{Examined: 5, Entries: 1, Max: 3}); err != nil || d != want {
			t.Errorf("got %+v, %v, want %+v", d, err, want)
		}
		if d, err := r.Redeliveries(ctx, "gone"); err != nil || d.Examined != 0 {
			t.Errorf("a group that has gone: %+v, %v", d, err)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		r, client := statsReader(t, server, 1)
		ctx := t.Context()
		if d, err := r.DeadLetters(ctx); err != nil || d.Length != 0 || d.Newest.ID != "" || d.Why != "" {
			t.Errorf("none: %+v, %v", d, err)
		}
		for i := range 3 {
			if err := client.Do(ctx, "xadd", DeadLetterKey, fmt.Sprintf("%d-0", i+1), "type", "commit", "data", "{}", "seq", 70+i).Err(); err != nil {
				t.Fatal(err)
			}
		}
		d, err := r.DeadLetters(ctx)
		if seq, ok := d.Newest.Seq(); err != nil || d.Length != 3 || d.Newest.ID != "3-0" || !ok || seq != 72 {
			t.Errorf("three: %+v, %v", d, err)
		}
		client.Del(ctx, DeadLetterKey)
		client.Set(ctx, DeadLetterKey, "text", 0)
		if d, err := r.DeadLetters(ctx); err != nil || d.Why == "" {
			t.Errorf("another type: %+v, %v", d, err)
		}
	})
}

func TestServerTellsClockMemoryAndAdded(t *testing.T) {
	redistest.RequireReal(t)
	r, client := statsReader(t, redistest.Start(t), 300)
	ctx := t.Context()
	now, ok, err := r.Now(ctx)
	if err != nil || !ok || time.Since(now).Abs() > time.Minute {
		t.Errorf("clock: %v, %v, %v", now, ok, err)
	}
	if n, why, err := r.MemoryUsage(ctx); err != nil || why != "" || n < 300 {
		t.Errorf("memory: %d, %q, %v", n, why, err)
	}
	client.XTrimMaxLen(ctx, keyspace.DefaultStream, 100)
	if n, err := r.EntriesAdded(ctx); err != nil || n != 300 {
		t.Errorf("added: %d, %v", n, err)
	}
	client.Del(ctx, keyspace.DefaultStream)
	if _, err := r.EntriesAdded(ctx); !errors.Is(err, ErrNoStream) {
		t.Errorf("added to no stream: %v", err)
	}
	if _, why, err := r.MemoryUsage(ctx); err != nil || why == "" {
		t.Errorf("memory of nothing: %q, %v", why, err)
	}
}

func TestEmbeddedServerAnswersWhatItCan(t *testing.T) {
	r, _ := statsReader(t, redistest.StartEmbedded(t), 3)
	if _, ok, err := r.Now(t.Context()); err != nil || !ok {
		t.Errorf("clock: %v, %v", ok, err)
	}
	if n, why, err := r.MemoryUsage(t.Context()); err != nil || n <= 0 && why == "" {
		t.Errorf("memory: %d, %q, %v", n, why, err)
	}
	if n, err := r.EntriesAdded(t.Context()); err != nil || n != -1 {
		t.Errorf("added: %d, %v", n, err)
	}
}

// TestReadersWithFewRightsAreToldSo uses the account of the project's own ACL,
// without what stats would like to have besides.
func TestReadersWithFewRightsAreToldSo(t *testing.T) {
	redistest.RequireReal(t)
	server := redistest.Start(t)
	statsReader(t, server, 3)
	server.Do("acl", "setuser", "few", "on", ">pw", "~firehose:events", "~firehose:python_cursor*",
		"-@all", "+ping", "+get", "+xlen", "+xinfo", "+xpending", "+xrange", "+xrevrange", "+info", "+client|setname", "+hello")
	r, err := Open(t.Context(), Config{Connection: conn.Connection{URL: "redis://few:pw@" + server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if at, ok, err := r.Now(t.Context()); err != nil || !ok || time.Since(at).Abs() > time.Minute {
		t.Errorf("clock, by INFO: %v, %v, %v", at, ok, err)
	}
	if _, why, err := r.MemoryUsage(t.Context()); err != nil || !strings.Contains(why, "MEMORY USAGE") {
		t.Errorf("memory: %q, %v", why, err)
	}
	if d, err := r.DeadLetters(t.Context()); err != nil || d.Why == "" {
		t.Errorf("dead letters: %+v, %v", d, err)
	}
	if n, err := r.EntriesAdded(t.Context()); err != nil || n != 3 {
		t.Errorf("added: %d, %v", n, err)
	}
	server.Do("acl", "setuser", "few", "-info")
	if _, ok, err := r.Now(t.Context()); err != nil || ok {
		t.Errorf("clock, without INFO: %v, %v", ok, err)
	}
}

func TestStatsOfAServerThatIsAway(t *testing.T) {
	server := redistest.StartEmbedded(t)
	proxy := redistest.NewProxy(t, server.Addr())
	statsReader(t, server, 3)
	r, err := Open(t.Context(), Config{Connection: conn.Connection{URL: proxy.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	proxy.Refuse(true)
	proxy.Cut()
	_, _, clock := r.Now(t.Context())
	_, _, memory := r.MemoryUsage(t.Context())
	_, dead := r.DeadLetters(t.Context())
	for doing, err := range map[string]error{"clock": clock, "memory": memory, "dead letters": dead} {
		storetest.WantErr(t, fmt.Errorf("%s: %w", doing, err), fault.Unreachable)
	}
}

func TestStreamsAreListed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		r, _ := statsReader(t, server, 1)
		server.Do("set", "text", "x")
		server.Do("xadd", "other", "*", "a", "b")
		keys, err := r.Streams(t.Context())
		slices.Sort(keys)
		if err != nil || fmt.Sprint(keys) != "[firehose:events other]" {
			t.Errorf("%v, %v", keys, err)
		}
	})
}
