package health

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// Whoever sends its request too slowly, or too much of one, is let go.
func TestServersHaveTimeouts(t *testing.T) {
	m := New(Config{Logger: slog.New(slog.DiscardHandler)})
	s, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]time.Duration{
		"header": s.http.ReadHeaderTimeout, "read": s.http.ReadTimeout, "write": s.http.WriteTimeout, "idle": s.http.IdleTimeout,
	} {
		if d <= 0 || d > time.Minute {
			t.Errorf("%s timeout %v", name, d)
		}
	}
	s.http.ReadHeaderTimeout = 50 * time.Millisecond // to see it at work
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context()) }()
	if got := say(t, s.Addr(), "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "); strings.Contains(got, "200") {
		t.Errorf("half a request is answered: %q", got)
	}
	if got := say(t, s.Addr(), "GET /livez HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 2*maxHeader)+"\r\n\r\n"); !strings.Contains(got, "431") {
		t.Errorf("a request with large headers is answered %.100q", got)
	}
	if err := s.http.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
}

// say sends a text and gives what comes back until the server hangs up.
func say(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the server does not hang up")
	}
	return string(answer)
}
