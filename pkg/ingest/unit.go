package ingest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
	"github.com/fhctl/fhctl/pkg/systemd"
	"github.com/fhctl/fhctl/pkg/text"
)

// unit tells systemd how a run is. Ready means that settings are in force
// and the work has begun: Redis and relay may be away for hours, which is waited
// out, and no reason for systemd to give up. The watchdog is fed as long as
// something is heard of the pipeline within the longest wait it can be in.
type unit struct {
	observe.Silent
	notifier  *systemd.Notifier // nil without systemd
	monitor   *health.Monitor
	idle      time.Duration // how long a relay may be silent; 0 is for ever
	now       func() time.Time
	began     time.Time
	lastEvent atomic.Int64 // when, since began
	retry     atomic.Int64 // how long the relay asked us to wait
}

func newUnit(cfg Config, monitor *health.Monitor) *unit {
	notifier, err := systemd.New(cfg.Environ)
	if err != nil {
		cfg.Logger.Warn("systemd is not told how this process is", "err", err.Error())
	}
	m := &unit{notifier: notifier, monitor: monitor, idle: cfg.Pipeline.IdleTimeout, now: time.Now}
	m.began = m.now()
	return m
}

const (
	// slack is beyond a wait, for a slow machine.
	slack = 30 * time.Second
	// longestWait is the longest of its own that ingest can be in while it is
	// not connected: a dial and its backoff, or a minute while held.
	longestWait = time.Minute + slack
	statusEvery = 5 * time.Second
)

func (m *unit) hear() { m.lastEvent.Store(int64(m.now().Sub(m.began))) }

// Link is heard at every dial and its end.
func (m *unit) Link(l event.Link) {
	m.retry.Store(int64(l.Retry))
	m.hear()
}

// Store is heard at every try to reach Redis.
func (m *unit) Store(event.Store) { m.hear() }

// Role is heard each time that the sink answers one that stands by.
func (m *unit) Role(r event.Role) {
	if !r.Leading {
		m.hear()
	}
}

// Counted is heard with every run of frames.
func (m *unit) Counted(*event.Counts) { m.hear() }

// Stored is heard with every batch.
func (m *unit) Stored(*event.Batch, event.Receipt) { m.hear() }

// Alarm is heard when something was noticed.
func (m *unit) Alarm(event.Alarm, event.Seq, string) { m.hear() }

// alive reports whether the pipeline moves, or waits for something that it would
// tell of in time. Connected to a silent relay it is the idle timeout that
// breaks the silence; without one any silence is right, unless frames wait.
func (m *unit) alive() bool {
	silence := m.now().Sub(m.began) - time.Duration(m.lastEvent.Load())
	s := m.monitor.Snapshot()
	switch {
	case s.Link.State != event.LinkUp:
		return silence <= longestWait+time.Duration(m.retry.Load())
	case m.idle > 0:
		return silence <= m.idle+slack
	}
	return s.QueueEvents == 0 || silence <= longestWait
}

// run says ready, then how things are, until ctx ends.
func (m *unit) run(ctx context.Context) error {
	if m.notifier == nil {
		return nil
	}
	defer func() { _ = m.notifier.Close() }()
	m.notifier.Ready()
	every := statusEvery
	if w := m.notifier.Watchdog(); w > 0 {
		every = min(every, w/3)
	}
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for {
		m.notifier.Status(m.line())
		if m.alive() {
			m.notifier.Alive()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// line is what systemctl status shows.
func (m *unit) line() string {
	s := m.monitor.Snapshot()
	if !s.Able() {
		return fmt.Sprintf("%s: %s", s.Reason, s.Detail)
	}
	return fmt.Sprintf("%s: %s; cursor %s, %s entries", s.Reason, s.Detail, s.Cursor, text.Thousands(max(0, s.Length)))
}

func (m *unit) stopping()  { m.notifier.Stopping() }
func (m *unit) reloading() { m.notifier.Reloading() }
func (m *unit) reloaded()  { m.notifier.Ready() }
