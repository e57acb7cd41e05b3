package place

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// nowMinus may stand for "-" before a duration: what begins with a dash is a flag
// to whatever reads command lines.
const nowMinus = "now-"

// dayForm is a time of day, with or without a zone.
var dayForm = regexp.MustCompile(`^[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?$`)

// zoneForm is a zone behind a time as some programs write it: after a blank, without a
// colon.
var zoneForm = regexp.MustCompile(`(:[0-9]{2}(?:\.[0-9]{1,9})?) ?([+-][0-9]{2}):?([0-9]{2})$`)

// moment reads a time, a date, a time of day, a named day, or a duration before
// now.
func moment(text string, now time.Time) (time.Time, bool) {
	// RFC 3339 allows t and z, and a space for T.
	upper := strings.ToUpper(text)
	if len(upper) > len(time.DateOnly) && upper[len(time.DateOnly)] == 'T' {
		upper = upper[:len(time.DateOnly)] + " " + upper[len(time.DateOnly)+1:]
	}
	upper = zoneForm.ReplaceAllString(upper, "$1$2:$3")
	for _, layout := range []string{
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly,
	} {
		// Fractions of a second are read although the layout has none.
		if at, err := time.ParseInLocation(layout, upper, now.Location()); err == nil {
			return at, inReach(at)
		}
	}
	if at, err := time.ParseInLocation("01-02 15:04", text, now.Location()); err == nil {
		return lastOfYear(at, now), true
	}
	if at, ok := namedDay(strings.ToLower(text), now); ok {
		return at, true
	}
	if at, ok := timeOfDay(upper, now); ok {
		if at.After(now) {
			at, ok = timeOfDay(upper, now.AddDate(0, 0, -1))
		}
		return at, ok
	}
	ago := strings.TrimPrefix(strings.TrimPrefix(text, nowMinus), "-")
	d, ok := Duration(strings.TrimSuffix(ago, " ago"))
	return now.Add(-d), ok
}

// inReach refuses years that no stream's clock shows: ids count milliseconds from
// 1970, and JSON has four digits.
func inReach(at time.Time) bool { return at.Year() >= 1970 && at.Year() < 9999 }

// lastOfYear is the last time that a month, day and time of day was.
func lastOfYear(at, now time.Time) time.Time {
	at = at.AddDate(now.Year(), 0, 0)
	if at.After(now) {
		at = at.AddDate(-1, 0, 0)
	}
	return at
}

// namedDay reads now, today and yesterday, the latter two with or without a time
// of day.
func namedDay(text string, now time.Time) (time.Time, bool) {
	word, clock, timed := strings.Cut(text, " ")
	day := now
	switch word {
	case "now":
		return now, !timed
	case "today":
	case "yesterday":
		day = now.AddDate(0, 0, -1)
	default:
		return now, false
	}
	if timed {
		return timeOfDay(strings.ToUpper(clock), day)
	}
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, day.Location()), true
}

// timeOfDay is that time on the day of now, in now's location unless it has a
// zone of its own.
func timeOfDay(text string, now time.Time) (time.Time, bool) {
	if !dayForm.MatchString(text) {
		return now, false
	}
	zoned := strings.HasSuffix(text, "Z") || strings.ContainsAny(text, "+-")
	for _, layout := range []string{"15:04:05", "15:04"} {
		if zoned {
			at, err := time.Parse(layout+"Z07:00", text)
			if err == nil {
				day := now.In(at.Location())
				return onDay(day, at), true
			}
			continue
		}
		if at, err := time.Parse(layout, text); err == nil {
			return onDay(now, at), true
		}
	}
	return now, false
}

func onDay(day, clock time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), day.Location())
}

// farthest is ten years: what is longer is a slip of the finger.
const farthest = 10 * 365 * 24 * time.Hour

// units are those of Go's durations, with the words in which spans are printed,
// days and weeks.
var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "sec": time.Second, "m": time.Minute, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour,
}

var partForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?(ns|us|µs|ms|(second|minute|hour|day|week)s?|sec|s|min|m|h|d|w)(?: |$|[0-9])`)

// Duration reads a span of at most ten years: numbers with units of ns to w, such
// as 10m, 1h30m, 1.5d2h, "7.5 h" or 1w. ok is false for anything else, also for
// what is below zero or has no unit.
func Duration(text string) (d time.Duration, ok bool) {
	for rest := text; rest != ""; {
		m := partForm.FindStringSubmatch(rest)
		if m == nil {
			return 0, false
		}
		n, err := strconv.ParseFloat(m[1], 64)
		part := n * float64(units[cmp.Or(m[3], m[2])])
		if err != nil || part > float64(farthest) {
			return 0, false
		}
		if d += time.Duration(part); d > farthest {
			return 0, false
		}
		tail := rest[len(m[1]):]
		tail = strings.TrimPrefix(tail, " ")[len(m[2]):]
		rest = strings.TrimPrefix(tail, " ")
		if tail != "" && rest == "" {
			return 0, false // a blank at the end
		}
		ok = true
	}
	return d, ok
}
