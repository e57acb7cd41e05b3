package redistest

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// While a server is down its port stays its own: a client of another test that
// got it would keep the server from coming back.
func TestPortIsKeptWhileTheServerIsDown(t *testing.T) {
	RequireReal(t)
	s, other := Start(t), Start(t)
	s.Kill()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port}}
	conn, err := dialer.Dial("tcp", other.Addr())
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a client took the port: %v", err)
	}
	s.Restart()
}
