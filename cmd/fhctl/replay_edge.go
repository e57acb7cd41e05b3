package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
)

// endKind is what stands at either end of a replay.
type endKind uint8

const (
	endStream endKind = iota
	endRelay
	endCapture
	endStdout
	endServe
)

// terminus is a source or a target as it was named.
type terminus struct {
	kind endKind
	path string // of a capture
	url  string // "" is the one of the settings
	text string // as given; may hold a password
}

var (
	redisForm = regexp.MustCompile(`^(rediss?([+-][a-z]+)?|unix|embedded)://`)
	relayForm = regexp.MustCompile(`^(wss?|https?|sim)://`)
)

// parseSource reads what is replayed.
func parseSource(text string) (terminus, error) {
	e := terminus{text: text}
	path, isCapture := cutCapture(text)
	switch {
	case text == "stream":
		return e, nil
	case text == "relay":
		e.kind = endRelay
		return e, nil
	case redisForm.MatchString(text):
		e.url = text
		return e, nil
	case relayForm.MatchString(text):
		e.kind, e.url = endRelay, text
		return e, nil
	case isCapture || strings.ContainsAny(path, "./"):
		e.kind, e.path = endCapture, path
		return e, nil
	}
	if _, err := os.Stat(text); err == nil {
		e.kind, e.path = endCapture, text
		return e, nil
	}
	return e, usageError(fmt.Errorf("source %q is not known", text),
		"write stream, relay, a capture file such as run.fhz, or the URL of a Redis or a relay")
}

// parseTarget reads where events go; ok is false when text has no form of a
// target.
func parseTarget(text string) (e terminus, ok bool) {
	e.text = text
	path, isCapture := cutCapture(text)
	switch {
	case text == "-" || text == "stdout":
		e.kind = endStdout
	case text == "stream":
		e.kind = endStream
	case redisForm.MatchString(text):
		e.kind, e.url = endStream, text
	case isCapture && path != "" || strings.HasSuffix(path, ".fhz") && len(path) > len(".fhz"):
		e.kind, e.path = endCapture, path
	default:
		return e, false
	}
	return e, true
}

// parseTo reads the values of --to: the end of the range, where to write, or
// one of each. No form of the one is a form of the other.
func parseTo(values []string, now time.Time, label string) (until place.Place, target *terminus, err error) {
	for _, text := range values {
		p, notPlace := place.Parse(text, now)
		e, isTarget := parseTarget(text)
		isPlace := notPlace == nil
		switch {
		case isPlace && until.Text != "":
			return until, target, usageError(fmt.Errorf("flag --to: %q is a second end of the range", text), "give one end, and one target")
		case isPlace && p.Kind == place.Live:
			return until, target, checkEnd("--to", p)
		case isPlace:
			until = p
		case isTarget && target != nil:
			return until, target, usageError(fmt.Errorf("flag --to: %q is a second target", fault.Redact(text)), "give one target, and one end of the range")
		case isTarget:
			target = &e
		case looksLikePlace(text):
			return until, target, fmt.Errorf("flag --to: %w", notPlace)
		default:
			return until, target, usageError(fmt.Errorf("flag --to: %q is neither a target nor an end of the range", fault.Redact(text)),
				targetHint[label]+"; "+place.Hint)
		}
	}
	return until, target, nil
}

// targetHint says what each command can write to.
var targetHint = map[string]string{
	"replay": "a target is FILE.fhz, a Redis URL, stream or - (for JSON lines in a file, redirect standard output)",
	"record": "a target is a file that ends in .fhz, such as run.fhz",
}

// parseRate reads --rate: N/s, N/m, or N a second. 0 is no limit.
func parseRate(text string) (perSecond float64, err error) {
	if text == "" {
		return 0, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	per, known := map[string]float64{"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}[unit]
	if err != nil || !known || !(n > 0) || n > 1e9 {
		return 0, usageError(fmt.Errorf("flag --rate: %q is not a rate", text), "write it like 500/s or 30/m")
	}
	return n / per, nil
}

// parseSpeed reads --speed: 2x, 0.5x, or max, which is 0.
func parseSpeed(text string) (factor float64, err error) {
	if text == "max" || text == "" {
		return 0, nil
	}
	factor, err = strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(factor > 0) || factor > 1e6 {
		return 0, usageError(fmt.Errorf("flag --speed: %q is not a speed", text), "write it like 1x, 2x, 0.5x or max")
	}
	return factor, nil
}
