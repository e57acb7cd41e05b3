package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fhctl/fhctl/pkg/fault"
)

const (
	headerTimeout = 5 * time.Second
	wholeTimeout  = 10 * time.Second // reading a request, writing an answer
	idleTimeout   = time.Minute      // a kept-alive connection
	closeTimeout  = time.Second      // answers under way when the server stops
	maxHeader     = 16 << 10         // bytes
	maxScrapes    = 4                // at once; more are answered 503
)

// Server is a bound listener, ready to serve.
type Server struct {
	monitor  *Monitor
	listener net.Listener
	http     *http.Server
}

// Listen binds addr, "host:port"; port 0 takes a free one. It logs a warning
// when the address is not loopback, since nothing here asks who is calling. An
// address that cannot be bound is a usage fault, or refused when the system
// forbids it.
func (m *Monitor) Listen(addr string) (*Server, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, listenFault(addr, err)
	}
	stopping := make(chan struct{})
	handler := ownNames(addr, m.cfg.Hosts, sameSite(m.handler(stopping)))
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		m.cfg.Logger.Warn("Health and metrics answer anyone who reaches this address", "addr", listener.Addr().String())
	}
	server := &Server{monitor: m, listener: listener, http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       wholeTimeout,
		WriteTimeout:      wholeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(m.cfg.Logger.Handler(), slog.LevelDebug),
	}}
	// Pages that are open would be waited for.
	server.http.RegisterOnShutdown(sync.OnceFunc(func() { close(stopping) }))
	return server, nil
}

func listenFault(addr string, err error) error {
	err = fmt.Errorf("listen for health on %q: %w", addr, err)
	hint := fault.To("health-addr", "") + " takes host:port, such as 127.0.0.1:9477"
	switch class := fault.Listening(err); {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another process has this address: choose another with " + fault.To("health-addr", "") + ", port 0 for a free one"
	case class == fault.Refused:
		hint = "choose a port above 1023 with " + fault.To("health-addr", "")
	}
	return fault.New(fault.Listening(err), err, hint)
}

// Addr is the address that was bound, with its real port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until ctx ends, then lets answers under way finish for a second
// and returns nil. It returns once its goroutines have ended. Call it once.
func (s *Server) Serve(ctx context.Context) error {
	var recording sync.WaitGroup
	recorded, stopRecording := context.WithCancel(ctx)
	recording.Go(func() { s.monitor.record(recorded) })
	defer recording.Wait()
	defer stopRecording()
	stopped := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if s.http.Shutdown(grace) != nil {
			s.http.Close()
		}
	})
	err := s.http.Serve(s.listener)
	if !unwatch() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve health: %w", err)
}

// Close frees the address of a server that will not Serve.
func (s *Server) Close() error { return s.listener.Close() }

// Serve is Listen and Server.Serve in one.
func (m *Monitor) Serve(ctx context.Context, addr string) error {
	server, err := m.Listen(addr)
	if err != nil {
		return err
	}
	return server.Serve(ctx)
}

// Handler answers the endpoints, for tests and for another server. Without a
// Server the status page has no history, and its stream stands still.
func (m *Monitor) Handler() http.Handler { return m.handler(nil) }

// handler ends the streams of open pages when stopping is closed.
func (m *Monitor) handler(stopping <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // the caller is gone if this fails
	})
	mux.HandleFunc("/readyz", m.readyz)
	mux.Handle("/metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.cfg.Logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
		Timeout:             wholeTimeout / 2,
		DisableCompression:  true, // each scrape at a time would take more than a megabyte for it
	}))
	mux.HandleFunc("/{$}", m.status)
	mux.HandleFunc("/live", m.follow(stopping))
	return readOnly(mux)
}

// readOnly lets nothing but GET and HEAD through.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (m *Monitor) readyz(w http.ResponseWriter, _ *http.Request) {
	report := m.Report()
	body, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		http.Error(w, "encode report", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !report.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(body, '\n')) // the caller is gone if this fails
}
