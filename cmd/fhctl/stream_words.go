package main

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// dash stands for what there is none of.
const dash = "-"

func tilde(n int64, exact bool) string {
	if exact {
		return text.Thousands(n)
	}
	return "~" + text.Thousands(n)
}

func span(s float64) string { return text.Span(stats.Duration(s)) }

// hours keeps hours where the issue is how many of them.
func hours(s float64) string {
	if s < 7170 || s >= 1000*3600 {
		return span(s)
	}
	return fmt.Sprintf("%.1f h", s/3600)
}

func ago(s float64) string {
	if s < 0 {
		return "in the future by " + span(-s)
	}
	return span(s) + " ago"
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func perSecond(rate float64) string {
	switch {
	case rate > 0 && rate < 0.05:
		return fmt.Sprintf("%.1f/h", rate*3600)
	case rate < 99.95:
		return fmt.Sprintf("%.1f/s", rate)
	}
	return text.Thousands(int64(rate+0.5)) + "/s"
}

func optional(s *float64) string {
	if s == nil {
		return dash
	}
	return span(*s)
}

func orDash(text string) string {
	if text == "" {
		return dash
	}
	return text
}
