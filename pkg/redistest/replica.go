package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
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
	s := Start(t, append([]string{"--replicaof", host, port, "--repl-timeout", "5"}, args...)...)
	s.WaitInfo("replication", "master_link_status:up")
	return s
}

// Promote makes a replica a primary, as an operator would.
func (s *Server) Promote() {
	s.t.Helper()
	s.Do("replicaof", "no", "one")
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

// FreePort is a loopback port that nothing listened on a moment ago.
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
