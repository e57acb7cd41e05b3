package health

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/fhctl/fhctl/pkg/text"
)

// shown is untrusted text as the page shows it: bounded, valid, and without
// what would reorder or hide its neighbours. The page escapes it besides.
func shown(foreign string) string {
	if len(foreign) > maxDetail {
		foreign = text.Clip(foreign, maxDetail) + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(foreign, string(unicode.ReplacementChar)))
}

// rate is a number of things per second: a digit behind the point only where
// it matters.
func rate(v float64) string {
	if v < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return text.Thousands(int64(v + .5))
}

// quickly is a span of one exchange.
func quickly(seconds float64) string {
	if seconds < 1 {
		return fmt.Sprintf("%.1f ms", seconds*1e3)
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// clock is a time of day. The page says once that all are UTC.
func clock(at time.Time) string { return at.UTC().Format("15:04:05") }
