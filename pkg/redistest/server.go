package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/wait"
)

// patience bounds every wait for a server; it is generous because tests share
// slow machines.
const patience = time.Minute

// Server is one Redis, real or embedded.
type Server struct {
	t        testing.TB
	port     int
	dir      string
	config   string // file; "" runs without one
	args     []string
	cmd      *exec.Cmd
	gone     chan struct{} // closed when cmd has been waited for
	embedded *embedded.Server
}

// Available reports whether tests get a real redis-server.
func Available() bool {
	if os.Getenv("FHCTL_TEST_REDIS") == "embedded" {
		return false
	}
	_, err := exec.LookPath("redis-server")
	return err == nil
}

// RequireReal skips the test when no redis-server is installed.
func RequireReal(t testing.TB) {
	t.Helper()
	if !Available() {
		t.Skip("needs redis-server on PATH: the embedded server has no persistence, ACL, memory limit or replication")
	}
}

// Start runs a redis-server on a free loopback port in a temporary directory,
// without persistence unless args ask for it (for example "--appendonly",
// "yes"). Without redis-server it starts the embedded one and ignores args.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if !Available() {
		return startEmbedded(t)
	}
	s := &Server{t: t, dir: t.TempDir(), args: args}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	for range 5 {
		s.port = freePort(t)
		if s.launch() {
			return s
		}
	}
	t.Fatalf("redistest: redis-server does not start:\n%s", s.Log())
	return nil
}

// StartEmbedded runs the embedded server even where a real one is installed.
func StartEmbedded(t testing.TB) *Server {
	t.Helper()
	return startEmbedded(t)
}

func startEmbedded(t testing.TB) *Server {
	t.Helper()
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(server.Close)
	return &Server{t: t, embedded: server}
}

// Each runs a test against a real server, where there is one, and against the
// embedded one.
func Each(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	if Available() {
		t.Run("real", func(t *testing.T) { test(t, Start(t)) })
	}
	t.Run("embedded", func(t *testing.T) { test(t, StartEmbedded(t)) })
}

// Real reports whether this is a redis-server process.
func (s *Server) Real() bool { return s.embedded == nil }

// Addr is host:port.
func (s *Server) Addr() string {
	if s.embedded != nil {
		return s.embedded.Addr()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// URL is Addr as a redis:// URL.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Dir is the server's working directory, where it keeps dump and AOF.
func (s *Server) Dir() string { return s.dir }

// Client is a connection for the test itself; closed when the test ends.
func (s *Server) Client() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: 2, DialerRetries: 1})
	s.t.Cleanup(func() { _ = client.Close() })
	return client
}

// Do runs one command on a fresh connection and fails the test on an error.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	value, err := s.Ask(args...)
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	return value
}

// Ask runs one command on a fresh connection; nil is a reply, no error.
func (s *Server) Ask(args ...any) (any, error) {
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: 2, PoolSize: 1, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	value, err := client.Do(ctx, args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("%v: %w", args, err)
	}
	return value, nil
}

// Kill ends the process as a power cut would (SIGKILL) and waits for its end.
func (s *Server) Kill() {
	s.mustBeReal()
	s.end(syscall.SIGKILL)
}

// Stop ends the process in an orderly way (SIGTERM) and waits for its end.
func (s *Server) Stop() {
	s.mustBeReal()
	s.end(syscall.SIGTERM)
}

// Restart ends the process if it runs and starts it again on the same port, in
// the same directory, with the same arguments.
//
// SIGKILL can end a write to the append-only file halfway, seldom and on busy
// machines only. What Redis 7.0 leaves of a torn transaction would be run at the
// start after this one (docs/gotchas.md), so the file is then rewritten.
func (s *Server) Restart() {
	s.t.Helper()
	s.mustBeReal()
	s.end(syscall.SIGKILL)
	before := len(s.log())
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if !s.launch() {
			continue
		}
		if strings.Contains(s.log()[before:], "short read while loading the AOF") {
			s.t.Log("redistest: the append-only file was torn; rewriting it")
			s.RewriteAOF()
		}
		return
	}
	s.t.Fatalf("redistest: redis-server does not restart:\n%s", s.Log())
}

// Pause stops the process without closing its sockets (SIGSTOP).
func (s *Server) Pause() { s.signal(SignalStop) }

// Continue lets a paused process run on (SIGCONT).
func (s *Server) Continue() { s.signal(SignalContinue) }

// Log is the end of what the process printed.
func (s *Server) Log() string {
	text := s.log()
	return text[max(0, len(text)-4096):]
}

func (s *Server) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	return string(text)
}

func (s *Server) mustBeReal() {
	s.t.Helper()
	if s.embedded != nil {
		s.t.Fatal("redistest: call RequireReal before Kill, Stop, Restart, Pause or Continue")
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mustBeReal()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("redistest: signal redis-server: %v", err)
	}
}

// launch starts the process and reports whether it answers.
func (s *Server) launch() bool {
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	defer func() { _ = log.Close() }()
	args := []string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no"}
	if s.config != "" {
		args = append([]string{s.config}, args...)
	} else {
		args = append(args, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")
	}
	args = append(args, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = DieWithParent()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("redistest: start redis-server: %v", err)
	}
	s.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait()
		close(gone)
	}(s.cmd, s.gone)
	return s.answers()
}

// answers waits until the server speaks, also if only to refuse or to say that
// it is loading.
func (s *Server) answers() bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if gone, _ := wait.Unless(context.Background(), 5*time.Millisecond, s.gone); gone {
			return false
		}
		if reply, err := ping(s.Addr()); err == nil && !strings.HasPrefix(reply, "-LOADING") {
			return true
		}
	}
	return false
}

func ping(addr string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return "", err
	}
	buf := make([]byte, 128)
	n, err := conn.Read(buf)
	return string(buf[:n]), err
}

// end signals the process and waits until it has been reaped.
func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Process.Signal(SignalContinue) // a paused process ignores SIGTERM
	if gone, _ := wait.Unless(context.Background(), patience, s.gone); !gone {
		_ = s.cmd.Process.Kill()
		<-s.gone
	}
}
