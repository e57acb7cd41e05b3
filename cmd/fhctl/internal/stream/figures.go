package stream

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// dash stands for what there is none of.
const dash = "-"

// tilde is a number, with ~ before one that is not exact.
func tilde(n int64, exact bool) string {
	if exact {
		return text.Thousands(n)
	}
	return "~" + text.Thousands(n)
}

// span is a number of seconds for people.
func span(s float64) string { return text.Span(stats.Duration(s)) }

// hours keeps hours where the issue is how many of them.
func hours(s float64) string {
	if s < 7170 || s >= 1000*3600 {
		return span(s)
	}
	return fmt.Sprintf("%.1f h", s/3600)
}

// ago says how many seconds ago something was.
func ago(s float64) string {
	if s < 0 {
		return "in the future by " + span(-s)
	}
	return span(s) + " ago"
}

// percent is a share of 1 in percent.
func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// optional is span of what may not be known.
func optional(s *float64) string {
	if s == nil {
		return dash
	}
	return span(*s)
}

// orDash is a text, or a dash where there is none.
func orDash(text string) string {
	if text == "" {
		return dash
	}
	return text
}
