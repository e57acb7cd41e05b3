package replay

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

func TestReplayRatesAndSpeeds(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "500/s": 500, "500": 500, "30/m": 0.5, "3600/h": 1} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("rate %q is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]float64{"max": 0, "1x": 1, "2x": 2, "0.5x": 0.5, "3": 3} {
		if got, err := parseSpeed(text); err != nil || got != want {
			t.Errorf("speed %q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0/s", "-1/s", "x", "1/d", "NaN", "Inf/s"} {
		if _, err := parseRate(text); fault.ClassOf(err) != fault.Usage {
			t.Errorf("rate %q: %v", text, err)
		}
	}
	for _, text := range []string{"0x", "-2x", "fast", "NaNx"} {
		if _, err := parseSpeed(text); fault.ClassOf(err) != fault.Usage {
			t.Errorf("speed %q: %v", text, err)
		}
	}
}
