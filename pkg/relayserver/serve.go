package relayserver

import (
	"fmt"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
)

// Request is what a client asked for.
type Request struct {
	// Cursor is the parameter as sent; HasCursor tells none from empty.
	Cursor       string
	HasCursor    bool
	UserAgent    string
	Subprotocols []string
	Extensions   string
	// Status is the HTTP status it was answered with; 101 is an upgrade.
	Status int
}

// maxRequests is how many requests are remembered, the newest.
const maxRequests = 1024

// serve answers one request, as a stream if it can.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	request := Request{
		Cursor: query.Get("cursor"), HasCursor: query.Has("cursor"), UserAgent: r.UserAgent(),
		Subprotocols: websocket.Subprotocols(r), Extensions: r.Header.Get("Sec-Websocket-Extensions"),
	}
	cursor, ok := event.ParseSeq(request.Cursor)
	if !s.enter() {
		http.Error(w, "closing", http.StatusServiceUnavailable)
		return
	}
	defer s.work.Done()
	c, refused := s.admit(&request, !request.HasCursor || ok)
	if c == nil {
		if refused.retryAfter != "" {
			w.Header().Set("Retry-After", refused.retryAfter)
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(refused.status)
		fmt.Fprintf(w, "<html><h1>%d</h1></html>\n", refused.status)
		return
	}
	defer s.dismiss(c)
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c.open(ws)
	s.cfg.Logger.Debug("relay client connected", "cursor", request.Cursor)
	c.run(request.HasCursor, cursor)
}

// enter counts a request for Close to wait for, unless it is too late.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.work.Add(1)
	}
	return !s.closed
}

// admit records the request and makes room for a client, or refuses.
func (s *Server) admit(r *Request, understood bool) (*client, refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := refusal{}
	switch {
	case len(s.clients) >= s.cfg.MaxConns:
		refused.status = http.StatusServiceUnavailable
	case len(s.refusals) > 0:
		refused, s.refusals = s.refusals[0], s.refusals[1:]
	case !understood:
		refused.status = http.StatusBadRequest
	}
	r.Status = refused.status
	if refused.status == 0 {
		r.Status = http.StatusSwitchingProtocols
	}
	s.requests = append(s.requests, *r)
	if extra := len(s.requests) - maxRequests; extra > 0 {
		s.requests = s.requests[extra:]
	}
	if refused.status != 0 {
		return nil, refused
	}
	s.conns++
	c := &client{Server: s, id: s.conns}
	s.clients[c] = struct{}{}
	return c, refusal{}
}

func (s *Server) dismiss(c *client) {
	s.mu.Lock()
	delete(s.clients, c)
	s.mu.Unlock()
	c.end(0)
}
