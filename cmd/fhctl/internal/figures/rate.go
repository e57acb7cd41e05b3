package figures

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

func RateText(r *stats.Rate) string {
	average := ""
	if r.AveragePerSecond != nil {
		average = "; " + PerSecond(*r.AveragePerSecond) + " on average"
	}
	switch {
	case r.PerSecond == nil:
		return "unknown: too few entries" + average
	case *r.PerSecond == 0:
		return "nothing was stored in the last " + Span(stats.IdleAfter.Seconds()) + average
	}
	return fmt.Sprintf("%s over the last %s (%s)%s", PerSecond(*r.PerSecond), text.Counted(r.Entries, "entry"), Span(r.WindowSeconds), average)
}
