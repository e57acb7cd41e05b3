package conn

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/resp"
)

// sockets knows the open connections of one client. go-redis honours a
// context's deadline but not its cancellation, and a stop must not wait for a
// Redis that hangs (G6).
type sockets struct {
	mu    sync.Mutex
	open  map[*socket]struct{}
	ended atomic.Bool // nothing is waited for any more
}

// socket is a connection that is known while it is open. It bounds what the
// peer sends, and keeps what the peer said before it closed.
type socket struct {
	net.Conn
	of     *sockets
	secure bool   // TLS
	addr   string // of the peer
	master string // the name that Sentinel is asked for; "" where no Sentinel is

	reading sync.Mutex
	replies resp.Follower
	first   []byte // the first bytes that came, until there was a reply
	greeted bool   // a reply came that is no error
	failed  error  // what no Read gets past
	whole   whole

	patience time.Duration // without progress
	writing  sync.Mutex
	sent     int  // bytes since a command was begun
	stopped  bool // by interrupt
}

// dialer opens connections, TLS included, or takes those of the dialler given;
// every one is known and bounded.
func (s *sockets) dialer(t *Target, limit int64) func(context.Context, string, string) (net.Conn, error) {
	c := &t.connection
	dial := c.Dialer
	if dial == nil {
		dial = t.dialer(c.CommandTimeout, c.HandshakeTimeout)
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		k := &socket{Conn: conn, of: s, secure: t.options.TLSConfig != nil, addr: addr, master: t.options.MasterName, replies: resp.Follower{Limit: limit}, patience: c.CommandTimeout}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open == nil {
			s.open = map[*socket]struct{}{}
		}
		s.open[k] = struct{}{}
		return k, nil
	}
}

// Close forgets the connection.
func (c *socket) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// Read gives what came, up to where the peer leaves the bounds of a reply.
func (c *socket) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.whole.wanted.Load() != nil {
		return c.whole.read(c, p)
	}
	return c.read(p)
}

func (c *socket) read(p []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		passed, bad := c.follow(p[:n])
		if bad != nil {
			c.failed = bad
			if n = passed; n > 0 {
				return n, nil
			}
			return 0, bad
		}
	}
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

// follow checks what came against the bounds.
func (c *socket) follow(p []byte) (int, error) {
	if !c.greeted && len(c.first) < 24 {
		c.first = append(c.first, p[:min(len(p), 24-len(c.first))]...)
	}
	n, err := c.replies.Follow(p)
	if c.replies.Messages > 0 && c.replies.Said() == "" {
		c.greeted = true
	}
	var bad *resp.Error
	if !errors.As(err, &bad) {
		return n, err
	}
	if c.replies.Messages > 0 {
		return n, refusedReply(bad, p[n:])
	}
	return n, refusedReply(bad, c.first)
}

// explain says why a connection ended, as far as can be told.
func (c *socket) explain(err error) error {
	switch {
	case isAlert(err):
		return &peerError{cause: "tls", what: "the server ended the TLS connection", hint: tlsHint, err: err}
	case !closedByPeer(err):
		return err
	case !c.greeted && c.replies.Said() != "":
		return &closedWith{text: c.replies.Said(), err: err}
	case c.replies.Messages == 0 && c.replies.Whole():
		hint := mutePlainHint
		if c.secure {
			hint = muteTLSHint
		}
		return &peerError{cause: "connection", what: "the server closed the connection without an answer", hint: hint, err: err}
	}
	return err
}

// partingTime is how long a connection that can no longer be written to is
// asked for what the peer said before. It has arrived by then, or never will.
const partingTime = 50 * time.Millisecond

// Write sends, and after a failure reads what the peer said: servers that refuse
// a connection answer before they are asked.
func (c *socket) Write(p []byte) (int, error) {
	c.whole.expect(p)
	n, err := c.write(p)
	if err == nil || !closedByPeer(err) && !isAlert(err) || !c.reading.TryLock() {
		return n, err
	}
	defer c.reading.Unlock()
	return n, c.parting(err)
}

// largeWrite is from how many bytes on progress counts, and how much is written at once.
const largeWrite = 64 << 10

// write sends. Of a large command each part has the whole time: what takes long on a
// slow link would otherwise be sent again from its beginning, for ever.
func (c *socket) write(p []byte) (n int, err error) {
	for {
		part := p[n:min(len(p), n+largeWrite)]
		c.progress(len(part))
		wrote, err := c.Conn.Write(part)
		if n += wrote; err != nil || n == len(p) {
			return n, err
		}
	}
}

func (c *socket) progress(part int) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.sent > 0 && c.sent+part > largeWrite {
		_ = c.Conn.SetWriteDeadline(c.unlessEnded(time.Now().Add(c.patience))) // the write tells if it fails
	}
	c.sent += part
}

// SetWriteDeadline begins a command. go-redis sets one before each: without a look at
// ended it would take back what an end has set meanwhile.
func (c *socket) SetWriteDeadline(at time.Time) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.sent = 0
	return c.Conn.SetWriteDeadline(c.unlessEnded(at))
}

// unlessEnded is at, or past where nothing is waited for any more.
func (c *socket) unlessEnded(at time.Time) time.Time {
	if c.stopped || c.of.ended.Load() {
		return past
	}
	return at
}

// SetReadDeadline gives the reply to a large command more time: much of the command
// may still be in buffers on the way.
func (c *socket) SetReadDeadline(at time.Time) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.sent > largeWrite && !at.IsZero() {
		at = at.Add(onLink(c.sent))
	}
	return c.Conn.SetReadDeadline(c.unlessEnded(at))
}

// stop ends what waits on the connection, for good.
func (c *socket) stop() {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.stopped = true
	_ = c.Conn.SetDeadline(past)
}

// parting is err, or what the peer said before it closed.
func (c *socket) parting(err error) error {
	_ = c.Conn.SetReadDeadline(time.Now().Add(partingTime))
	known := c.replies.Messages
	var buf [1024]byte
	for range 16 {
		if _, other := c.read(buf[:]); other != nil {
			var timeout net.Error
			if !errors.As(other, &timeout) || !timeout.Timeout() {
				err = other
			}
			break
		}
	}
	var told *closedWith
	if c.replies.Messages > known && c.replies.Said() != "" && !errors.As(err, &told) {
		return &closedWith{text: c.replies.Said(), err: err}
	}
	return err
}

// past is a time limit that has passed.
var past = time.Unix(1, 0)

// end ends what waits on any of the connections, now and from now on.
func (s *sockets) end() {
	s.ended.Store(true)
	s.interrupt()
}

// interrupt ends what waits on any of the connections; go-redis then gives them
// up and dials anew.
func (s *sockets) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.stop()
	}
}
