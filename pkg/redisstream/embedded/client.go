package embedded

import (
	"errors"
	"net"

	"github.com/fhctl/fhctl/pkg/redisstream/resp"
)

// largestCommand is what one command of a client may take in memory. A batch of
// ingest is at most a few MiB.
const largestCommand = 32 << 20

// bounded is the connection of a client that cannot make the server allocate what
// it declares and never sends, or send without end.
type bounded struct {
	net.Conn
	commands resp.Follower
	failed   error
}

// Read gives what came, up to where a command leaves its bounds. The client is told
// why, and the server hangs up.
func (b *bounded) Read(p []byte) (int, error) {
	if b.failed != nil {
		return 0, b.failed
	}
	n, err := b.Conn.Read(p)
	passed, bad := b.commands.Follow(p[:n])
	var refused *resp.Error
	if !errors.As(bad, &refused) {
		return n, err
	}
	b.failed = bad
	_, _ = b.Write([]byte("-ERR Protocol error: the client " + refused.What + "\r\n"))
	if passed == 0 {
		return 0, bad
	}
	return passed, nil
}

// serve accepts clients until the listener is closed.
func (s *Server) serve(listener net.Listener) error {
	// Without a listener of its own the server takes connections one by one.
	first, err := s.redis.Dial()
	if err != nil {
		_ = listener.Close()
		return err
	}
	_ = first.Close()
	s.listener, s.addr = listener, listener.Addr().String()
	srv := s.redis.Server()
	srv.SetPreHook(answer(srv, s.addr))
	s.clock.Add(1)
	go func() {
		defer s.clock.Done()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			srv.ServeConn(&bounded{Conn: conn, commands: resp.Follower{Limit: largestCommand}})
		}
	}()
	return nil
}
