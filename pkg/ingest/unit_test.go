package ingest

import (
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
)

// The watchdog is fed while the pipeline moves or waits for something, and no
// longer once it is silent beyond any wait it can be in: then it is stuck.
func TestWatchdogKnowsWaitingFromStuck(t *testing.T) {
	up, down := event.Link{State: event.LinkUp}, event.Link{State: event.LinkDown, Retry: 5 * time.Minute}
	for _, c := range []struct {
		name    string
		idle    time.Duration
		link    event.Link
		queued  int64
		silence time.Duration
		want    bool
	}{
		{"events come", time.Minute, up, 0, time.Second, true},
		{"a quiet relay", time.Minute, up, 0, time.Minute, true},
		{"connected, and no idle timeout struck", time.Minute, up, 0, 2 * time.Minute, false},
		{"a quiet relay without an idle timeout", 0, up, 0, time.Hour, true},
		{"frames wait and nothing takes them", 0, up, 5, 2 * time.Minute, false},
		{"a dial takes its time", time.Minute, event.Link{State: event.LinkDialing}, 0, time.Minute, true},
		{"a dial never ends", time.Minute, event.Link{State: event.LinkDialing}, 0, 2 * time.Minute, false},
		{"the relay said when to come back", time.Minute, down, 0, 5 * time.Minute, true},
		{"and we did not", time.Minute, down, 0, 7 * time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Now()
			monitor := health.New(health.Config{})
			monitor.SetQueue(func() (int64, int64) { return c.queued, c.queued })
			m := &unit{monitor: monitor, idle: c.idle, now: func() time.Time { return now }, began: now}
			monitor.Link(c.link)
			m.Link(c.link)
			now = now.Add(c.silence)
			if got := m.alive(); got != c.want {
				t.Errorf("alive is %v", got)
			}
		})
	}
}
