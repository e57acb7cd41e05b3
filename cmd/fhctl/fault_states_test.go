package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Fault table, server states: under each nothing is applied, the program waits
// and says why, and goes on when it ends.
func TestServerStatesAreWaitedFor(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(100)
	for _, state := range []struct {
		cause      string
		begin, end func(*trial)
		mute       bool // the server answers nobody
	}{
		{"readonly", do("replicaof", "127.0.0.1", "1"), do("replicaof", "no", "one"), false},
		{"masterdown", func(tr *trial) {
			tr.server.Do("config", "set", "replica-serve-stale-data", "no")
			tr.server.Do("replicaof", "127.0.0.1", "1")
		}, do("replicaof", "no", "one"), true},
		{"noreplicas", do("config", "set", "min-replicas-to-write", "1"), do("config", "set", "min-replicas-to-write", "0"), false},
		{"misconf", failSnapshot, do("config", "set", "stop-writes-on-bgsave-error", "no"), false},
		{"oom", do("config", "set", "maxmemory", "1mb"), do("config", "set", "maxmemory", "0"), false},
		{"busy", func(tr *trial) {
			tr.server.Do("config", "set", "busy-reply-threshold", "1")
			other := tr.server.Client()
			go other.Eval(context.Background(), "while true do end", nil)
			eventually(tr.T, time.Minute, func() error {
				if err := tr.server.Client().Ping(tr.Context()).Err(); err != nil {
					return nil
				}
				return context.DeadlineExceeded
			})
		}, func(tr *trial) { tr.server.Client().ScriptKill(tr.Context()) }, true},
	} {
		before := tr.now()
		state.begin(tr)
		tr.open(100)
		tr.failed(state.cause)
		if !state.mute {
			tr.check(tr.T, tr.server.Client(), before)
		}
		state.end(tr)
		tr.stored()
	}
	tr.p.says("Redis is available again", time.Minute)
	tr.finish()
}

func do(args ...any) func(*trial) { return func(tr *trial) { tr.server.Do(args...) } }

// failSnapshot makes saving fail, as a full disk does: its file is a directory.
func failSnapshot(tr *trial) {
	name := filepath.Join(tr.server.Dir(), "dump.rdb")
	if err := os.MkdirAll(filepath.Join(name, "x"), 0o700); err != nil {
		tr.Fatal(err)
	}
	tr.server.Do("config", "set", "save", "3600 1000000")
	tr.server.Client().BgSave(tr.Context())
	tr.server.WaitInfo("persistence", "rdb_last_bgsave_status:err")
}

// Fault table, LOADING: a server that reads its files in again is waited for.
func TestLoadingIsWaitedFor(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--save", "3600 1000000", "--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024")
	pipe := tr.server.Client().Pipeline()
	for i := range 3000 {
		pipe.Set(tr.Context(), "other:"+time.Duration(i).String(), strings.Repeat("x", 100), 0)
	}
	if _, err := pipe.Exec(tr.Context()); err != nil {
		tr.Fatal(err)
	}
	tr.run()
	tr.flow(100)
	tr.server.Do("config", "set", "key-load-delay", "300")
	other := tr.server.Client()
	go other.Do(context.Background(), "debug", "reload") // answers once all is loaded
	eventually(tr.T, time.Minute, func() error {
		if reply := tr.server.Client().Get(tr.Context(), "x").Err(); reply != nil && contains(reply.Error(), "LOADING") {
			return nil
		}
		return context.DeadlineExceeded
	})
	tr.open(100)
	tr.failed("loading")
	tr.stored()
	tr.finish()
}

// Fault table, OOM: the limit is reached while the stream grows.
func TestMemoryLimitIsWaitedFor(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.run()
	tr.flow(200)
	_, text, _ := strings.Cut(tr.server.Client().Info(tr.Context(), "memory").Val(), "used_memory:")
	var used int
	if _, err := fmt.Sscan(text, &used); err != nil {
		tr.Fatal(err)
	}
	tr.server.Do("config", "set", "maxmemory", used+400_000)
	tr.open(1500)
	tr.failed("oom")
	tr.server.Do("config", "set", "maxmemory", "0")
	tr.stored()
	tr.finish()
}

// Fault table, disk full: MISCONF from an append-only file that cannot grow.
func TestDiskFullIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir, grow := smallDisk(t)
	tr := newTrial(t, "--dir", dir, "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
	tr.run()
	tr.flow(20)
	tr.open(2500)
	tr.failed("misconf")
	grow()
	tr.stored()
	tr.finish()
	tr.server.Kill()
	tr.server.Restart()
	tr.sound()
}

// Fault table, SCRIPT FLUSH and an orderly restart: nobody notices but the log.
func TestScriptFlushAndRestartAreTransparent(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--appendonly", "yes")
	tr.run()
	tr.flow(100)
	for range 3 {
		tr.server.Do("script", "flush")
		tr.flow(100)
		tr.server.Stop()
		tr.open(100)
		tr.failed("connection")
		tr.server.Restart()
		tr.stored()
	}
	tr.finish()
}
