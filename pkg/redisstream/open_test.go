package redisstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

func TestOpenWaitsForRedis(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		proxy := redistest.NewProxy(t, server.Addr())
		proxy.Refuse(true)
		opened := make(chan error, 1)
		go func() {
			w, err := Open(k.Ctx(), k.config(func(c *Config) { c.URL = proxy.URL() }))
			if err == nil {
				err = w.Close()
			}
			opened <- err
		}()
		storetest.Eventually(t, "a third attempt", func() bool { return len(k.told()) >= 3 })
		proxy.Refuse(false)
		storetest.Must(t, <-opened)
		if told := k.told(); !told[len(told)-1].Up || !strings.Contains(k.Logged.String(), "Redis is not available") {
			t.Fatalf("told %+v, log:\n%s", told, k.Logged)
		}
	})
}

func TestOpenUnreachable(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, Config{Connection: conn.Connection{URL: "redis://u:canary-5ecret@127.0.0.1:1"}})
	storetest.WantErr(t, err, fault.Unreachable)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("open: %v", err)
	}
	storetest.NoCanary(t, "canary-5ecret", err)
}

func TestOpenRefuses(t *testing.T) {
	redistest.RequireReal(t)
	cases := []struct {
		name  string
		args  []string
		spoil func(k *kit)
		class fault.Class
		word  string
	}{
		{"replica", []string{"--replicaof", "127.0.0.1 1"}, nil, fault.Usage, "replica"},
		{"eviction", []string{"--maxmemory-policy", "allkeys-lru"}, nil, fault.Usage, "allkeys-lru"},
		{"stream is a list", nil, func(k *kit) { k.Do("rpush", keyspace.DefaultStream, "x") }, fault.Data, keyspace.DefaultStream},
		{"cursor is a hash", nil, func(k *kit) { k.Do("hset", keyspace.DefaultCursor, "a", "b") }, fault.Data, keyspace.DefaultCursor},
		{"side key is a set", nil, func(k *kit) { k.Do("sadd", keyspace.DefaultCursor+":meta", "x") }, fault.Data, keyspace.DefaultCursor + ":meta"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, redistest.Start(t, c.args...))
			if c.spoil != nil {
				c.spoil(k)
			}
			_, err := Open(k.Ctx(), k.config())
			storetest.WantErr(t, err, c.class)
			if !strings.Contains(err.Error(), c.word) {
				t.Fatalf("error does not say %q: %v", c.word, err)
			}
		})
	}
}

func TestOpenAllowsEvictionWhenTold(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t, "--maxmemory-policy", "allkeys-lru"))
	k.open(func(c *Config) { c.AllowEviction = true })
	if !strings.Contains(k.Logged.String(), "may evict") {
		t.Fatalf("no warning:\n%s", k.Logged)
	}
}

// Keys without a time to live, as stream and cursor, are not evicted under the policies
// of managed services, where CONFIG is barred.
func TestOpenWarnsOfVolatileEviction(t *testing.T) {
	redistest.RequireReal(t)
	for _, policy := range []string{"volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, redistest.Start(t, "--maxmemory-policy", policy, "--appendonly", "yes", "--rename-command", "CONFIG", ""))
			w, _ := k.open()
			if log := k.Logged.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "stream and cursor do not expire") {
				t.Errorf("log:\n%s", log)
			}
			k.must(w, storetest.Batch(storetest.Live, 1))
		})
	}
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, redistest.Start(t, "--maxmemory-policy", policy))
			_, err := Open(k.Ctx(), k.config())
			storetest.WantErr(t, err, fault.Usage)
			if hint := fault.HintOf(err); !strings.Contains(hint, fault.To("allow-eviction", "")) {
				t.Errorf("hint: %s", hint)
			}
		})
	}
}

func TestOpenWarnsAboutPersistence(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.open()
	if !strings.Contains(k.Logged.String(), "append-only") {
		t.Fatalf("no warning:\n%s", k.Logged)
	}
	quiet := newKit(t, redistest.Start(t, "--appendonly", "yes"))
	quiet.open()
	if text := quiet.Logged.String(); text != "" {
		t.Fatalf("warned for nothing:\n%s", text)
	}
}

func TestOpenProbesLeaveNothing(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		k.open()
		if n := k.Client.DBSize(k.Ctx()).Val(); n != 0 {
			t.Fatalf("%d keys", n)
		}
		w, _ := k.open()
		k.must(w, storetest.Batch(storetest.Live, 1))
		k.open()
		k.want(1, 1)
		if side := k.side(); side != sideAt(1, 1, 0) {
			t.Fatalf("side key is %s", side)
		}
	})
}

func TestOpenEmbeddedWarnsNothing(t *testing.T) {
	k := newKit(t, redistest.StartEmbedded(t))
	k.open()
	if text := k.Logged.String(); text != "" {
		t.Fatalf("log:\n%s", text)
	}
}

func TestOpenClusterNeedsOneSlot(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cfg := Config{Connection: conn.Connection{URL: "redis-cluster://127.0.0.1:1"}}
	_, err := Open(ctx, cfg)
	storetest.WantErr(t, err, fault.Usage)
	if !strings.Contains(fault.HintOf(err), "{firehose:events}:cursor") {
		t.Fatalf("hint: %s", fault.HintOf(err))
	}
	cfg.CursorKey = "{firehose:events}:cursor"
	_, err = Open(ctx, cfg)
	storetest.WantErr(t, err, fault.Unreachable)
}

// TestClusterOneNode: the script, its keys and the redirections of a real, if
// small, cluster.
func TestClusterOneNode(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t, "--cluster-enabled", "yes"))
	cluster := func(c *Config) {
		c.URL = "redis-cluster://" + k.Server.Addr()
		c.CursorKey = "{firehose:events}:cursor"
	}
	opened := make(chan *Writer, 1)
	go func() {
		w, err := Open(k.Ctx(), k.config(cluster))
		if err != nil {
			t.Error(err)
		}
		opened <- w
	}()
	k.Do("cluster", "addslotsrange", 0, 16383) // until then CLUSTERDOWN
	w := <-opened
	if t.Failed() {
		return
	}
	defer w.Close()
	_, err := w.Resume(k.Ctx())
	storetest.Must(t, err)
	k.must(w, storetest.Batch(storetest.Live, 1, 2), storetest.Batch(event.AfterSeq(2), 3))
	k.Do("script", "flush")
	k.must(w, storetest.Batch(event.AfterSeq(3), 4))
	k.wantRun(1, 4)
	if got := k.Get("{firehose:events}:cursor"); got != "4" {
		t.Fatalf("cursor %s", got)
	}
}
