package redisstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// later runs a commit in the background.
func (k *kit) later(w *Writer, batches ...*event.Batch) <-chan error {
	done := make(chan error, 1)
	ctx := k.Ctx()
	go func() {
		_, err := w.Commit(ctx, batches)
		done <- err
	}()
	return done
}

// waits checks that a commit is told to be waiting for cause, then ends the
// cause and expects the commit to succeed and observers to hear of it.
func (k *kit) waits(done <-chan error, cause string, end func()) {
	k.T.Helper()
	storetest.Eventually(k.T, "a store event with cause "+cause, func() bool {
		for _, s := range k.told() {
			if !s.Up && s.Cause == cause {
				return true
			}
		}
		select {
		case err := <-done:
			k.T.Fatalf("commit ended with %v instead of waiting", err)
		default:
		}
		return false
	})
	end()
	if err := <-done; err != nil {
		k.T.Fatalf("commit: %v", err)
	}
	if told := k.told(); !told[len(told)-1].Up {
		k.T.Fatalf("observers did not hear that Redis is back: %+v", told)
	}
}

func TestFaultReplyLost(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"start", "later", "jump"} {
		t.Run(first, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, server *redistest.Server) {
				k := newKit(t, server)
				proxy := redistest.NewProxy(t, server.Addr())
				k.Do("script", "load", appendText(t)) // or NOSCRIPT is what gets lost
				at, seq := storetest.Live, event.Seq(1)
				if first != "start" {
					w, _ := k.open()
					k.must(w, storetest.Run(storetest.Live, 1, 5))
					at, seq = event.AfterSeq(5), 6
				}
				through := func(c *Config) { c.URL = proxy.URL() }
				if first == "jump" {
					at = storetest.Live
					through = func(c *Config) { c.URL, c.From = proxy.URL(), From{Requested: true} }
				}
				w, _ := k.open(through)
				for range 3 {
					proxy.LoseReplies(1)
					got := k.must(w, storetest.Run(at, seq, seq+9), storetest.Run(event.AfterSeq(seq+9), seq+10, seq+19))
					if got[0].Present != 10 {
						t.Fatalf("receipts %+v", got)
					}
					at, seq = event.AfterSeq(seq+19), seq+20
				}
				k.wantRun(1, seq-1)
			})
		})
	}
}

func TestFaultConnectionCutAndStalled(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		proxy := redistest.NewProxy(t, server.Addr())
		w, _ := k.open(func(c *Config) { c.URL, c.CommandTimeout = proxy.URL(), 100*time.Millisecond })
		k.must(w, storetest.Batch(storetest.Live, 1))
		proxy.Refuse(true)
		proxy.Cut()
		k.waits(k.later(w, storetest.Batch(event.AfterSeq(1), 2)), "connection", func() { proxy.Refuse(false) })
		proxy.Stall(true)
		k.waits(k.later(w, storetest.Batch(event.AfterSeq(2), 3)), "timeout", func() { proxy.Stall(false) })
		k.wantRun(1, 3)
	})
}

func TestFaultContextEnds(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		k := newKit(t, server)
		proxy := redistest.NewProxy(t, server.Addr())
		w, _ := k.open(func(c *Config) { c.URL = proxy.URL() })
		k.must(w, storetest.Batch(storetest.Live, 1))
		proxy.Stall(true)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			_, err := w.Commit(ctx, []*event.Batch{storetest.Batch(event.AfterSeq(1), 2)})
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("commit: %v", err)
		}
	})
}

func TestFaultServerStates(t *testing.T) {
	redistest.RequireReal(t)
	cases := []struct {
		cause      string
		begin, end func(k *kit)
	}{
		{"oom", func(k *kit) { k.Do("config", "set", "maxmemory", "1mb") }, func(k *kit) { k.Do("config", "set", "maxmemory", "0") }},
		{"readonly", func(k *kit) { k.Do("replicaof", "127.0.0.1", "1") }, func(k *kit) { k.Do("replicaof", "no", "one") }},
		{"masterdown", func(k *kit) {
			k.Do("config", "set", "replica-serve-stale-data", "no")
			k.Do("replicaof", "127.0.0.1", "1")
		}, func(k *kit) { k.Do("replicaof", "no", "one") }},
		{"noreplicas", func(k *kit) { k.Do("config", "set", "min-replicas-to-write", "1") }, func(k *kit) { k.Do("config", "set", "min-replicas-to-write", "0") }},
		{"misconf", func(k *kit) {
			// A snapshot that cannot be written: its name is a directory.
			storetest.Must(k.T, os.Mkdir(filepath.Join(k.Server.Dir(), "dump.rdb"), 0o700))
			storetest.Must(k.T, os.WriteFile(filepath.Join(k.Server.Dir(), "dump.rdb", "x"), nil, 0o600))
			k.Do("config", "set", "save", "3600 1000000")
			k.Client.Do(k.Ctx(), "bgsave")
			storetest.Eventually(k.T, "a failed snapshot", func() bool {
				return strings.Contains(k.Client.Info(k.Ctx(), "persistence").Val(), "rdb_last_bgsave_status:err")
			})
		}, func(k *kit) { k.Do("config", "set", "stop-writes-on-bgsave-error", "no") }},
		{"busy", func(k *kit) {
			k.Do("config", "set", "busy-reply-threshold", "1")
			other := k.Server.Client()
			go other.Eval(context.Background(), "while true do end", nil)
			storetest.Eventually(k.T, "a busy server", func() bool { return k.Client.Ping(k.Ctx()).Err() != nil })
		}, func(k *kit) { k.Do("script", "kill") }},
	}
	for _, c := range cases {
		t.Run(c.cause, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, redistest.Start(t))
			w, _ := k.open()
			k.must(w, storetest.Batch(storetest.Live, 1))
			c.begin(k)
			done := k.later(w, storetest.Batch(event.AfterSeq(1), 2), storetest.Batch(event.AfterSeq(2), 3))
			k.waits(done, c.cause, func() { c.end(k) })
			k.want(3, 1, 2, 3)
			if told := k.told(); told[0].Up || told[0].Err == nil || told[0].Attempt != 1 {
				t.Fatalf("observers first heard %+v", told[0])
			}
			if n := strings.Count(k.Logged.String(), "not available; waiting"); n != 1 {
				t.Fatalf("logged %d times:\n%s", n, k.Logged)
			}
		})
	}
}

func TestFaultKilledWithDataLost(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t, "--save", "3600 1000000"))
	w, _ := k.open()
	k.must(w, storetest.Run(storetest.Live, 1, 100))
	k.Do("save")
	k.must(w, storetest.Run(event.AfterSeq(100), 101, 200))
	done := k.later(w) // nothing: only to show that an empty commit is fine
	storetest.Must(t, <-done)
	k.Server.Kill()
	done = k.later(w, storetest.Run(event.AfterSeq(200), 201, 210))
	k.Server.Restart()
	err := <-done
	var moved *event.Moved
	if !errors.As(err, &moved) || moved.Alarm != event.AlarmRollback || moved.To != event.AfterSeq(100) {
		t.Fatalf("commit: %v", err)
	}
	k.must(w, storetest.Run(event.AfterSeq(100), 101, 210))
	k.wantRun(1, 210)
}

func TestFaultKilledWithEverythingLost(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	w, _ := k.open()
	k.must(w, storetest.Run(storetest.Live, 11, 100))
	k.Server.Restart()
	k.moved(w, event.AlarmCursorMissing, event.AfterSeq(10), storetest.Run(event.AfterSeq(100), 101, 110))
	k.must(w, storetest.Run(event.AfterSeq(10), 11, 110))
	k.wantRun(11, 110)
}

// TestFaultKilledAgainAndAgain: with an append-only file that is synced always,
// nothing is lost and nothing repeated, whenever the server dies.
func TestFaultKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"))
	w, _ := k.open(func(c *Config) { c.MaxLen = 0 })
	const last, every = 4000, 500
	done, due := make(chan error, 1), make(chan struct{}, last/every)
	ctx := k.Ctx()
	go func() {
		at := storetest.Live
		for seq := event.Seq(1); seq <= last; seq += 40 {
			if seq/every != (seq+40)/every {
				due <- struct{}{} // and goes on meanwhile
			}
			batches := []*event.Batch{storetest.Run(at, seq, seq+19), storetest.Run(event.AfterSeq(seq+19), seq+20, seq+39)}
			if _, err := w.Commit(ctx, batches); err != nil {
				close(due)
				done <- err
				return
			}
			at = event.AfterSeq(seq + 39)
		}
		close(due)
		done <- nil
	}()
	for range due {
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // anywhere in an exchange
		k.Server.Restart()
	}
	storetest.Must(t, <-done)
	k.wantRun(1, last)
}

func TestFaultPausedServer(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	w, _ := k.open(func(c *Config) { c.CommandTimeout = 100 * time.Millisecond })
	k.must(w, storetest.Batch(storetest.Live, 1))
	k.Server.Pause()
	k.waits(k.later(w, storetest.Batch(event.AfterSeq(1), 2), storetest.Batch(event.AfterSeq(2), 3)), "timeout", k.Server.Continue)
	k.want(3, 1, 2, 3)
}

// rights is what the documented Redis user has for ingest, in ACL words; what it
// has besides is for commands that look.
const rights = "+evalsha +eval +get +set +xadd +xtrim +xlen +xinfo +xpending +xrange +xrevrange +setex +publish +ping +hello +info +client|setname"

func (k *kit) asUser(name, password string) func(*Config) {
	return func(c *Config) { c.URL = fmt.Sprintf("redis://%s:%s@%s", name, password, k.Server.Addr()) }
}

func TestRightsDocumentedUserSuffices(t *testing.T) {
	redistest.RequireReal(t)
	page, err := os.ReadFile("../../docs/deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(strings.Fields(strings.NewReplacer("\\\n", "", "'", "").Replace(string(page))), " "); !strings.Contains(said, rights+" +xread +time +pttl +memory|usage ```") {
		t.Errorf("the user of docs/deploy/README.md has not these rights: %s", rights)
	}
	k := newKit(t, redistest.Start(t))
	k.User("fh", "secret", rights)
	w := k.member("a", k.asUser("fh", "secret"), func(c *Config) { c.MaxLen = 50 })
	k.leads(w)
	k.Do("xgroup", "create", keyspace.DefaultStream, "slow", "0", "mkstream")
	k.must(w, storetest.Run(storetest.Live, 1, 200))
	k.Do("xreadgroup", "group", "slow", "c", "count", 20, "streams", keyspace.DefaultStream, ">")
	got := k.must(w, storetest.Run(event.AfterSeq(200), 201, 500))
	if len(got[0].Trimmed) == 0 {
		t.Fatalf("no trim was counted: %+v", got)
	}
	w.floor = floor.Floor{}
	k.must(w, storetest.Batch(event.AfterSeq(500), 501))
	if !w.floor.Known {
		t.Fatal("groups could not be read")
	}
	storetest.Must(t, w.Rebase(k.Ctx(), 400))
	k.Do("del", keyspace.DefaultCursor)
	k.moved(w, event.AlarmCursorMissing, event.AfterSeq(501), storetest.Batch(event.AfterSeq(400), 401))
	if log := k.Logged.String(); strings.Contains(log, "could not be trimmed") || strings.Contains(log, "unchecked") {
		t.Fatalf("log:\n%s", log)
	}
}

func TestRightsMissingAreRefusedAtStart(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	for _, word := range strings.Fields("evalsha eval get set xadd xtrim xlen xinfo xpending xrange xrevrange ping") {
		t.Run(word, func(t *testing.T) {
			k.T = t
			k.User("fh", "canary-5ecret", strings.Replace(rights, "+"+word+" ", "", 1))
			_, err := Open(k.Ctx(), k.config(k.asUser("fh", "canary-5ecret")))
			storetest.WantErr(t, err, fault.Refused)
			if !strings.Contains(err.Error(), word) {
				t.Fatalf("error does not name the command: %v", err)
			}
			if n := k.Client.Exists(k.Ctx(), keyspace.DefaultStream, keyspace.DefaultCursor, keyspace.DefaultCursor+":meta").Val(); n != 0 {
				t.Fatal("probing left a key")
			}
			storetest.NoCanary(t, "canary-5ecret", err, k.Logged.String())
		})
	}
}

func TestRightsOfKeysAreRefusedAtStart(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.Do("acl", "setuser", "fh", "on", ">pw", "~other:*", "+@all")
	_, err := Open(k.Ctx(), k.config(k.asUser("fh", "pw")))
	storetest.WantErr(t, err, fault.Refused)
}

// TestRightsWithdrawn: an append that is no longer allowed ends the writer, and
// the cursor does not run ahead of the stream.
func TestRightsWithdrawn(t *testing.T) {
	redistest.RequireReal(t)
	for _, word := range []string{"xadd", "set", "evalsha"} {
		t.Run(word, func(t *testing.T) {
			k := newKit(t, redistest.Start(t))
			k.User("fh", "pw", rights)
			w, _ := k.open(k.asUser("fh", "pw"))
			k.must(w, storetest.Batch(storetest.Live, 1))
			k.Do("acl", "setuser", "fh", "-"+word)
			_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Batch(event.AfterSeq(1), 2)})
			storetest.WantErr(t, err, fault.Refused)
			k.want(1, 1)
		})
	}
}

func TestCredentials(t *testing.T) {
	redistest.RequireReal(t)
	k := newKit(t, redistest.Start(t))
	k.User("fh", "right", rights)
	k.Do("acl", "setuser", "default", "nopass", "on")
	closed := newKit(t, redistest.Start(t, "--requirepass", "right"))
	cases := []struct{ name, url string }{
		{"wrong user password", "redis://fh:canary-5ecret@" + k.Server.Addr()},
		{"unknown user", "redis://nobody:canary-5ecret@" + k.Server.Addr()},
		{"wrong password", "redis://:canary-5ecret@" + closed.Server.Addr()},
		{"no password", "redis://" + closed.Server.Addr()},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(k.Ctx(), k.config(func(cfg *Config) { cfg.URL = c.url }))
			storetest.WantErr(t, err, fault.Refused)
			storetest.NoCanary(t, "canary-5ecret", err, k.Logged.String())
		})
	}
	w, err := Open(k.Ctx(), k.config(func(cfg *Config) { cfg.URL = "redis://:right@" + closed.Server.Addr() }))
	storetest.Must(t, err)
	storetest.Must(t, w.Close())
}

// appendText is the append script as a writer sends it.
func appendText(t *testing.T) (all string) {
	t.Helper()
	for _, name := range []string{"common", "retention", "append"} {
		text, err := os.ReadFile("script/lua/" + name + ".lua")
		storetest.Must(t, err)
		all += string(text)
	}
	return all
}
