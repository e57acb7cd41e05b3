package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// placeKind says how a place is given.
type placeKind uint8

const (
	placeUnset placeKind = iota
	placeOldest
	placeLive
	placeSeq
	placeID
	placeTime
)

// place is a place in a stream or in a relay's window, as it is written on the
// command line: by every command with the same words.
type place struct {
	kind placeKind
	seq  event.Seq
	id   redisstream.ID
	time time.Time
	text string // as given; "" when nothing was
}

// placeHint is for who wrote none of the forms.
const placeHint = "write a seq (7000000123), an entry id (1767225600000-0), a time (2026-01-02T15:04:05Z), how long ago (10m), oldest or live"

var (
	idForm     = regexp.MustCompile(`^[0-9]{1,20}-[0-9]{1,20}$`)
	digitsForm = regexp.MustCompile(`^[0-9]+$`)
	daysForm   = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d(.*)$`)
)

// parsePlace reads oldest, live, a seq (digits, or seq:N), an entry id (ms-n),
// an RFC 3339 time, a date, or a duration, which means that long ago. Digits
// alone are always a seq. ok is false for what has none of these forms.
func parsePlace(text string, now time.Time) (p place, ok bool) {
	p.text = text
	digits, named := strings.CutPrefix(text, "seq:")
	switch {
	case text == "oldest":
		p.kind, ok = placeOldest, true
	case text == "live":
		p.kind, ok = placeLive, true
	case named || digitsForm.MatchString(digits):
		p.kind = placeSeq
		p.seq, ok = parseSeqWord(digits)
	case idForm.MatchString(text):
		p.kind = placeID
		p.id, ok = redisstream.ParseID(text)
	default:
		p.kind = placeTime
		p.time, ok = parseMoment(text, now)
	}
	return p, ok
}

// parseSeqWord forgives the leading zeros that people copy from padded logs.
func parseSeqWord(digits string) (event.Seq, bool) {
	if short := strings.TrimLeft(digits, "0"); short != "" {
		digits = short
	}
	return event.ParseSeq(digits)
}

// parseMoment reads a time, a date, or a duration before now.
func parseMoment(text string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	ago, ok := parseAgo(strings.TrimPrefix(strings.TrimPrefix(text, nowMinus), "-"))
	return now.Add(-ago), ok
}

// farthestAgo is ten years: what is longer is a slip of the finger.
const farthestAgo = 10 * 365 * 24 * time.Hour

// parseAgo reads a duration as Go does, and days in front of it.
func parseAgo(text string) (ago time.Duration, ok bool) {
	rest := text
	if m := daysForm.FindStringSubmatch(text); m != nil {
		days, err := strconv.ParseFloat(m[1], 64)
		if err != nil || days > farthestAgo.Hours()/24 {
			return 0, false
		}
		ago, rest = time.Duration(days*24*float64(time.Hour)), m[2]
		if rest == "" {
			return ago, true
		}
	}
	d, err := time.ParseDuration(rest)
	ago += d
	return ago, err == nil && d >= 0 && ago <= farthestAgo
}

// measured reports whether the place is found by looking into the stream.
func (p place) measured() bool { return p.kind == placeTime || p.kind == placeID }

// open reports whether the place bounds nothing.
func (p place) open() bool { return p.kind == placeUnset || p.kind == placeOldest }
