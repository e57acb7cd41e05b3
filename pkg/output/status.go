package output

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

// Status is what the live line shows.
type Status struct {
	Events   int64     // decoded since the start; the line derives the rate
	Rejected int64     // frames that yielded no event; shown above 0
	Seq      event.Seq // last stored; 0 when nothing is
	Lag      time.Duration
	LagKnown bool
	Length   int64 // entries in the stream; below 0 when unknown
	Link     event.Link
	// StoreDown is set while Redis does not take batches, for Store's cause.
	StoreDown bool
	Store     event.Store
	Held      string // the alarm that an operator must resolve; else empty
	Led       bool   // another process stores; this one stands by
	Stopping  bool
}

// render is the text of the line: what is going on, then what was reached.
// waited is how long the link, or the store, has been as it is.
func (s *Status) render(rate float64, waited time.Duration) string {
	parts := []string{"fhctl", s.state(rate, waited)}
	if s.Seq > 0 {
		parts = append(parts, "seq "+text.Thousands(int64(s.Seq)))
	}
	if s.LagKnown {
		parts = append(parts, "lag "+text.Span(s.Lag))
	}
	if s.Length >= 0 {
		parts = append(parts, "stream "+text.Thousands(s.Length))
	}
	if s.Rejected > 0 {
		parts = append(parts, "rejected "+text.Thousands(s.Rejected))
	}
	return text.Escape(strings.Join(parts, "  "))
}

func (s *Status) state(rate float64, waited time.Duration) string {
	switch {
	case s.Stopping:
		return "stopping: storing what was read"
	case s.Held != "":
		return "held: " + s.Held + ", waiting for an operator, see the log"
	case s.StoreDown:
		return "waiting for Redis" + waiting(s.Store.Cause, s.Store.Retry-waited)
	case s.Link.State == event.LinkDown && s.Link.Attempt > 0:
		return "waiting for relay" + waiting(s.Link.Cause, s.Link.Retry-waited)
	case s.Link.State != event.LinkUp:
		return strings.TrimSpace("connecting to relay " + host(s.Link.URL))
	case s.Led:
		return "standing by: another process leads"
	default:
		return text.Thousands(int64(rate+0.5)) + " ev/s"
	}
}

// waiting counts down: a retry that is due is not mentioned.
func waiting(cause string, left time.Duration) string {
	text := ""
	if cause != "" {
		text = ": " + cause
	}
	if left > 0 {
		text += fmt.Sprintf(", retry in %d s", (left+time.Second-1)/time.Second)
	}
	return text
}

// host is what a glance needs of a URL, and holds no password.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
