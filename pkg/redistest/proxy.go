package redistest

import (
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server and misbehaves on demand. All
// methods may be called from any goroutine.
type Proxy struct {
	listener net.Listener
	upstream string

	mu      sync.Mutex
	wake    *sync.Cond
	pairs   map[*pair]struct{}
	lose    int
	stalled bool
	refuse  bool
	closed  bool
	running sync.WaitGroup
}

// pair is one client connection and the one made for it.
type pair struct{ client, server net.Conn }

func (p *pair) close() {
	_ = p.client.Close()
	_ = p.server.Close()
}

// NewProxy listens on a free loopback port and forwards to upstream, host:port.
// It is closed when the test ends.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	p := &Proxy{listener: listener, upstream: upstream, pairs: map[*pair]struct{}{}}
	p.wake = sync.NewCond(&p.mu)
	p.running.Add(1)
	go p.accept()
	t.Cleanup(p.close)
	return p
}

// Addr is the proxy's host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL is Addr as a redis:// URL.
func (p *Proxy) URL() string { return "redis://" + p.Addr() }

// LoseReplies swallows the next n replies and cuts the connection each was
// meant for: the command was applied, and its sender cannot know.
func (p *Proxy) LoseReplies(n int) { p.set(func() { p.lose = n }) }

// Lost reports how many replies LoseReplies has still to swallow.
func (p *Proxy) Lost() (left int) {
	p.set(func() { left = p.lose })
	return left
}

// Refuse closes new connections at once while on.
func (p *Proxy) Refuse(on bool) { p.set(func() { p.refuse = on }) }

// Stall stops moving bytes in either direction while on; nothing is closed.
func (p *Proxy) Stall(on bool) { p.set(func() { p.stalled = on }) }

// Cut closes all present connections.
func (p *Proxy) Cut() {
	p.set(func() {
		for pair := range p.pairs {
			pair.close()
		}
	})
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.wake.Broadcast()
}

func (p *Proxy) close() {
	p.set(func() { p.closed, p.stalled = true, false })
	_ = p.listener.Close()
	p.Cut()
	p.running.Wait()
}

func (p *Proxy) accept() {
	defer p.running.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.open(client)
	}
}

func (p *Proxy) open(client net.Conn) {
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		_ = client.Close()
		return
	}
	both := &pair{client: client, server: server}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.closed {
		both.close()
		return
	}
	p.pairs[both] = struct{}{}
	p.running.Add(2)
	go p.forward(both, client, server, false)
	go p.forward(both, server, client, true)
}

// forward copies until either side ends, then ends both.
func (p *Proxy) forward(both *pair, from, to net.Conn, replies bool) {
	defer p.running.Done()
	defer p.set(func() {
		both.close()
		delete(p.pairs, both)
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if p.hold(replies) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold waits while stalled, then reports whether to lose what was read.
func (p *Proxy) hold(replies bool) (lose bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled {
		p.wake.Wait()
	}
	if replies && p.lose > 0 {
		p.lose--
		return true
	}
	return false
}
