package stats

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/text"
)

// Text is the rate in words.
func (r *Rate) Text() string {
	average := ""
	if r.AveragePerSecond != nil {
		average = "; " + text.PerSecond(*r.AveragePerSecond) + " on average"
	}
	switch {
	case r.PerSecond == nil:
		return "unknown: too few entries" + average
	case *r.PerSecond == 0:
		return "nothing was stored in the last " + text.Span(IdleAfter) + average
	}
	return fmt.Sprintf("%s over the last %s (%s)%s", text.PerSecond(*r.PerSecond), text.Counted(r.Entries, "entry"), text.Span(Duration(r.WindowSeconds)), average)
}
