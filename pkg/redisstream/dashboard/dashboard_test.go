package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/testkit"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// board is a running dashboard.
type board struct {
	*Dashboard
	stop   func()
	mu     sync.Mutex
	alarms []event.Alarm
}

func newBoard(k *testkit.Kit, change ...func(*Config)) *board {
	k.T.Helper()
	b := &board{}
	cfg := Config{Connection: k.Connection(), RelayURL: "wss://configured.example", Writer: "fhctl/test"}
	cfg.Alarm = func(a event.Alarm, _ string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.alarms = append(b.alarms, a)
	}
	for _, c := range change {
		c(&cfg)
	}
	d, err := New(cfg)
	storetest.Must(k.T, err)
	b.Dashboard = d
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(ctx)
	}()
	b.stop = func() { cancel(); <-done }
	k.T.Cleanup(b.stop)
	return b
}

func (b *board) alarmed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.alarms)
}

// Of several processes only the one that leads writes, and it does so at once.
func TestDashboardOfAStandbyIsSilent(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := testkit.New(t, server)
		shared := func(c *Config) { c.Shared = true }
		b := newBoard(k, shared)
		b.Link(event.Link{State: event.LinkUp})
		b.Role(event.Role{By: "another", Cursor: 5})
		led := newBoard(k, shared, func(c *Config) { c.Writer = "fhctl/other" })
		led.Role(event.Role{Leading: true, Cursor: 6})
		storetest.Eventually(t, "the leader's status", func() bool { return strings.Contains(k.Get(StatusKey), `"currentCursor":"6","writer":"fhctl/other"`) })
		b.Link(event.Link{State: event.LinkDown})
		b.stop() // says nothing, not even goodbye
		if got := k.Get(StatusKey); !strings.Contains(got, "fhctl/other") {
			t.Fatalf("status: %s", got)
		}
		c := newBoard(k, shared)
		c.Role(event.Role{By: "another"})
		c.Role(event.Role{Leading: true, Cursor: 7})
		storetest.Eventually(t, "the new leader's status", func() bool { return strings.Contains(k.Get(StatusKey), `"currentCursor":"7","writer":"fhctl/test"`) })
		if b.alarmed()+led.alarmed()+c.alarmed() != 0 {
			t.Fatal("one fhctl took another for a stranger")
		}
	})
}

func TestDashboardStatus(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := testkit.New(t, server)
		b := newBoard(k)
		want := func(text string) {
			t.Helper()
			storetest.Eventually(t, text, func() bool { return k.Get(StatusKey) == text })
		}
		want(`{"connected":false,"url":"wss://configured.example","currentCursor":null,"writer":"fhctl/test"}`)
		b.Role(event.Role{Leading: true, Cursor: 7000000123})
		b.Link(event.Link{State: event.LinkUp, URL: "wss://relay.example/x?a=1&b=2"})
		want(`{"connected":true,"url":"wss://relay.example/x?a=1&b=2","currentCursor":"7000000123","writer":"fhctl/test"}`)
		if ttl := k.Client.PTTL(k.Ctx(), StatusKey).Val(); ttl <= 0 || ttl > 10*time.Second {
			t.Fatalf("status lives for %s", ttl)
		}
		b.Link(event.Link{State: event.LinkHeld})
		want(`{"connected":false,"url":"wss://relay.example/x?a=1&b=2","currentCursor":"7000000123","writer":"fhctl/test"}`)
		b.Link(event.Link{State: event.LinkUp})
		storetest.Eventually(t, "up", func() bool { return strings.Contains(k.Get(StatusKey), `"connected":true`) })
		b.stop()
		if got := k.Get(StatusKey); !strings.Contains(got, `"connected":false`) || !strings.Contains(got, `"stopped":true`) {
			t.Fatalf("last words: %s", got)
		}
	})
}

func TestDashboardKeepsWritingWhenIdle(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, redistest.Start(t))
	newBoard(k)
	for range 2 {
		storetest.Eventually(t, "a status", func() bool { return k.Get(StatusKey) != "" })
		k.Do("del", StatusKey)
	}
	storetest.Eventually(t, "a status on the timer", func() bool { return k.Get(StatusKey) != "" })
}

func TestDashboardSamples(t *testing.T) {
	cases := []struct {
		kind event.Kind
		data string
		want string
	}{
		{event.KindCommit, `{"repo":"did:plc:a","ops":[{"action":"create","path":"app.bsky.feed.like/1","cid":"c","record":{"did":"no"}},{"action":"delete","path":"x.y.z/2"}]}`,
			`{"type":"#commit","lexicon":"app.bsky.feed.like","did":"did:plc:a","action":"create","timestamp":"03:04:05"}`},
		{event.KindCommit, `{"repo":"did:plc:a","ops":[]}`, ``},
		{event.KindIdentity, `{"did":"did:plc:b","handle":"cat.example"}`,
			`{"type":"#identity","lexicon":"com.atproto.identity","did":"did:plc:b","action":"→ cat.example","timestamp":"03:04:05"}`},
		{event.KindIdentity, `{"did":"did:plc:b","handle":null}`,
			`{"type":"#identity","lexicon":"com.atproto.identity","did":"did:plc:b","action":"update","timestamp":"03:04:05"}`},
		{event.KindAccount, `{"did":"did:plc:c","active":false,"status":"deleted"}`,
			`{"type":"#account","lexicon":"com.atproto.account","did":"did:plc:c","action":"inactive","timestamp":"03:04:05"}`},
		{event.KindAccount, `{"did":"did:plc:c","active":true}`,
			`{"type":"#account","lexicon":"com.atproto.account","did":"did:plc:c","action":"active","timestamp":"03:04:05"}`},
		{event.KindSync, `{"did":"did:plc:c"}`, ``},
		{event.KindCommit, `[]`, ``},
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range cases {
		b, ok := describe(sample{kind: c.kind, data: []byte(c.data), at: at})
		got := ""
		if ok {
			got = string(plainJSON(b))
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.data, got, c.want)
		}
	}
}

func TestDashboardBroadcastsAndRecents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := testkit.New(t, server)
		sub := k.Client.Subscribe(k.Ctx(), Broadcasts)
		defer sub.Close()
		if _, err := sub.Receive(k.Ctx()); err != nil {
			t.Fatal(err)
		}
		b := newBoard(k, func(c *Config) { c.Rate = 200 })
		heard := 0
		for i := 0; heard < 60; i++ {
			e := &event.Batch{}
			e.Reset(storetest.Live)
			for n := range 20 {
				e.Add(event.Seq(i*20+n+1), event.KindAccount, fmt.Appendf(nil, `{"did":"did:plc:%d","active":true}`, i*20+n+1))
			}
			b.Stored(e, event.Receipt{Cursor: e.Upto})
			select {
			case m := <-sub.Channel():
				heard++
				if !strings.Contains(m.Payload, `"type":"#account"`) {
					t.Fatalf("broadcast %s", m.Payload)
				}
			case <-time.After(10 * time.Millisecond):
			}
		}
		var recent []map[string]string
		storetest.Eventually(t, "50 recent events", func() bool {
			recent = nil
			text := k.Get(RecentKey)
			return text != "" && json.Unmarshal([]byte(text), &recent) == nil && len(recent) == recentCount
		})
		for i := 1; i < len(recent); i++ {
			var newer, older int
			fmt.Sscanf(recent[i-1]["did"], "did:plc:%d", &newer)
			fmt.Sscanf(recent[i]["did"], "did:plc:%d", &older)
			if newer <= older {
				t.Fatalf("not newest first: %v", recent)
			}
		}
		if ttl := k.Client.PTTL(k.Ctx(), RecentKey).Val(); ttl <= 0 || ttl > 10*time.Second {
			t.Fatalf("recents live for %s", ttl)
		}
	})
}

func TestDashboardForeignWriter(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := testkit.New(t, server)
		k.Set(StatusKey, `{"connected":true,"url":"wss://bsky.network","currentCursor":"1"}`) // left by the bridge
		b := newBoard(k)
		storetest.Eventually(t, "our status", func() bool { return strings.Contains(k.Get(StatusKey), "fhctl/test") })
		k.Set(StatusKey, `{"connected":true,"writer":"fhctl/other"}`)
		storetest.Eventually(t, "our status", func() bool { return strings.Contains(k.Get(StatusKey), "fhctl/test") })
		if b.alarmed() != 0 {
			t.Fatal("alarmed by a leftover or by another fhctl")
		}
		k.Set(StatusKey, `{"connected":true,"url":"wss://bsky.network","currentCursor":"2"}`)
		storetest.Eventually(t, "an alarm", func() bool { return b.alarmed() == 1 })
	})
}

// A foreign writer and fhctl overwrite each other's status by turns. That is told
// once, and again when another foreign writer takes its place (contract §4).
func TestDashboardForeignWriterIsToldOnce(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, redistest.Start(t))
	present := make(chan bool, 16)
	b := newBoard(k, func(c *Config) { c.Foreign = func(p bool) { present <- p } })
	ours := func() {
		t.Helper()
		b.tell()
		storetest.Eventually(t, "our status", func() bool { return strings.Contains(k.Get(StatusKey), "fhctl/test") })
	}
	ours()
	for i := range 5 {
		k.Set(StatusKey, fmt.Sprintf(`{"connected":true,"url":"wss://bsky.network","currentCursor":"%d"}`, 100+i))
		ours()
		ours() // ours stands for a while
	}
	if n := b.alarmed(); n != 1 {
		t.Fatalf("%d alarms about one foreign writer, want 1", n)
	}
	if !<-present || len(present) != 0 {
		t.Fatal("Foreign was not called exactly once, with true")
	}
	k.Set(StatusKey, `{"connected":true,"url":"wss://other.example","currentCursor":"7"}`)
	ours()
	storetest.Eventually(t, "a second alarm, about another foreign writer", func() bool { return b.alarmed() == 2 })
}

// The cursor that becomes known with the first stored event is a change, and is
// written at once and not with the next turn of the timer (contract §5).
func TestDashboardShowsTheFirstCursorAtOnce(t *testing.T) {
	d, err := New(Config{})
	storetest.Must(t, err)
	defer d.client.Close()
	for seq, want := range []int{0, 1, 0} {
		if seq > 0 {
			d.Stored(storetest.Batch(storetest.Live, event.Seq(seq)), event.Receipt{Cursor: event.Seq(seq)})
		}
		if n := len(d.changed); n != want {
			t.Fatalf("after %d stored events %d statuses are due, want %d", seq, n, want)
		}
		if len(d.changed) > 0 {
			<-d.changed
		}
	}
}

// TestDashboardNeverDisturbs: with Redis stalled, callers are not held up and
// Run ends in time.
func TestDashboardNeverDisturbs(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, redistest.Start(t))
	proxy := redistest.NewProxy(t, k.Server.Addr())
	b := newBoard(k, func(c *Config) { c.URL = proxy.URL() })
	storetest.Eventually(t, "a status", func() bool { return k.Get(StatusKey) != "" })
	proxy.Stall(true)
	for i := range 1000 {
		b.Link(event.Link{State: event.LinkState(i % 3)})
		b.Stored(storetest.Batch(storetest.Live, 1), event.Receipt{Cursor: 1})
	}
	stopped := make(chan struct{})
	go func() { b.stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(9 * time.Second): // G6 allows the whole process 10 s
		t.Fatal("Run does not end")
	}
}

// A stop has ten seconds in all (G6): a Redis that hangs costs the dashboard no
// more than its last words, whatever it was writing.
func TestDashboardStopsWithinTwoSecondsWhileRedisHangs(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	k := testkit.New(t, redistest.Start(t))
	d := newBoard(k)
	storetest.Eventually(t, "the first status", func() bool { return k.Get(StatusKey) != "" })
	k.Server.Pause()
	defer k.Server.Continue()
	d.Link(event.Link{State: event.LinkUp}) // a status that waits for Redis
	time.Sleep(200 * time.Millisecond)
	began := time.Now()
	d.stop()
	if took := time.Since(began); took > lastWords+500*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
}

// A stop interrupts what is being written. That is no trouble with Redis: nothing is
// logged, and the last words go through a connection that nothing was cut off on.
func TestDashboardStopIsNoOutage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := testkit.New(t, server)
		arrived, release := make(chan struct{}), make(chan struct{})
		man := redistest.NewMiddleman(t, server.Addr(), func(command []string) string {
			if command[0] == "SETEX" && strings.Contains(fmt.Sprint(command), `"connected":true`) {
				close(arrived)
				<-release
			}
			return ""
		})
		d := newBoard(k, func(c *Config) { c.URL = man.URL() })
		d.Link(event.Link{State: event.LinkUp})
		<-arrived
		d.stop()
		got := k.Get(StatusKey)
		close(release)
		if !strings.Contains(got, `"stopped":true`) {
			t.Errorf("last words: %s", got)
		}
		if log := k.Logged.String(); strings.Contains(log, "Dashboard keys") {
			t.Errorf("log:\n%s", log)
		}
	})
}
