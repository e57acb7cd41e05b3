package health

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// Report is the JSON of /readyz. Fields may be added, never renamed. Errors are
// bounded to 512 bytes and hold no secret.
type Report struct {
	Ready  bool   `json:"ready"`
	Reason Reason `json:"reason"` // one word; see the package comment
	Detail string `json:"detail"` // for people; its wording may change
	// Alarm is what relay_held waits for: an event.Alarm's name.
	Alarm string `json:"alarm,omitempty"`
	// Role is leader or standby; absent until Redis was asked. Leader is who
	// leads, when it is another process.
	Role   string      `json:"role,omitempty"`
	Leader string      `json:"leader,omitempty"`
	Relay  RelayReport `json:"relay"`
	Store  StoreReport `json:"store"`
	// Cursor is the last stored seq in decimal digits, since it may exceed
	// what a JSON reader keeps exactly; null when there is none.
	Cursor *string `json:"cursor"`
	// LastEventTime is the informal time of the last stored event (E6) in
	// RFC 3339; null when unknown. LagSeconds is now minus that time.
	LastEventTime *string  `json:"lastEventTime"`
	LagSeconds    *float64 `json:"lagSeconds"`
	// StreamLength is the number of entries in the stream; null when unknown.
	StreamLength *int64 `json:"streamLength"`
	Version      string `json:"version,omitempty"`
}

// RelayReport is the relay connection in a Report.
type RelayReport struct {
	State        string  `json:"state"` // down, dialing, up or held
	URL          string  `json:"url"`
	From         string  `json:"from"`            // live, oldest or a seq
	Attempt      int     `json:"attempt"`         // dials since the seq last advanced
	Cause        string  `json:"cause,omitempty"` // a bounded word
	Error        string  `json:"error,omitempty"`
	RetrySeconds float64 `json:"retrySeconds,omitempty"`
}

// StoreReport is Redis in a Report.
type StoreReport struct {
	State        string  `json:"state"` // unknown, up or down
	Attempt      int     `json:"attempt"`
	Cause        string  `json:"cause,omitempty"`
	Error        string  `json:"error,omitempty"`
	RetrySeconds float64 `json:"retrySeconds,omitempty"`
}

// Report is the state as /readyz serves it.
func (m *Monitor) Report() Report {
	s := m.Snapshot()
	r := Report{
		Ready: s.Able(), Reason: s.Reason, Detail: s.Detail, Alarm: s.Alarm,
		Relay: relayReport(s.Link), Store: storeReport(s.Store, s.StoreKnown),
		Version: m.cfg.Version,
	}
	if s.RoleKnown {
		r.Role, r.Leader = roleName(s.Role), s.Role.By
	}
	if s.Cursor > 0 {
		digits := s.Cursor.String()
		r.Cursor = &digits
	}
	if !s.LastTime.IsZero() {
		at, lag := s.LastTime.UTC().Format(time.RFC3339Nano), s.Lag.Seconds()
		r.LastEventTime, r.LagSeconds = &at, &lag
	}
	if s.Length >= 0 {
		r.StreamLength = &s.Length
	}
	return r
}

func roleName(r event.Role) string {
	if r.Leading {
		return "leader"
	}
	return "standby"
}

func relayReport(link event.Link) RelayReport {
	return RelayReport{
		State: link.State.String(), URL: userinfo.ReplaceAllString(link.URL, "://***@"), From: link.From.String(),
		Attempt: link.Attempt, Cause: link.Cause, Error: plain(link.Err), RetrySeconds: link.Retry.Seconds(),
	}
}

func storeReport(store event.Store, known bool) StoreReport {
	state := "unknown"
	switch {
	case store.Up:
		state = "up"
	case known:
		state = "down"
	}
	return StoreReport{
		State: state, Attempt: store.Attempt, Cause: store.Cause,
		Error: plain(store.Err), RetrySeconds: store.Retry.Seconds(),
	}
}
