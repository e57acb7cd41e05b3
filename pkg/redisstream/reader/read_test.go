package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/testkit"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// kit is a server and a Reader's way to it.
type readKit struct{ *testkit.Kit }

func newReadKit(t testing.TB, server *redistest.Server) *readKit {
	return &readKit{testkit.New(t, server)}
}

func eachReadServer(t *testing.T, test func(t *testing.T, k *readKit)) {
	redistest.Each(t, func(t *testing.T, s *redistest.Server) { test(t, newReadKit(t, s)) })
}

// reader opens a Reader on the kit's server.
func (k *readKit) reader(change ...func(*Config)) *Reader {
	k.T.Helper()
	cfg := Config{Connection: k.Connection()}
	for _, c := range change {
		c(&cfg)
	}
	r, err := Open(k.Ctx(), cfg)
	if err != nil {
		k.T.Fatalf("open reader: %v", err)
	}
	k.T.Cleanup(func() { _ = r.Close() })
	return r
}

func collect(t testing.TB, entries iter.Seq2[Stored, error]) (all []Stored) {
	t.Helper()
	for s, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func TestRangePagesThroughAStream(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		k.Add(25, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-%d", 1000+i/4, i%4), event.Seq(10 * (i + 1)) })
		r := k.reader(func(c *Config) { c.Page = 10 })
		all := collect(t, r.Range(k.Ctx(), "", ""))
		if len(all) != 25 {
			t.Fatalf("%d entries", len(all))
		}
		for i, s := range all {
			if seq, ok := s.Seq(); !ok || seq != event.Seq(10*(i+1)) || strings.Join(s.Fields, "|") != fmt.Sprintf(`type|commit|data|{"repo":"did:plc:x","ops":[]}|seq|%d`, seq) {
				t.Fatalf("entry %d is %v", i, s)
			}
		}
		some := collect(t, r.Range(k.Ctx(), "1001", "1002"))
		if len(some) != 8 || some[0].ID != "1001-0" || some[7].ID != "1002-3" || !some[0].ID.Time().Equal(time.UnixMilli(1001)) {
			t.Errorf("a part is %v", some)
		}
		for s, err := range r.Range(k.Ctx(), "", "") { // leaving early must not block
			if err != nil || s.ID != "1000-0" {
				t.Error(s, err)
			}
			break
		}
		if missing := collect(t, k.reader(func(c *Config) { c.StreamKey = "nothing" }).Range(k.Ctx(), "", "")); len(missing) != 0 {
			t.Errorf("a missing stream yields %v", missing)
		}
	})
}

func TestRangeCutShortIsAnError(t *testing.T) {
	k := newReadKit(t, redistest.Start(t))
	k.Add(100, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(i + 1) })
	r := k.reader(func(c *Config) { c.Page = 10 })
	ctx, cancel := context.WithCancel(k.Ctx())
	defer cancel()
	n, last := 0, error(nil)
	for _, err := range r.Range(ctx, "", "") {
		if n++; n == 5 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || n > 31 {
		t.Errorf("after %d entries: %v", n, last)
	}
}

func TestLastIsOldestFirst(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		k.Add(25, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(i + 1) })
		r := k.reader(func(c *Config) { c.Page = 4 })
		if before, err := r.HeadsBefore(k.Ctx(), "11", 3); err != nil || len(before) != 3 || before[0].ID != "8-0" || before[2].ID != "10-0" {
			t.Errorf("before 11: %v, %v", before, err)
		}
		if before, err := r.HeadsBefore(k.Ctx(), "1-0", 3); err != nil || len(before) != 0 {
			t.Errorf("before the first: %v, %v", before, err)
		}
		for _, n := range []int{0, 1, 4, 9, 25, 40} {
			last, err := r.Last(k.Ctx(), n)
			if err != nil || len(last) != min(n, 25) {
				t.Fatalf("last %d: %d entries, %v", n, len(last), err)
			}
			for i, s := range last {
				if want := ID(fmt.Sprintf("%d-0", 25-len(last)+i+1)); s.ID != want {
					t.Errorf("last %d: entry %d is %s, want %s", n, i, s.ID, want)
				}
			}
		}
	})
}

func TestBoundsTellEmptyFromMissing(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		r := k.reader()
		if _, err := r.Bounds(k.Ctx()); !errors.Is(err, ErrNoStream) {
			t.Errorf("missing: %v", err)
		}
		k.Do("xgroup", "create", keyspace.DefaultStream, "g", "0", "mkstream")
		if b, err := r.Bounds(k.Ctx()); err != nil || b.Length != 0 || b.First.ID != "" {
			t.Errorf("empty: %v, %v", b, err)
		}
		k.Add(3, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(i + 7) })
		b, err := r.Bounds(k.Ctx())
		if seq, _ := b.Last.Seq(); err != nil || b.Length != 3 || b.First.ID != "1-0" || seq != 9 {
			t.Errorf("three: %v, %v", b, err)
		}
		k.Set("text", "x")
		_, err = k.reader(func(c *Config) { c.StreamKey = "text" }).Bounds(k.Ctx())
		storetest.WantErr(t, err, fault.Data)
	})
}

func TestOpenReaderFailsAtOnce(t *testing.T) {
	started := time.Now()
	_, err := Open(context.Background(), Config{Connection: conn.Connection{URL: "redis://127.0.0.1:1"}})
	storetest.WantErr(t, err, fault.Unreachable)
	if time.Since(started) > 10*time.Second {
		t.Error("it waited")
	}
	redistest.RequireReal(t)
	locked := redistest.Start(t, "--requirepass", "hidden")
	_, err = Open(context.Background(), Config{Connection: conn.Connection{URL: locked.URL()}})
	storetest.WantErr(t, err, fault.Refused)
}

func TestFollowSeesWhatComes(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		r := k.reader()
		ctx, cancel := context.WithCancel(k.Ctx())
		got, done := make(chan Stored, 100), make(chan error, 1)
		go func() {
			var last error
			for s, err := range r.Follow(ctx, "") {
				if last = err; err == nil {
					got <- s
				}
			}
			done <- last
		}()
		for i := range 5 { // the stream comes into being while it is followed
			k.Add(3, func(j int) (string, event.Seq) { return fmt.Sprintf("%d-0", 3*i+j+1), event.Seq(3*i + j + 1) })
			for j := range 3 {
				select {
				case s := <-got:
					if seq, _ := s.Seq(); seq != event.Seq(3*i+j+1) {
						t.Fatalf("got %v", s)
					}
				case <-k.Ctx().Done():
					t.Fatal("nothing came")
				}
			}
		}
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("it does not end with its context")
		}
	})
}

func TestFollowSurvivesARestart(t *testing.T) {
	redistest.RequireReal(t)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	k := newReadKit(t, server)
	k.Add(2, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+1), event.Seq(i + 1) })
	r := k.reader()
	ctx, cancel := context.WithCancel(k.Ctx())
	defer cancel()
	got := make(chan Stored)
	go func() {
		defer close(got)
		for s, err := range r.Follow(ctx, "") {
			if err != nil {
				t.Error(err)
				return
			}
			got <- s
		}
	}()
	for want := event.Seq(1); want <= 4; want++ {
		if want == 3 {
			server.Kill()
			storetest.Eventually(t, "the outage to be noticed", func() bool { return strings.Contains(k.Logged.String(), "not available") })
			server.Restart()
			k.Client = server.Client()
			k.Add(2, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", i+3), event.Seq(i + 3) })
		}
		s := <-got
		if seq, _ := s.Seq(); seq != want {
			t.Fatalf("got %v, want %d", s, want)
		}
	}
	if log := k.Logged.String(); strings.Count(log, "not available") != 1 || !strings.Contains(log, "available again") {
		t.Errorf("the log does not tell of the outage: %s", log)
	}
}

// TestSeekSeq compares the search with looking at every entry, on streams
// whose entries lie evenly, in bursts, in one millisecond, or at random.
func TestSeekSeq(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(i int) (string, event.Seq){
		"even": func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", 1_700_000_000_000+i*7), event.Seq(100 + i) },
		"gaps": func(i int) (string, event.Seq) {
			return fmt.Sprintf("%d-0", 1_700_000_000_000+i*7), event.Seq(100 + i*i)
		},
		"one ms": func(i int) (string, event.Seq) { return fmt.Sprintf("1700000000000-%d", i), event.Seq(100 + 3*i) },
		"burst then idle": func(i int) (string, event.Seq) {
			ms := 1_700_000_000_000 + i/50
			if i > 2990 {
				ms += 86_400_000 * (i - 2990)
			}
			return fmt.Sprintf("%d-%d", ms, i), event.Seq(100 + 2*i)
		},
		"batches": func(i int) (string, event.Seq) {
			return fmt.Sprintf("%d-%d", 1_700_000_000_000+i/500*40, i%500), event.Seq(100 + 5*i)
		},
	}
	for name, at := range shapes {
		t.Run(name, func(t *testing.T) {
			eachReadServer(t, func(t *testing.T, k *readKit) {
				const n = 3000
				k.Add(n, at)
				r := k.reader(func(c *Config) { c.Page = 100 })
				seqs := []event.Seq{1, 100, 101}
				for i := 0; i < n; i += 97 {
					_, seq := at(i)
					seqs = append(seqs, seq-1, seq, seq+1)
				}
				_, last := at(n - 1)
				for _, seq := range append(seqs, last, last+1, event.MaxSeq) {
					want := ID("")
					for i := range n {
						if id, have := at(i); have >= seq {
							want = ID(id)
							break
						}
					}
					s, found, err := r.SeekSeq(k.Ctx(), seq)
					if err != nil || found != (want != "") || s.ID != want {
						t.Fatalf("seek %d: got %s (%v, %v), want %s", seq, s.ID, found, err, want)
					}
				}
			})
		})
	}
}

// counting counts exchanges.
type counting struct{ n int }

func (c *counting) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { c.n++; return next(ctx, cmd) }
}
func (c *counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { c.n++; return next(ctx, cmds) }
}

func TestSeekTakesFewExchanges(t *testing.T) {
	t.Parallel()
	k := newReadKit(t, redistest.Start(t))
	const n = 100_000
	k.Add(n, func(i int) (string, event.Seq) {
		return fmt.Sprintf("%d-0", 1_700_000_000_000+i*300), event.Seq(7e9 + 3*i)
	})
	r := k.reader()
	count := &counting{}
	r.client.AddHook(count)
	for i := 0; i < n; i += 9973 {
		count.n = 0
		s, found, err := r.SeekSeq(k.Ctx(), event.Seq(7e9+3*i-1))
		if want := ID(fmt.Sprintf("%d-0", 1_700_000_000_000+i*300)); err != nil || !found || s.ID != want {
			t.Fatalf("got %s, %v, %v, want %s", s.ID, found, err, want)
		}
		if count.n > 20 {
			t.Errorf("%d exchanges", count.n)
		}
	}
}

func TestSeekPassesOverEntriesWithoutSeq(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		for i := 1; i <= 400; i++ {
			if i > 100 && i < 300 {
				k.Do("xadd", keyspace.DefaultStream, fmt.Sprintf("%d-0", i*100), "other", "field")
				continue
			}
			k.Do("xadd", keyspace.DefaultStream, fmt.Sprintf("%d-0", i*100), "seq", fmt.Sprint(i))
		}
		r := k.reader()
		for seq, want := range map[event.Seq]ID{1: "100-0", 100: "10000-0", 101: "30000-0", 300: "30000-0", 400: "40000-0"} {
			if s, found, err := r.SeekSeq(k.Ctx(), seq); err != nil || !found || s.ID != want {
				t.Errorf("seek %d: got %s, %v, %v, want %s", seq, s.ID, found, err, want)
			}
		}
	})
}

func TestSeekTime(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		r := k.reader()
		if _, found, err := r.SeekTime(k.Ctx(), time.Now()); found || err != nil {
			t.Errorf("no stream: %v, %v", found, err)
		}
		if _, found, err := r.SeekSeq(k.Ctx(), 1); found || err != nil {
			t.Errorf("no stream: %v, %v", found, err)
		}
		k.Add(10, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", 1000*(i+1)), event.Seq(i + 1) })
		for ms, want := range map[int64]ID{-5: "1000-0", 1000: "1000-0", 1001: "2000-0", 10000: "10000-0", 10001: ""} {
			s, found, err := r.SeekTime(k.Ctx(), time.UnixMilli(ms))
			if err != nil || found != (want != "") || s.ID != want {
				t.Errorf("%d: got %s, %v, %v, want %s", ms, s.ID, found, err, want)
			}
		}
	})
}

func TestCursorState(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		r := k.reader()
		read := func() CursorState {
			t.Helper()
			c, err := r.Cursor(k.Ctx())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if c := read(); c != (CursorState{}) || c.Relay() != "" {
			t.Errorf("nothing stored: %+v", c)
		}
		k.Set(keyspace.DefaultCursor, "7000000123")
		if c := read(); !c.Present || c.Seq != 7000000123 || c.SidePresent || c.Relay() != script.BridgeRelay {
			t.Errorf("the bridge's: %+v", c)
		}
		k.Set(keyspace.DefaultCursor+":meta", `{"relay":"relay.example","filter":"f","partitions":1,"from":"saved","eventTime":"2026-01-02T03:04:05Z","epoch":3}`)
		k.Do("setex", dashboard.StatusKey, 10, `{"connected":true,"url":"wss://relay.example","currentCursor":"7000000123","writer":"fhctl/h-1"}`)
		c := read()
		want := script.Side{Relay: "relay.example", Filter: "f", Partitions: 1, From: "saved", EventTime: "2026-01-02T03:04:05Z", Epoch: 3}
		if c.Side != want || !c.Status.Present || !c.Status.Connected || c.Status.Writer != "fhctl/h-1" || c.Status.CurrentCursor != "7000000123" || c.Status.TTL <= 0 || c.Status.Age() > 10*time.Second {
			t.Errorf("ours: %+v", c)
		}
		for raw, broken := range map[string]bool{"": true, "x": true, "-1": true, "99999999999999999": true, "0": false, "007": false} {
			k.Set(keyspace.DefaultCursor, raw)
			if c := read(); c.NotSeq != broken {
				t.Errorf("%q: %+v", raw, c)
			}
		}
		k.Set(keyspace.DefaultCursor+":meta", "[]")
		if c := read(); !c.SideBroken || !c.SidePresent {
			t.Errorf("a broken side key: %+v", c)
		}
		k.Do("del", keyspace.DefaultCursor)
		k.Do("rpush", keyspace.DefaultCursor, "1")
		_, err := r.Cursor(k.Ctx())
		storetest.WantErr(t, err, fault.Data)
	})
}

func TestGroups(t *testing.T) {
	eachReadServer(t, func(t *testing.T, k *readKit) {
		r := k.reader(func(c *Config) { c.Page = 10 })
		if _, err := r.Groups(k.Ctx()); !errors.Is(err, ErrNoStream) {
			t.Errorf("no stream: %v", err)
		}
		k.Add(1000, func(i int) (string, event.Seq) { return fmt.Sprintf("%d-0", 1000+i*10), event.Seq(100 + i) })
		for g, at := range map[string]string{"new": "0", "near": "0", "done": "0", "half": "6000-0"} {
			k.Do("xgroup", "create", keyspace.DefaultStream, g, at)
		}
		k.Do("xreadgroup", "group", "near", "alice", "count", 993, "streams", keyspace.DefaultStream, ">")
		k.Do("xreadgroup", "group", "done", "bob", "count", 1000, "noack", "streams", keyspace.DefaultStream, ">")
		groups, err := r.Groups(k.Ctx())
		if err != nil || len(groups) != 4 {
			t.Fatalf("%v, %v", groups, err)
		}
		done, half, near, fresh := groups[0], groups[1], groups[2], groups[3]
		if done.Lag != 0 || !done.LagExact || len(done.Consumers) != 1 || done.Consumers[0].Name != "bob" {
			t.Errorf("done: %+v", done)
		}
		if half.Lag < 490 || half.Lag > 510 || half.LagExact && half.Lag != 499 {
			t.Errorf("half: %+v", half)
		}
		if near.Lag != 7 || !near.LagExact || near.Pending != 993 || near.OldestPending != "1000-0" || near.MaxDeliveries != 1 || near.OldestPendingIdle < 0 {
			t.Errorf("near: %+v", near)
		}
		if fresh.Lag != 1000 || !fresh.LagExact || fresh.Name != "new" {
			t.Errorf("new: %+v", fresh)
		}
	})
}

// FuzzEntries: whatever bytes a server sends, reading them ends, with entries
// or an error.
func FuzzEntries(f *testing.F) {
	f.Add([]byte("*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$3\r\nseq\r\n$1\r\n7\r\n"))
	f.Add([]byte("*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n"))
	f.Add([]byte("*-1\r\n"))
	f.Add([]byte("*9999999999\r\n"))
	f.Add([]byte("*1\r\n*2\r\n$5\r\n1"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		entries, err := (&raw{buf: reply}).entries(nil)
		if err != nil && !errors.Is(err, conn.ErrReply) {
			t.Error(err)
		}
		for _, s := range entries {
			_ = s.ID.Next()
			s.Seq()
		}
	})
}

// BenchmarkRange reads a stream as bare XRANGE does and as Range does.
func BenchmarkRange(b *testing.B) {
	k := newReadKit(b, redistest.Start(b))
	data := `{"repo":"did:plc:x","ops":[],"pad":"` + strings.Repeat("x", 430) + `"}`
	const n = 100_000
	for range n / 1000 {
		pipe := k.Client.Pipeline()
		for i := range 1000 {
			pipe.Do(k.Ctx(), "xadd", keyspace.DefaultStream, "*", "type", "commit", "data", data, "seq", 1+i)
		}
		if _, err := pipe.Exec(k.Ctx()); err != nil {
			b.Fatal(err)
		}
	}
	r := k.reader()
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			for from := "-"; ; {
				rows, err := k.Client.Do(b.Context(), "xrange", keyspace.DefaultStream, from, "+", "count", DefaultPage).Slice()
				if err != nil {
					b.Fatal(err)
				}
				if len(rows) == 0 {
					break
				}
				from = "(" + rows[len(rows)-1].([]any)[0].(string)
			}
		}
		b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("range", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for s, err := range r.Range(b.Context(), "", "") {
				if _, ok := s.Seq(); err != nil || !ok {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "entries/s")
	})
}

// A deadline of the caller's is no outage, whichever of socket and context notices
// it first.
func TestFollowsEndIsNoOutage(t *testing.T) {
	t.Parallel()
	eachReadServer(t, func(t *testing.T, k *readKit) {
		log := &bytes.Buffer{}
		r := k.reader(func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
		for i := range 15 {
			ctx, cancel := context.WithTimeout(k.Ctx(), time.Duration(20+i)*time.Millisecond)
			for _, err := range r.Follow(ctx, "$") {
				t.Errorf("yields an error: %v", err)
			}
			if ctx.Err() == nil {
				t.Error("it ended before the context")
			}
			cancel()
		}
		if log.Len() > 0 {
			t.Errorf("log:\n%s", log)
		}
	})
}
