package redistest

import (
	"syscall"
	"testing"
)

// freePort is a loopback port that is the caller's until the test ends: the
// system gives it to nobody else, also while the server on it is down. It is
// held by a socket that is bound and never listens, beside which a server can
// bind as long as both set SO_REUSEADDR; Redis does, and so does Go.
func freePort(t testing.TB) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	return addr.(*syscall.SockaddrInet4).Port
}
