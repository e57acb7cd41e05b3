package figures

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// Dash stands for what there is none of.
const Dash = "-"

func Tilde(n int64, exact bool) string {
	if exact {
		return text.Thousands(n)
	}
	return "~" + text.Thousands(n)
}

func Span(s float64) string { return text.Span(stats.Duration(s)) }

// Hours keeps hours where the issue is how many of them.
func Hours(s float64) string {
	if s < 7170 || s >= 1000*3600 {
		return Span(s)
	}
	return fmt.Sprintf("%.1f h", s/3600)
}

func Ago(s float64) string {
	if s < 0 {
		return "in the future by " + Span(-s)
	}
	return Span(s) + " ago"
}

func Percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func Optional(s *float64) string {
	if s == nil {
		return Dash
	}
	return Span(*s)
}

func OrDash(text string) string {
	if text == "" {
		return Dash
	}
	return text
}
