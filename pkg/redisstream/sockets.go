package redisstream

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// sockets knows the open connections of one client. go-redis honours a
// context's deadline but not its cancellation, and a stop must not wait for a
// Redis that hangs (G6).
type sockets struct {
	mu   sync.Mutex
	open map[*socket]struct{}
}

// socket is a connection that is known while it is open.
type socket struct {
	net.Conn
	of *sockets
}

// dialer is go-redis' own dialler, TLS included, or the one given, with every
// connection known.
func (s *sockets) dialer(o redis.UniversalOptions, dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	if dial == nil {
		dial = redis.NewDialer(&redis.Options{DialTimeout: o.DialTimeout, TLSConfig: o.TLSConfig})
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &socket{Conn: conn, of: s}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open == nil {
			s.open = map[*socket]struct{}{}
		}
		s.open[c] = struct{}{}
		return c, nil
	}
}

// Close forgets the connection.
func (c *socket) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// interrupt ends what waits on any of the connections; go-redis then gives them
// up and dials anew.
func (s *sockets) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.SetDeadline(time.Unix(1, 0))
	}
}
