package redistest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// StartReplica runs a replica of the server at addr, host:port, which may be a
// Proxy's, and waits until it holds what that server holds. Promote makes it a
// primary.
func StartReplica(t testing.TB, addr string, args ...string) *Server {
	t.Helper()
	RequireReal(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	s := Start(t, append(args[:len(args):len(args)], "--repl-timeout", "5", "--replicaof", host, port)...)
	s.WaitInfo("replication", "master_link_status:up")
	return s
}

// Promote makes a replica a primary, as an operator would, for good.
func (s *Server) Promote() {
	s.t.Helper()
	s.Do("replicaof", "no", "one")
	if at := slices.Index(s.args, "--replicaof"); at >= 0 {
		s.args = s.args[:at]
	}
}

// WaitInfo waits until a section of INFO holds the text.
func (s *Server) WaitInfo(section, text string) {
	s.t.Helper()
	var info any
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if info = s.Do("info", section); strings.Contains(fmt.Sprint(info), text) {
			return
		}
	}
	s.t.Fatalf("redistest: INFO %s does not say %s:\n%v", section, text, info)
}

// FreePort is a loopback port for a server of the test's own; on Linux nobody
// else gets it until the test ends.
func FreePort(t testing.TB) string {
	t.Helper()
	return strconv.Itoa(freePort(t))
}

// StartSentinel runs a Sentinel that watches one primary under a name, with a
// quorum of one, and returns its host:port. It holds a primary for dead after half
// a second.
func StartSentinel(t testing.TB, name, host, port string) string {
	t.Helper()
	RequireReal(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %s %s %s 1\nsentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 5000\n", name, host, port, name, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	s := &Server{t: t, dir: dir, config: file, args: []string{"--sentinel"}, port: freePort(t)}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	if !s.launch() {
		t.Fatalf("redistest: sentinel does not start:\n%s", s.Log())
	}
	return s.Addr()
}

// SentinelKnows is nil once the Sentinel has found the replica, so that it can
// promote it.
func SentinelKnows(ctx context.Context, sentinel, name string, replica *Server) error {
	client := redis.NewSentinelClient(&redis.Options{Addr: sentinel})
	defer func() { _ = client.Close() }()
	list, err := client.Replicas(ctx, name).Result()
	if err != nil {
		return fmt.Errorf("ask sentinel: %w", err)
	}
	for _, r := range list {
		if r["port"] == strconv.Itoa(replica.port) && r["master-link-status"] == "ok" {
			return nil
		}
	}
	return fmt.Errorf("sentinel knows %v, want a replica on port %d", list, replica.port)
}

// CutAOF shortens the newest append-only file to a part of its length, as a
// power cut may; the server must not be running.
func (s *Server) CutAOF(part float64) {
	s.t.Helper()
	file := s.AOF()
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, int64(part*float64(info.Size())))
	}
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
}

// RewriteAOF writes the append-only file anew, without what a cut left at its
// end: Redis 7.0 leaves the beginning of a torn transaction there, and would run
// it at the next start.
func (s *Server) RewriteAOF() {
	s.t.Helper()
	s.Do("bgrewriteaof")
	s.WaitInfo("persistence", "aof_rewrite_in_progress:0")
	s.WaitInfo("persistence", "aof_last_bgrewrite_status:ok")
}

// AOF is the file that a server started with --appendonly appends to.
func (s *Server) AOF() string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("redistest: no append-only file in %s (%v)", s.dir, err)
	}
	// Their numbers rise: 10 is newer than 9.
	return slices.MaxFunc(files, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
}
