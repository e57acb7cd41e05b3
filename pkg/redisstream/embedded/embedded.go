package embedded

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/fhctl/fhctl/pkg/fault"
)

// DefaultAddr is where Start listens when no address is given.
const DefaultAddr = "127.0.0.1:6379"

// SuggestedMaxLen is a stream limit that keeps the process small, about 64 MiB
// with ordinary events, where nobody asked for another.
const SuggestedMaxLen = 20_000

// tick is how often keys are checked for expiry. TTLs of the contract are 10 s.
const tick = 100 * time.Millisecond

// Server is a running in-process server. Close it once.
type Server struct {
	redis    *miniredis.Miniredis
	listener net.Listener
	addr     string
	stop     chan struct{}
	clock    sync.WaitGroup // and the listener
	once     sync.Once
}

// Start listens on addr, "host:port" on loopback. Empty means DefaultAddr or,
// when that port is taken, a free one: Addr says which. A given port that is
// taken, and a host that is not loopback, are a fault.Usage, a port that the system
// forbids is fault.Refused.
func Start(addr string) (*Server, error) {
	listen, free := addr, ""
	if addr == "" {
		listen, free = DefaultAddr, "127.0.0.1:0"
	}
	if err := loopback(listen); err != nil {
		return nil, err
	}
	s := &Server{redis: miniredis.NewMiniRedis(), stop: make(chan struct{})}
	listener, err := net.Listen("tcp", listen)
	if err != nil && free != "" && errors.Is(err, syscall.EADDRINUSE) {
		listener, err = net.Listen("tcp", free)
	}
	if err != nil {
		return nil, fault.New(fault.Listening(err), fmt.Errorf("start embedded server: %w", err),
			"choose another port with embedded://HOST:PORT, or leave it out to get a free one")
	}
	if err := s.serve(listener); err != nil {
		return nil, fault.New(fault.Unreachable, fmt.Errorf("start embedded server: %w", err), "")
	}
	s.clock.Add(1)
	go s.expire()
	return s, nil
}

// Addr is the address it listens on, host:port.
func (s *Server) Addr() string { return s.addr }

// URL is Addr as a redis:// URL.
func (s *Server) URL() string { return "redis://" + s.addr }

// Close ends all connections and forgets all data.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.stop)
		_ = s.listener.Close()
		s.clock.Wait()
		s.redis.Close()
	})
}

// expire advances the clock of TTLs, which miniredis leaves to its owner.
func (s *Server) expire() {
	defer s.clock.Done()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case now := <-ticker.C:
			s.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}

// loopback refuses addresses that others could reach: there is no password.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fault.New(fault.Usage, fmt.Errorf("read embedded address: %w", err), "write it as embedded://127.0.0.1:6379")
	}
	ips := []net.IP{net.ParseIP(host)}
	if ips[0] == nil {
		if ips, err = net.LookupIP(host); err != nil {
			return fault.New(fault.Usage, fmt.Errorf("look up embedded address: %w", err), "write it as embedded://127.0.0.1:6379")
		}
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return fault.New(fault.Usage, fmt.Errorf("embedded address %s is not loopback", addr),
				"the embedded server has no password, so it serves this machine only: use 127.0.0.1, or run a Redis")
		}
	}
	return nil
}
