package health_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
)

// A standby is ready for what it is there for, and says what it is. What it
// stored while it led is no longer how things are.
func TestRoles(t *testing.T) {
	m, c := newMonitor(t)
	if r := m.Report(); r.Role != "" {
		t.Errorf("before Redis was asked: %+v", r)
	}
	leads, stands := func() { m.Role(event.Role{Leading: true, Cursor: 4}) }, func() { m.Role(event.Role{By: "fhctl/other-1", Cursor: 9}) }
	steps := []struct {
		what   string
		do     func()
		reason health.Reason
		role   string
	}{
		{"no relay yet", stands, health.Starting, "standby"},
		{"connected", func() { m.Link(up()) }, health.Standby, "standby"},
		{"for an hour", func() { c.advance(time.Hour); stands() }, health.Standby, "standby"},
		{"Redis down", func() { m.Store(event.Store{Cause: "timeout"}) }, health.StoreDown, "standby"},
		{"Redis up", func() { m.Store(event.Store{Up: true}) }, health.Standby, "standby"},
		{"takes over", leads, health.Starting, "leader"},
		{"stores", func() { store(m, 10) }, health.Ready, "leader"},
		{"held", func() { m.Link(event.Link{State: event.LinkHeld, Cause: event.AlarmReset.String()}) }, health.RelayHeld, "leader"},
		{"led, not connected yet", stands, health.RelayHeld, "standby"},
		{"led", func() { m.Link(up()); stands() }, health.Standby, "standby"},
		{"relay lost", func() { m.Link(event.Link{State: event.LinkDown, Cause: "eof"}) }, health.RelayDown, "standby"},
	}
	for _, step := range steps {
		step.do()
		r := m.Report()
		standby := r.Role == "standby"
		if r.Reason != step.reason || r.Role != step.role || r.Ready != (r.Reason == health.Ready || r.Reason == health.Standby) {
			t.Errorf("%s: %+v", step.what, r)
		}
		if standby != (r.Leader == "fhctl/other-1") || standby && (*r.Cursor != "9" || r.LagSeconds != nil || r.StreamLength != nil) {
			t.Errorf("%s: %+v", step.what, r)
		}
		want := "fhctl_leader 1\n"
		if standby {
			want = "fhctl_leader 0\n"
		}
		if text := scrape(t, m); !strings.Contains(text, want) {
			t.Errorf("%s: metrics lack %q", step.what, want)
		}
	}
}
