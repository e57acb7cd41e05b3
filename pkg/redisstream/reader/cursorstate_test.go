package reader

import (
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

func TestEventTimeIsOneThatCanBeTrue(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	const window = 72 * time.Hour
	for name, tc := range map[string]struct {
		sent   string
		stored time.Time
		window time.Duration
		ok     bool
	}{
		"a minute ago":                  {"2026-01-02T11:59:00Z", now, window, true},
		"nothing":                       {"", now, window, false},
		"no time":                       {"hearsay", now, window, false},
		"clocks differ a little":        {"2026-01-02T12:59:00Z", now, window, true},
		"of the future":                 {"2026-01-02T13:01:00Z", now, window, false},
		"at the end of the window":      {"2025-12-30T11:30:00Z", now, window, true},
		"older than any relay holds":    {"2025-12-30T10:59:00Z", now, window, false},
		"old, in a stream as old":       {"2025-12-30T10:59:00Z", now.Add(-time.Hour), window, true},
		"old, stored nobody knows when": {"2020-01-01T00:00:00Z", time.Time{}, window, true},
		"old, without a window":         {"2020-01-01T00:00:00Z", now, 0, true},
	} {
		c := CursorState{Side: script.Side{EventTime: tc.sent}}
		if at, ok := c.EventTime(tc.stored, now, tc.window); ok != tc.ok {
			t.Errorf("%s: %v %v, want %v", name, at, ok, tc.ok)
		}
	}
}
