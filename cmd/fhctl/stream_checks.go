package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/text"
)

// The outcomes of a check.
const (
	checkOK      = "ok"
	checkFailed  = "failed"
	checkUnknown = "unknown"
)

// statsLimits are what a monitor does not want passed; nil does not check.
type statsLimits struct {
	lag, pending *int64
	lagSeconds   *float64
	cursorAge    *time.Duration
	groups       []string // those that must exist; empty means any
}

// judge holds a report against the limits. A limit on groups is checked for
// every group, so that each that fails is named.
func (l statsLimits) judge(r *statsReport) []checkReport {
	checks := []checkReport{}
	each := func(name string, limit float64, of func(*groupReport) (float64, string)) {
		checks = append(checks, l.missing(r, name, limit)...)
		for i := range r.Groups {
			g := &r.Groups[i]
			value, detail := of(g)
			checks = append(checks, compare(checkReport{Name: name, Group: g.Name, Limit: limit, Value: &value, Detail: detail}))
		}
	}
	if l.lag != nil {
		each("max-lag", float64(*l.lag), func(g *groupReport) (float64, string) {
			return float64(g.Lag), fmt.Sprintf("group %s is %s entries behind", g.Name, about(g.Lag, g.LagExact))
		})
	}
	if l.lagSeconds != nil {
		each("max-lag-seconds", *l.lagSeconds, func(g *groupReport) (float64, string) {
			return g.LagSeconds, fmt.Sprintf("group %s is %s behind", g.Name, text.Span(seconds(g.LagSeconds)))
		})
	}
	if l.pending != nil {
		each("max-pending", float64(*l.pending), func(g *groupReport) (float64, string) {
			return float64(g.Pending), fmt.Sprintf("group %s has %s pending entries", g.Name, text.Thousands(g.Pending))
		})
	}
	if l.cursorAge != nil {
		checks = append(checks, cursorCheck(r, *l.cursorAge))
	}
	return checks
}

// missing says which groups cannot be checked. A group that is gone must not
// pass for one that keeps up.
func (l statsLimits) missing(r *statsReport, name string, limit float64) (checks []checkReport) {
	if len(l.groups) == 0 && len(r.Groups) == 0 {
		detail := fmt.Sprintf("stream %s has no consumer group", r.Stream.Key)
		if !r.Stream.Exists {
			detail = fmt.Sprintf("stream %s does not exist", r.Stream.Key)
		}
		return []checkReport{{Name: name, Status: checkUnknown, Limit: limit, Detail: detail}}
	}
	for _, want := range l.groups {
		if groupNamed(r, want) == nil {
			checks = append(checks, checkReport{Name: name, Group: want, Status: checkUnknown, Limit: limit,
				Detail: fmt.Sprintf("stream %s has no group %s", r.Stream.Key, want)})
		}
	}
	return checks
}

func groupNamed(r *statsReport, name string) *groupReport {
	for i := range r.Groups {
		if r.Groups[i].Name == name {
			return &r.Groups[i]
		}
	}
	return nil
}

func cursorCheck(r *statsReport, limit time.Duration) checkReport {
	c := checkReport{Name: "max-cursor-age", Limit: limit.Seconds(), Value: r.Cursor.AgeSeconds}
	switch {
	case r.Cursor.Unknown != "":
		c.Detail = r.Cursor.Unknown
	case !r.Cursor.Present:
		c.Detail = fmt.Sprintf("there is no cursor %s", r.Cursor.Key)
	case c.Value == nil:
		c.Detail = fmt.Sprintf("the age of cursor %s is not known", r.Cursor.Key)
	default:
		c.Detail = fmt.Sprintf("cursor %s is %s old", r.Cursor.Key, text.Span(seconds(*c.Value)))
	}
	return compare(c)
}

func compare(c checkReport) checkReport {
	switch {
	case c.Value == nil:
		c.Status = checkUnknown
	case *c.Value > c.Limit:
		c.Status = checkFailed
		c.Detail += ", more than " + c.limitText()
	default:
		c.Status = checkOK
	}
	return c
}

func (c *checkReport) limitText() string {
	switch c.Name {
	case "max-lag-seconds", "max-cursor-age":
		return text.Span(seconds(c.Limit))
	}
	return text.Thousands(int64(c.Limit))
}

// checkError is nil when every check passed. A failed one makes it findings; only
// where none failed does one that could not be made matter: then nobody knows.
func checkError(checks []checkReport) error {
	var failed, unknown []error
	for i := range checks {
		c := &checks[i]
		err := errors.New("--" + c.Name + ": " + c.Detail)
		switch c.Status {
		case checkFailed:
			failed = append(failed, fault.New(fault.Findings, err, ""))
		case checkUnknown:
			unknown = append(unknown, fault.New(fault.Unreachable, fmt.Errorf("%w, so it cannot be checked", err), ""))
		}
	}
	return errors.Join(append(failed, unknown...)...)
}

// about is a number of entries, said to be an estimate where it is one.
func about(n int64, exact bool) string {
	if exact {
		return text.Thousands(n)
	}
	return "about " + text.Thousands(n)
}

// seconds is a span in seconds as a duration, within what one can hold.
func seconds(s float64) time.Duration {
	const most = float64(1<<63-1) / float64(time.Second) / 2
	return time.Duration(min(max(s, -most), most) * float64(time.Second))
}
