package redistest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestServerLives(t *testing.T) {
	Each(t, func(t *testing.T, s *Server) {
		if got := s.Do("set", "k", "v"); got != "OK" {
			t.Fatalf("set: %v", got)
		}
		if got := s.Client().Get(t.Context(), "k").Val(); got != "v" {
			t.Fatalf("get: %q", got)
		}
	})
}

func TestServerDiesAndReturns(t *testing.T) {
	RequireReal(t)
	s := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s.Do("set", "k", "v")
	addr, pid := s.Addr(), s.cmd.Process.Pid
	s.Kill()
	if !gone(pid) {
		t.Fatalf("process %d lives after Kill", pid)
	}
	s.Restart()
	if got := s.Do("get", "k"); got != "v" || s.Addr() != addr {
		t.Fatalf("after a restart: %v at %s", got, s.Addr())
	}
	s.Stop()
	s.Restart()
	if got := s.Do("get", "k"); got != "v" {
		t.Fatalf("after an orderly stop: %v", got)
	}
}

func TestServerPauses(t *testing.T) {
	RequireReal(t)
	s := Start(t)
	client := s.Client()
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	quick := redis.NewClient(&redis.Options{Addr: s.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
	defer quick.Close()
	if err := quick.Ping(ctx).Err(); err == nil {
		t.Fatal("a paused server answers")
	}
	s.Continue()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestServerIsReapedWithTheTest(t *testing.T) {
	RequireReal(t)
	pid := 0
	t.Run("inner", func(t *testing.T) {
		s := Start(t)
		s.Pause() // even then
		pid = s.cmd.Process.Pid
	})
	if !gone(pid) {
		t.Fatalf("process %d lives after its test", pid)
	}
}

func TestProxyMisbehaves(t *testing.T) {
	s := StartEmbedded(t)
	p := NewProxy(t, s.Addr())
	client := redis.NewClient(&redis.Options{Addr: p.Addr(), MaxRetries: -1, PoolSize: 1, DialerRetries: 1, ReadTimeout: 100 * time.Millisecond})
	defer client.Close()
	ctx := t.Context()
	if err := client.Incr(ctx, "n").Err(); err != nil {
		t.Fatal(err)
	}
	p.LoseReplies(1)
	if err := client.Incr(ctx, "n").Err(); err == nil {
		t.Fatal("a lost reply arrived")
	}
	if got := s.Do("get", "n"); got != "2" || p.Lost() != 0 {
		t.Fatalf("n is %v: the command was not applied once", got)
	}
	p.Stall(true)
	if err := client.Incr(ctx, "n").Err(); err == nil {
		t.Fatal("a stalled reply arrived")
	}
	p.Stall(false)
	p.Refuse(true)
	p.Cut()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Fatal("a refused connection answers")
	}
	p.Refuse(false)
	if err := client.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestProxyHoldsFreezesAndTears(t *testing.T) {
	s := StartEmbedded(t)
	other := StartEmbedded(t)
	p := NewProxy(t, s.Addr())
	client := redis.NewClient(&redis.Options{Addr: p.Addr(), MaxRetries: -1, PoolSize: 1, DialerRetries: 1, ReadTimeout: 100 * time.Millisecond})
	defer client.Close()
	ctx := t.Context()
	fails := func(what string) {
		t.Helper()
		if err := client.Incr(ctx, "n").Err(); err == nil {
			t.Fatalf("%s: the reply arrived", what)
		}
	}
	if err := client.Incr(ctx, "n").Err(); err != nil {
		t.Fatal(err)
	}
	p.HoldReplies(true)
	fails("held")
	if got := s.Do("get", "n"); got != "2" {
		t.Fatalf("n is %v: the command was not applied", got)
	}
	p.HoldReplies(false)
	if err := client.Incr(ctx, "n").Err(); err != nil {
		t.Fatal(err)
	}
	p.Freeze()
	fails("frozen")
	if err := client.Ping(ctx).Err(); err != nil {
		t.Fatalf("a new connection after the freeze: %v", err)
	}
	p.Meddle(func(replies bool, n int) Fate { return Fate{Cut: replies, Keep: n / 2} })
	fails("torn")
	p.Meddle(nil)
	p.Forward(other.Addr())
	p.Cut()
	_ = client.Ping(ctx).Err() // finds its connection cut
	if err := client.Set(ctx, "there", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := other.Do("get", "there"); got != "1" {
		t.Fatalf("the other server holds %v", got)
	}
}

func TestReplicaIsPromoted(t *testing.T) {
	RequireReal(t)
	primary := Start(t)
	primary.Do("set", "k", "v")
	replica := StartReplica(t, primary.Addr())
	if got := replica.Do("get", "k"); got != "v" {
		t.Fatalf("the replica holds %v", got)
	}
	replica.Promote()
	replica.Do("set", "k", "w")
}

// What Redis leaves of a torn transaction at one restart it would run at the next;
// a test that kills servers must not count that as its own duplicate.
func TestRestartRewritesATornFile(t *testing.T) {
	RequireReal(t)
	s := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	push := func(what string) {
		s.Do("eval", "for i = 1, 3 do redis.call('RPUSH', 'l', ARGV[1] .. i) end", 0, what)
	}
	push("a")
	push("b")
	s.Kill()
	info, err := os.Stat(s.AOF())
	if err != nil {
		t.Fatal(err)
	}
	const commit = len("*1\r\n$4\r\nEXEC\r\n")
	if err := os.Truncate(s.AOF(), info.Size()-int64(commit)-3); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	push("c")
	s.Restart()
	if got := fmt.Sprint(s.Do("lrange", "l", 0, -1)); got != "[a1 a2 a3 c1 c2 c3]" {
		t.Errorf("after two restarts the list is %s", got)
	}
}
