package relay

import (
	"bufio"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// wireBuffer is how much is read from a socket at once. A fast relay fills it,
// so that one system call and one chunk serve many frames.
const wireBuffer = 128 << 10

// wire is the TCP connection below TLS and websocket. It sits there, and
// buffers, because only the lowest layer knows when the reader is really about
// to wait for the network.
type wire struct {
	net.Conn
	in   *bufio.Reader
	idle time.Duration
	// waiting is called before each read of the socket, on the reading
	// goroutine; an error ends the read. Nil until the upgrade is done.
	waiting func() error
	cut     atomic.Pointer[breach]
	raw     syscall.RawConn // nil when the socket is none of the system's
}

func newWire(conn net.Conn, idle time.Duration) *wire {
	w := &wire{Conn: conn, idle: idle}
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
func (w *wire) Read(p []byte) (int, error) { return w.in.Read(p) }

// interrupt makes the reader stop with b; the first caller wins. It may be
// called from any goroutine and at any time.
func (w *wire) interrupt(b *breach) {
	if w.cut.CompareAndSwap(nil, b) {
		// Either the reader already waits, and this wakes it, or it will
		// look at cut after setting its own deadline.
		_ = w.SetReadDeadline(time.Unix(1, 0))
	}
}

// interrupted is what interrupt was given, or nil.
func (w *wire) interrupted() *breach { return w.cut.Load() }

// socket is the unbuffered side of a wire.
type socket struct{ *wire }

func (s socket) Read(p []byte) (int, error) {
	if s.waiting != nil {
		if err := s.waiting(); err != nil {
			return 0, err
		}
		if s.idle > 0 {
			// Set here, not when the last bytes came: the time a slow
			// receiver took is not the relay's silence.
			if err := s.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
				return 0, err
			}
		}
	}
	if s.interrupted() != nil {
		return 0, net.ErrClosed
	}
	return s.Conn.Read(p)
}
