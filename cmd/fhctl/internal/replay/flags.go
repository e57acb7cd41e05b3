package replay

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
)

// parseRate reads --rate: N/s, N/m, or N a second. 0 is no limit.
func parseRate(text string) (perSecond float64, err error) {
	if text == "" {
		return 0, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	per, known := map[string]float64{"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}[unit]
	if err != nil || !known || !(n > 0) || n > 1e9 {
		return 0, shell.UsageError(fmt.Errorf("flag --rate: %q is not a rate", text), "write it like 500/s or 30/m")
	}
	return n / per, nil
}

// parseSpeed reads --speed: 2x, 0.5x, or max, which is 0.
func parseSpeed(text string) (factor float64, err error) {
	if text == "max" || text == "" {
		return 0, nil
	}
	factor, err = strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(factor > 0) || factor > 1e6 {
		return 0, shell.UsageError(fmt.Errorf("flag --speed: %q is not a speed", text), "write it like 1x, 2x, 0.5x or max")
	}
	return factor, nil
}
