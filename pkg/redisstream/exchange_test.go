package redisstream

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// line is the connection of a Writer, which may be cut.
type line struct {
	mu   sync.Mutex
	last net.Conn
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = conn
	return conn, err
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.last.Close()
}

// A server that takes a new connection and no command on it, since a script keeps it
// busy, is waited for like any other; nothing is read into replies that never came.
func TestFaultBusyAtTheFirstCommand(t *testing.T) {
	redistest.RequireReal(t)
	k, l := newKit(t, redistest.Start(t, "--busy-reply-threshold", "1")), &line{}
	w, _ := k.open(func(c *Config) { c.Dialer = l.dial })
	k.must(w, storetest.Run(storetest.Live, 1, 3))
	busy := func(do func() error) {
		t.Helper()
		k.mu.Lock()
		k.stores = nil
		k.mu.Unlock()
		other := k.Server.Client()
		go other.Eval(context.Background(), "while true do end", nil)
		storetest.Eventually(t, "a busy server", func() bool { return k.Client.Ping(k.Ctx()).Err() != nil })
		l.cut()
		done := make(chan error, 1)
		go func() { done <- do() }()
		k.waits(done, "busy", func() { k.Do("script", "kill") })
	}
	busy(func() error {
		_, err := w.Commit(k.Ctx(), []*event.Batch{storetest.Run(event.AfterSeq(3), 4, 6)})
		return err
	})
	k.wantRun(1, 6)
	busy(func() error {
		at, err := w.Resume(k.Ctx())
		if err == nil && at.Position != event.AfterSeq(6) {
			t.Errorf("resume at %v: %s", at.Position, at.Why)
		}
		return err
	})
}
