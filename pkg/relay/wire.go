package relay

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// wireBuffer is how much is read from a socket at once. A fast relay fills
	// it, so that one system call and one chunk serve many frames.
	wireBuffer = 128 << 10
	// handshakeBytes bounds what one dial reads before the upgrade is done:
	// TLS, the answers of proxies, redirects and hosts, whatever they consist
	// of. An honest dial takes a few KiB.
	handshakeBytes = 256 << 10
)

var errHandshakeBytes = fmt.Errorf("more than %d KiB came and the upgrade is not done", handshakeBytes>>10)

// allowance is how many bytes one dial may still read, over all its connections.
type allowance struct{ left int }

// wire is the TCP connection below TLS and websocket. It sits there, and
// buffers, because only the lowest layer knows when the reader is really about
// to wait for the network.
type wire struct {
	net.Conn
	in *bufio.Reader
	// allowed bounds what is read until the upgrade is done, and is nil then.
	allowed *allowance
	// waiting is called before each read of the socket, on the reading
	// goroutine, and tells until when to wait: zero is for ever. When that time
	// comes it is asked again; an error ends the read. Nil until the upgrade is
	// done.
	waiting func() (until time.Time, err error)
	came    bool // bytes, since waiting was called last
	cut     atomic.Pointer[breach]
	ended   chan struct{}   // closed with cut
	raw     syscall.RawConn // nil when the socket is none of the system's
}

func newWire(conn net.Conn, allowed *allowance) *wire {
	w := &wire{Conn: conn, allowed: allowed, ended: make(chan struct{})}
	w.in = bufio.NewReaderSize(socket{w}, wireBuffer)
	if s, ok := conn.(syscall.Conn); ok {
		w.raw, _ = s.SyscallConn()
	}
	return w
}

// gather stays away from the socket for d, or until a good deal of bytes has come.
// The runtime would otherwise wake for every packet, read or not, and at some
// hundred events a second that is most of what they cost. A relay that is faster
// than that must not be kept waiting: its bytes fit no socket buffer for long.
func (w *wire) gather(d time.Duration) {
	const plenty = 512 << 10
	switch {
	case d <= 0:
		return
	case w.raw == nil: // played, not the system's
		time.Sleep(d)
		return
	}
	_ = w.SetReadDeadline(time.Now().Add(d))
	if w.interrupted() == nil {
		asked := false
		_ = w.raw.Read(func(fd uintptr) bool {
			if !asked { // here, so that what has come already is news as well
				setLowWater(fd, plenty)
			}
			ready := asked
			asked = true
			return ready
		})
	}
	_ = w.raw.Control(func(fd uintptr) { setLowWater(fd, 1) })
	_ = w.SetReadDeadline(time.Time{}) // interrupt's own may go: whoever reads next looks
}

// Read serves TLS or websocket from the buffer.
func (w *wire) Read(p []byte) (int, error) {
	if w.allowed == nil {
		return w.in.Read(p)
	}
	if w.allowed.left == 0 {
		return 0, errHandshakeBytes
	}
	n, err := w.in.Read(p[:min(len(p), w.allowed.left)])
	w.allowed.left -= n
	return n, err
}

// interrupt makes the reader stop with b; the first caller wins. It may be
// called from any goroutine and at any time.
func (w *wire) interrupt(b *breach) {
	if w.cut.CompareAndSwap(nil, b) {
		close(w.ended)
		// Either the reader already waits, and this wakes it, or it will
		// look at cut after setting its own deadline.
		_ = w.SetReadDeadline(time.Unix(1, 0))
	}
}

// interrupted is what interrupt was given, or nil.
func (w *wire) interrupted() *breach { return w.cut.Load() }

// socket is the unbuffered side of a wire.
type socket struct{ *wire }

// Read waits for the network as long as waiting allows.
func (s socket) Read(p []byte) (int, error) {
	for {
		if s.waiting != nil {
			until, err := s.waiting()
			if err != nil {
				return 0, err
			}
			if err := s.SetReadDeadline(until); err != nil {
				return 0, err
			}
		}
		if s.interrupted() != nil {
			return 0, net.ErrClosed
		}
		n, err := s.Conn.Read(p)
		if n > 0 || err == nil || s.waiting == nil || !isTimeout(err) {
			s.came = s.came || n > 0
			return n, err
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
