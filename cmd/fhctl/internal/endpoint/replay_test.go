package endpoint

import (
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
)

func TestReplayPlacesAndTargetsAreToldApart(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]string{
		"7000000123": "place", "seq:12": "place", "1767225600000-0": "place", "2026-01-02T03:04:05Z": "place",
		"2026-01-02": "place", "10m": "place", "-10m": "place", "1h30m": "place", "oldest": "place",
		"run.fhz": "target", "./7.fhz": "target", "capture:x": "target", "-": "target", "stdout": "target", "stream": "target",
		"redis://h:1": "target", "rediss://h": "target", "unix:///x": "target",
		"": "neither", "live": "neither", "out.jsonl": "neither", ".fhz": "neither", "9007199254740992": "neither", "1-": "neither", "relay": "neither", "wss://h": "neither",
	} {
		until, target, err := ParseTo([]string{text}, now, "replay")
		got := "neither"
		switch {
		case err != nil:
			if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
				t.Errorf("%q: %v has no class or hint", text, err)
			}
		case target != nil:
			got = "target"
		case until.Text != "":
			got = "place"
		}
		if got != want {
			t.Errorf("%q is a %s, want %s (%v)", text, got, want, err)
		}
	}
	if p, _ := place.Parse("10m", now); !p.Time.Equal(now.Add(-10 * time.Minute)) {
		t.Errorf("10m is %v", p.Time)
	}
}
