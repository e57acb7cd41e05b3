// Package figures writes the numbers of reports for people.
package figures

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// Dash stands for what there is none of.
const Dash = "-"

// Tilde is a number, with ~ before one that is not exact.
func Tilde(n int64, exact bool) string {
	if exact {
		return text.Thousands(n)
	}
	return "~" + text.Thousands(n)
}

// Span is a number of seconds for people.
func Span(s float64) string { return text.Span(stats.Duration(s)) }

// Hours keeps hours where the issue is how many of them.
func Hours(s float64) string {
	if s < 7170 || s >= 1000*3600 {
		return Span(s)
	}
	return fmt.Sprintf("%.1f h", s/3600)
}

// Ago says how many seconds ago something was.
func Ago(s float64) string {
	if s < 0 {
		return "in the future by " + Span(-s)
	}
	return Span(s) + " ago"
}

// Percent is a share of 1 in percent.
func Percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// Optional is Span of what may not be known.
func Optional(s *float64) string {
	if s == nil {
		return Dash
	}
	return Span(*s)
}

// OrDash is a text, or a dash where there is none.
func OrDash(text string) string {
	if text == "" {
		return Dash
	}
	return text
}
