package endtest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// The network of the simulation: connections that are buffers, so that nobody
// waits for the kernel.

const linkBuffer = 64 << 10 // bytes on their way in one direction

// pipe is one direction of a connection.
type pipe struct {
	mu     sync.Mutex
	buf    []byte
	ended  bool          // the writer has closed: EOF behind buf
	broken error         // both ends fail at once; buf is lost
	frozen time.Time     // nothing arrives before this
	change chan struct{} // closed and replaced at every change
}

func newPipe() *pipe { return &pipe{change: make(chan struct{})} }

func (p *pipe) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.change)
	p.change = make(chan struct{})
}

// await calls try, which holds the lock, until it is done or a moment it names
// or a change has come.
func (p *pipe) await(deadline func() time.Time, try func(now time.Time) (done bool, next time.Time)) error {
	for {
		now := time.Now()
		p.mu.Lock()
		done, next := try(now)
		change := p.change
		p.mu.Unlock()
		if done {
			return nil
		}
		limit := deadline()
		if !limit.IsZero() && !now.Before(limit) {
			return os.ErrDeadlineExceeded
		}
		if next.IsZero() || !limit.IsZero() && limit.Before(next) {
			next = limit
		}
		if next.IsZero() {
			<-change
			continue
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-change:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (p *pipe) read(b []byte, deadline func() time.Time) (n int, err error) {
	late := p.await(deadline, func(now time.Time) (bool, time.Time) {
		switch {
		case p.broken != nil:
			err = p.broken
		case now.Before(p.frozen):
			return false, p.frozen
		case len(p.buf) > 0:
			n = copy(b, p.buf)
			p.buf = p.buf[n:]
		case p.ended:
			err = errEOF
		default:
			return false, time.Time{}
		}
		return true, time.Time{}
	})
	if late != nil {
		return 0, late
	}
	if n > 0 {
		p.set(func() {})
	}
	return n, err
}

func (p *pipe) write(b []byte, deadline func() time.Time) (n int, err error) {
	for n < len(b) && err == nil {
		late := p.await(deadline, func(time.Time) (bool, time.Time) {
			switch {
			case p.broken != nil:
				err = p.broken
			case p.ended:
				err = net.ErrClosed
			case len(p.buf) < linkBuffer:
				some := min(len(b)-n, linkBuffer-len(p.buf))
				p.buf = append(p.buf, b[n:n+some]...)
				n += some
			default:
				return false, time.Time{}
			}
			return true, time.Time{}
		})
		if late != nil {
			return n, late
		}
		p.set(func() {})
	}
	return n, err
}

// link is one end of a connection.
type link struct {
	in, out *pipe
	addr    net.Addr

	mu      sync.Mutex
	read    time.Time
	written time.Time
	abrupt  bool
}

// connect makes a connection's two ends.
func connect() (near, far *link) {
	a, b := newPipe(), newPipe()
	return &link{in: a, out: b, addr: address{}}, &link{in: b, out: a, addr: address{}}
}

type address struct{}

func (address) Network() string { return "tcp" }
func (address) String() string  { return "127.0.0.1:1" }

var errEOF = io.EOF

func (l *link) deadline(at *time.Time) func() time.Time {
	return func() time.Time {
		l.mu.Lock()
		defer l.mu.Unlock()
		return *at
	}
}

func (l *link) Read(b []byte) (int, error) {
	n, err := l.in.read(b, l.deadline(&l.read))
	return n, opError("read", err)
}

func (l *link) Write(b []byte) (int, error) {
	n, err := l.out.write(b, l.deadline(&l.written))
	return n, opError("write", err)
}

func (l *link) Close() error {
	l.mu.Lock()
	abrupt := l.abrupt
	l.mu.Unlock()
	if abrupt {
		l.cut()
		return nil
	}
	l.out.set(func() { l.out.ended = true })
	l.in.set(func() {
		if l.in.broken == nil {
			l.in.broken = net.ErrClosed
		}
	})
	return nil
}

// cut ends both directions and loses what is on its way.
func (l *link) cut() {
	for _, p := range []*pipe{l.in, l.out} {
		p.set(func() {
			if p.broken == nil {
				p.broken = syscall.ECONNRESET
			}
		})
	}
}

// freeze lets nothing arrive at either end for a while; nothing is lost.
func (l *link) freeze(d time.Duration) {
	until := time.Now().Add(d)
	for _, p := range []*pipe{l.in, l.out} {
		p.set(func() { p.frozen = until })
	}
}

func (l *link) LocalAddr() net.Addr  { return l.addr }
func (l *link) RemoteAddr() net.Addr { return l.addr }

func (l *link) SetDeadline(t time.Time) error {
	_ = l.SetReadDeadline(t)
	return l.SetWriteDeadline(t)
}

func (l *link) SetReadDeadline(t time.Time) error  { l.setDeadline(&l.read, t, l.in); return nil }
func (l *link) SetWriteDeadline(t time.Time) error { l.setDeadline(&l.written, t, l.out); return nil }

func (l *link) setDeadline(which *time.Time, t time.Time, p *pipe) {
	l.mu.Lock()
	*which = t
	l.mu.Unlock()
	p.set(func() {})
}

// SetLinger makes Close lose what is on its way, as TCP does with 0.
func (l *link) SetLinger(sec int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.abrupt = sec == 0
	return nil
}

// opError dresses an error as the network would.
func opError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errEOF):
		return io.EOF
	}
	return &net.OpError{Op: op, Net: "tcp", Err: err}
}

// switchboard is where servers listen: it is a net.Listener for one of them,
// and what dials.
type switchboard struct {
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newSwitchboard() *switchboard {
	return &switchboard{calls: make(chan net.Conn), closed: make(chan struct{})}
}

func (s *switchboard) Accept() (net.Conn, error) {
	select {
	case c := <-s.calls:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *switchboard) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *switchboard) Addr() net.Addr { return address{} }

func (s *switchboard) dial(ctx context.Context) (*link, error) {
	near, far := connect()
	select {
	case s.calls <- far:
		return near, nil
	case <-s.closed:
		return nil, refusedDial
	case <-ctx.Done():
		return nil, opError("dial", ctx.Err())
	}
}

var refusedDial = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// wiring is one process's share of the network. A process that is killed loses
// all of it at once: nothing it does afterwards reaches anybody.
type wiring struct {
	mu      sync.Mutex
	links   map[*link]struct{}
	severed bool
	frozen  time.Time
}

// through makes a dialler that the process may use until it is severed.
func (w *wiring) through(dial func(context.Context) (*link, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		l, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.severed {
			l.cut()
			return nil, refusedDial
		}
		if d := time.Until(w.frozen); d > 0 {
			l.freeze(d)
		}
		if w.links == nil {
			w.links = map[*link]struct{}{}
		}
		w.links[l] = struct{}{}
		return &known{link: l, of: w}, nil
	}
}

func (w *wiring) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.severed = true
	for l := range w.links {
		l.cut()
	}
}

func (w *wiring) freeze(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = time.Now().Add(d)
	for l := range w.links {
		l.freeze(d)
	}
}

// known is a link that its wiring forgets when it is closed.
type known struct {
	*link
	of *wiring
}

func (k *known) Close() error {
	k.of.mu.Lock()
	delete(k.of.links, k.link)
	k.of.mu.Unlock()
	return k.link.Close()
}
