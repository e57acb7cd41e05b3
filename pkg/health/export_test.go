package health

import "net/http"

// Tick is one tick of the recorder, for tests with a clock of their own.
func (m *Monitor) Tick() { m.tick() }

// MaxStreams is how many pages may be open.
const MaxStreams = maxStreams

// Handler is what the listener answers with.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// OwnNames guards a handler against names that somebody else may own.
func OwnNames(addr string, next http.Handler) http.Handler { return ownNames(addr, nil, next) }
