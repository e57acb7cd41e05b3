package redistest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
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
	stalled bool // both ways
	held    bool // replies only
	refuse  bool
	closed  bool
	decide  func(replies bool, n int) Fate
	running sync.WaitGroup
}

// Fate is what becomes of a piece of bytes on its way.
type Fate struct {
	Delay time.Duration // before it goes on
	Cut   bool          // end the connection instead, after Keep bytes of it
	Keep  int
}

// pair is one client connection and the one made for it.
type pair struct {
	client, server net.Conn
	frozen         bool // guarded by Proxy.mu
}

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

// Forward leads new connections to another server. Cut moves the present ones.
func (p *Proxy) Forward(upstream string) { p.set(func() { p.upstream = upstream }) }

// HoldReplies keeps back what servers say while on: commands are applied, and
// their senders do not hear of it.
func (p *Proxy) HoldReplies(on bool) { p.set(func() { p.held = on }) }

// Freeze makes the present connections half-open for good: what either side
// sends vanishes, and neither learns when the other closes. New connections
// work.
func (p *Proxy) Freeze() {
	p.set(func() {
		for pair := range p.pairs {
			pair.frozen = true
		}
	})
}

// Meddle asks decide what shall become of each piece of bytes that is moved;
// nil ends it. Decide is called by one goroutine at a time.
func (p *Proxy) Meddle(decide func(replies bool, n int) Fate) {
	p.set(func() { p.decide = decide })
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
	p.set(func() { p.closed, p.stalled, p.held, p.decide = true, false, false, nil })
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
	p.mu.Lock()
	upstream := p.upstream
	p.mu.Unlock()
	server, err := net.Dial("tcp", upstream)
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

// forward copies until either side ends, then ends both; a frozen pair's other
// side stays open until the proxy closes.
func (p *Proxy) forward(both *pair, from, to net.Conn, replies bool) {
	defer p.running.Done()
	defer p.set(func() {
		if both.frozen && !p.closed {
			_ = from.Close()
			return
		}
		both.close()
		delete(p.pairs, both)
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !p.pass(both, to, buf[:n], replies) {
			return
		}
		if err != nil {
			return
		}
	}
}

// pass moves one piece on and reports whether the connection goes on.
func (p *Proxy) pass(both *pair, to io.Writer, piece []byte, replies bool) bool {
	frozen, fate := p.judge(both, len(piece), replies)
	if frozen {
		return true
	}
	if fate.Delay > 0 {
		time.Sleep(fate.Delay)
	}
	if fate.Cut {
		piece = piece[:min(fate.Keep, len(piece))]
	}
	_, err := to.Write(piece)
	return err == nil && !fate.Cut
}

// judge waits while the pair is held up, then says what becomes of a piece.
func (p *Proxy) judge(both *pair, n int, replies bool) (frozen bool, fate Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !both.frozen && (p.stalled || p.held && replies) {
		p.wake.Wait()
	}
	switch {
	case both.frozen:
		return true, fate
	case replies && p.lose > 0:
		p.lose--
		return false, Fate{Cut: true}
	case p.decide != nil:
		return false, p.decide(replies, n)
	}
	return false, fate
}
