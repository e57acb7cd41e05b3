package stats

import (
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/text"
)

// The outcomes of a check: at most the limit, above it, or nothing to compare.
const (
	OK      = "ok"
	Failed  = "failed"
	Unknown = "unknown"
)

// The names of checks: one for each limit.
const (
	MaxLag        = "max-lag"
	MaxLagSeconds = "max-lag-seconds"
	MaxPending    = "max-pending"
	MaxCursorAge  = "max-cursor-age"
)

// Limits are what a monitor does not want passed; nil does not check. What is at its
// limit passes.
type Limits struct {
	// Lag is in entries that a group was not given, LagSeconds the age of the oldest
	// of them. Pending is in entries given out and not acknowledged.
	Lag, Pending *int64
	LagSeconds   *float64
	// CursorAge is how old the event at the cursor may be.
	CursorAge *time.Duration
}

// judge holds a report against the limits. A limit on groups is checked for
// every group, so that each that fails is named; groups are those that must exist,
// none means any.
func (l Limits) judge(r *Report, groups []string) []Check {
	checks := []Check{}
	each := func(name string, limit float64, of func(*Group) (float64, string)) {
		checks = append(checks, missing(r, groups, name, limit)...)
		for i := range r.Groups {
			g := &r.Groups[i]
			value, detail := of(g)
			checks = append(checks, compare(Check{Name: name, Group: g.Name, Limit: limit, Value: &value, Detail: detail}))
		}
	}
	if l.Lag != nil {
		each(MaxLag, float64(*l.Lag), func(g *Group) (float64, string) {
			return float64(g.Lag), fmt.Sprintf("group %s is %s entries behind", g.Name, text.About(g.Lag, g.LagExact))
		})
	}
	if l.LagSeconds != nil {
		each(MaxLagSeconds, *l.LagSeconds, func(g *Group) (float64, string) {
			return g.LagSeconds, fmt.Sprintf("group %s is %s behind", g.Name, text.Span(Duration(g.LagSeconds)))
		})
	}
	if l.Pending != nil {
		each(MaxPending, float64(*l.Pending), func(g *Group) (float64, string) {
			return float64(g.Pending), fmt.Sprintf("group %s has %s pending entries", g.Name, text.Thousands(g.Pending))
		})
	}
	if l.CursorAge != nil {
		checks = append(checks, cursorCheck(r, *l.CursorAge))
	}
	return checks
}

// missing says which groups cannot be checked. A group that is gone must not
// pass for one that keeps up.
func missing(r *Report, groups []string, name string, limit float64) (checks []Check) {
	if len(groups) == 0 && len(r.Groups) == 0 {
		detail := fmt.Sprintf("stream %s has no consumer group", r.Stream.Key)
		if !r.Stream.Exists {
			detail = fmt.Sprintf("stream %s does not exist", r.Stream.Key)
		}
		return []Check{{Name: name, Status: Unknown, Limit: limit, Detail: detail}}
	}
	for _, want := range groups {
		if r.Group(want) == nil {
			checks = append(checks, Check{Name: name, Group: want, Status: Unknown, Limit: limit,
				Detail: fmt.Sprintf("stream %s has no group %s", r.Stream.Key, want)})
		}
	}
	return checks
}

func cursorCheck(r *Report, limit time.Duration) Check {
	c := Check{Name: MaxCursorAge, Limit: limit.Seconds(), Value: r.Cursor.AgeSeconds}
	switch {
	case r.Cursor.Unknown != "":
		c.Detail = r.Cursor.Unknown
	case !r.Cursor.Present:
		c.Detail = fmt.Sprintf("there is no cursor %s", r.Cursor.Key)
	case c.Value == nil:
		c.Detail = fmt.Sprintf("the age of cursor %s is not known", r.Cursor.Key)
	default:
		c.Detail = fmt.Sprintf("cursor %s is %s old", r.Cursor.Key, text.Span(Duration(*c.Value)))
	}
	return compare(c)
}

func compare(c Check) Check {
	switch {
	case c.Value == nil:
		c.Status = Unknown
	case *c.Value > c.Limit:
		c.Status = Failed
		c.Detail += ", more than " + c.limitText()
	default:
		c.Status = OK
	}
	return c
}

func (c *Check) limitText() string {
	switch c.Name {
	case MaxLagSeconds, MaxCursorAge:
		return text.Span(Duration(c.Limit))
	}
	return text.Thousands(int64(c.Limit))
}

// Duration is a span of a report, in seconds, as one; beyond 146 years it is cut there.
func Duration(s float64) time.Duration {
	const most = float64(1<<63-1) / float64(time.Second) / 2
	return time.Duration(min(max(s, -most), most) * float64(time.Second))
}
