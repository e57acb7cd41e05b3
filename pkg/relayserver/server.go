package relayserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// Path is where the stream is served (C1).
const Path = "/xrpc/com.atproto.sync.subscribeRepos"

// Config says what to serve and in which dialect. Only Log is required; the
// zero dialect is that of the reference relay, except that future and outdated
// cursors are answered as the specification says.
type Config struct {
	Log Log
	// Addr is where to listen; the default takes a free port of 127.0.0.1.
	Addr string
	// Listener is served instead of Addr, which then says nothing; Close
	// closes it.
	Listener net.Listener
	// AllowRemote permits an Addr that is not loopback.
	AllowRemote bool
	// TLS serves wss with these certificates.
	TLS *tls.Config

	// Inclusive replays from the cursor itself, as Bluesky's fan-out does,
	// instead of from the seq after it (Q3).
	Inclusive bool
	// FutureGoesLive treats a cursor above the newest seq as none, without
	// a word, instead of sending FutureCursor and closing (Q6).
	FutureGoesLive bool
	// OutdatedIsSilent starts at the oldest frame without saying
	// OutdatedCursor (Q5).
	OutdatedIsSilent bool
	// Whole sends everything to a client that gives no cursor, instead of
	// only what comes from now on: a recording has no present.
	Whole bool
	// EndOnEOF closes with 1000 once the log has ended; otherwise the
	// connection then stays open and quiet.
	EndOnEOF bool

	// MaxConns bounds connections; the next is answered 503. Zero: 64.
	MaxConns int
	// Rate bounds frames per second on each connection. Zero: as fast as
	// the consumer takes them.
	Rate float64
	// Delay is the time between two consecutive frames, the second of which
	// is about to be sent; each connection is paced by itself. Nil, or a
	// result of 0 or less, means at once. Rate holds beside it.
	Delay func(last, next []byte) time.Duration
	// PingEvery is after how much silence the server pings (C6). Zero: 30 s.
	PingEvery time.Duration
	// IdleTimeout ends a connection from which nothing came for this long. A
	// living client answers pings, and one that has been silent for a third
	// of it is pinged even while frames are sent to it. Zero: 90 s.
	IdleTimeout time.Duration
	// WriteTimeout ends a connection that does not take one whole frame
	// within this time. Zero: 60 s.
	WriteTimeout time.Duration
	// Failed hears, once, what keeps the log from being played further. The
	// connections then stay open and quiet, as at the log's end. May be nil.
	Failed func(error)
	// EndOnFailure closes them with 1011 instead, behind what could be played.
	EndOnFailure bool
	// Faults are committed as they fall due.
	Faults []Fault
	// Logger gets one debug line per connection and fault; nil is silent.
	Logger *slog.Logger
}

// Server is a running relay.
type Server struct {
	cfg      Config
	addr     net.Addr
	http     *http.Server
	upgrader websocket.Upgrader
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	work     sync.WaitGroup

	pings, pongs, goodbyes atomic.Int64
	failure                sync.Once

	mu       sync.Mutex
	closed   bool
	clients  map[*client]struct{}
	conns    uint64
	requests []Request
	refusals []refusal
	strikes  []*strike
	injected map[string]int
	sent     int64
	skipped  []event.Seq
}

const (
	// handshakeTimeout bounds a request until it is answered or upgraded.
	handshakeTimeout = 10 * time.Second
	maxHeader        = 16 << 10 // bytes of a request's header
	maxMessage       = 4 << 10  // bytes of a message from a client, which has nothing to say
)

// refusal answers one request instead of an upgrade.
type refusal struct {
	status     int
	retryAfter string
}

// Start listens and serves until Close. Errors have class fault.Usage for a
// bad Config; an address that cannot be had is fault.Usage, or fault.Refused where
// the system forbids it.
func Start(cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Errorf("start relay: %w", err), "")
	}
	listener, err := cfg.Listener, error(nil)
	if listener == nil {
		listener, err = net.Listen("tcp", s.cfg.Addr)
	}
	if err != nil {
		return nil, fault.New(fault.Listening(err), fmt.Errorf("start relay: %w", err), "choose another address, or port 0 for a free one")
	}
	s.addr = listener.Addr()
	if cfg.TLS != nil {
		listener = tls.NewListener(listener, cfg.TLS)
	}
	s.work.Go(func() { _ = s.http.Serve(listener) })
	return s, nil
}

func newServer(cfg Config) (*Server, error) {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 64
	}
	if cfg.PingEvery == 0 {
		cfg.PingEvery = 30 * time.Second
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 90 * time.Second
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Log == nil {
		return nil, errors.New("there is no log to serve")
	}
	if err := checkAddr(cfg.Addr, cfg.AllowRemote); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, clients: map[*client]struct{}{}, injected: map[string]int{}}
	if err := s.Inject(cfg.Faults...); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.upgrader = websocket.Upgrader{HandshakeTimeout: handshakeTimeout, CheckOrigin: func(*http.Request) bool { return true }} // see ownNames
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, s.serve)
	s.http = &http.Server{
		Handler:           s.ownNames(mux),
		ReadHeaderTimeout: handshakeTimeout,
		ReadTimeout:       handshakeTimeout,
		WriteTimeout:      handshakeTimeout,
		IdleTimeout:       handshakeTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

func checkAddr(addr string, remote bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q is not HOST:PORT", addr)
	}
	if !remote && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("address %q is not loopback", addr)
	}
	return nil
}

// URL is the relay's address, without a path.
func (s *Server) URL() string {
	if s.cfg.TLS != nil {
		return "wss://" + s.addr.String()
	}
	return "ws://" + s.addr.String()
}

// Close ends every connection without a close message and waits for all the
// server's goroutines. It may be called again.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	_ = s.http.Close()
	s.Disconnect(0)
	s.work.Wait()
}

// Disconnect ends all present connections: with a close message of this code,
// or for 0 without one.
func (s *Server) Disconnect(code int) {
	s.mu.Lock()
	present := slices.Collect(maps.Keys(s.clients))
	s.mu.Unlock()
	for _, c := range present {
		c.end(code)
	}
}

// Inject adds faults; an ordinal that has passed strikes at the next frame.
func (s *Server) Inject(faults ...Fault) error {
	for _, f := range faults {
		made, err := ready(f)
		if err != nil {
			return fmt.Errorf("fault %q: %w", f.Kind, err)
		}
		s.mu.Lock()
		s.strikes = append(s.strikes, made)
		s.mu.Unlock()
	}
	return nil
}

// Refuse answers the next request with status, and Retry-After if not empty.
// Several calls queue up.
func (s *Server) Refuse(status int, retryAfter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = append(s.refusals, refusal{status, retryAfter})
}

// Injected counts the faults committed, by kind.
func (s *Server) Injected() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.injected)
}

// Skipped lists the seqs that skip faults kept from clients.
func (s *Server) Skipped() []event.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.skipped)
}

// Sent counts log frames sent whole, on all connections.
func (s *Server) Sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// Requests lists the requests received, oldest first, the last 1024.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Control counts the pings and pongs received from clients, and the close
// messages that were not answers to the server's own.
func (s *Server) Control() (pings, pongs, goodbyes int64) {
	return s.pings.Load(), s.pongs.Load(), s.goodbyes.Load()
}

// Conns is how many clients are connected now.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// due lists the faults that strike before the next frame on connection conn,
// and counts them.
func (s *Server) due(conn uint64) []*strike {
	s.mu.Lock()
	defer s.mu.Unlock()
	var now []*strike
	for _, each := range s.strikes {
		if each.due(s.sent+1, conn) {
			s.injected[each.Kind]++
			now = append(now, each)
			s.cfg.Logger.Debug("relay fault", "kind", each.Kind, "frame", strconv.FormatInt(s.sent+1, 10))
		}
	}
	return now
}
