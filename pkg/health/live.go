package health

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	maxStreams  = 16 // pages open at once; more are answered 503
	writeWithin = 10 * time.Second
)

// live wakes the pages that are open. Nothing is queued for a slow one: it is
// shown what is true when it is ready for more.
type live struct {
	mu      sync.Mutex
	ticked  chan struct{} // closed at the next tick
	edition int           // rises with each new point of the graphs
	open    int
}

func (l *live) init() { l.ticked = make(chan struct{}) }

// tell ends a tick; added says that the graphs have a new point.
func (l *live) tell(added bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.ticked)
	l.ticked = make(chan struct{})
	if added {
		l.edition++
	}
}

// next is the edition of the graphs now, and what tells of the next tick.
func (l *live) next() (edition int, ticked <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.edition, l.ticked
}

func (l *live) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= maxStreams {
		return false
	}
	l.open++
	return true
}

func (l *live) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// follow answers /live: server-sent events until the client, or the server,
// has enough. "state" is a View, every tick; "graphs" comes when there is a new
// point.
func (m *Monitor) follow(stop <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !m.live.enter() {
			w.Header().Set("Retry-After", "10")
			http.Error(w, fmt.Sprintf("%d pages are open already", maxStreams), http.StatusServiceUnavailable)
			return
		}
		defer m.live.leave()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		if r.Method == http.MethodHead {
			return
		}
		m.stream(w, r, stop)
	}
}

func (m *Monitor) stream(w http.ResponseWriter, r *http.Request, stop <-chan struct{}) {
	to := http.NewResponseController(w)
	// The server's read deadline is for requests; this one has been read. A
	// recorder in a test knows no deadlines.
	_ = to.SetReadDeadline(time.Time{})
	shownEdition := -1
	for {
		edition, ticked := m.live.next()
		var out bytes.Buffer
		if edition != shownEdition {
			shownEdition = edition
			writeEvent(&out, "graphs", m.graphs())
		}
		writeEvent(&out, "state", m.View())
		_ = to.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := w.Write(out.Bytes()); err != nil || to.Flush() != nil {
			return
		}
		select {
		case <-ticked:
		case <-r.Context().Done():
			return
		case <-stop:
			return
		}
	}
}

// writeEvent writes one event; JSON has no line break in it.
func writeEvent(out *bytes.Buffer, name string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		return // our own types always encode
	}
	fmt.Fprintf(out, "event: %s\ndata: %s\n\n", name, data)
}
