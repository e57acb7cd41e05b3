package endpoint

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
)

// Kind is what stands at either end of a replay.
type Kind uint8

const (
	EndStream Kind = iota
	EndRelay
	CaptureEnd
	EndStdout
	EndServe
)

// Terminus is a source or a target as it was named.
type Terminus struct {
	Kind Kind
	Path string // of a capture
	Url  string // "" is the one of the settings
	Text string // as given; may hold a password
}

var (
	redisForm = regexp.MustCompile(`^(rediss?([+-][a-z]+)?|unix|embedded)://`)
	relayForm = regexp.MustCompile(`^(wss?|https?|sim)://`)
)

// ParseSource reads what is replayed.
func ParseSource(text string) (Terminus, error) {
	e := Terminus{Text: text}
	path, isCapture := CutCapture(text)
	switch {
	case text == "stream":
		return e, nil
	case text == "relay":
		e.Kind = EndRelay
		return e, nil
	case redisForm.MatchString(text):
		e.Url = text
		return e, nil
	case relayForm.MatchString(text):
		e.Kind, e.Url = EndRelay, text
		return e, nil
	case isCapture || strings.ContainsAny(path, "./"):
		e.Kind, e.Path = CaptureEnd, path
		return e, nil
	}
	if _, err := os.Stat(text); err == nil {
		e.Kind, e.Path = CaptureEnd, text
		return e, nil
	}
	return e, shell.UsageError(fmt.Errorf("source %q is not known", text),
		"write stream, relay, a capture file such as run.fhz, or the URL of a Redis or a relay")
}

// parseTarget reads where events go; ok is false when text has no form of a
// target.
func parseTarget(text string) (e Terminus, ok bool) {
	e.Text = text
	path, isCapture := CutCapture(text)
	switch {
	case text == "-" || text == "stdout":
		e.Kind = EndStdout
	case text == "stream":
		e.Kind = EndStream
	case redisForm.MatchString(text):
		e.Kind, e.Url = EndStream, text
	case isCapture && path != "" || strings.HasSuffix(path, ".fhz") && len(path) > len(".fhz"):
		e.Kind, e.Path = CaptureEnd, path
	default:
		return e, false
	}
	return e, true
}

// ParseTo reads the values of --to: the end of the range, where to write, or
// one of each. No form of the one is a form of the other.
func ParseTo(values []string, now time.Time, label string) (until place.Place, target *Terminus, err error) {
	for _, text := range values {
		p, notPlace := place.Parse(text, now)
		e, isTarget := parseTarget(text)
		isPlace := notPlace == nil
		switch {
		case isPlace && until.Text != "":
			return until, target, shell.UsageError(fmt.Errorf("flag --to: %q is a second end of the range", text), "give one end, and one target")
		case isPlace && p.Kind == place.Live:
			return until, target, ranges.CheckEnd("--to", p)
		case isPlace:
			until = p
		case isTarget && target != nil:
			return until, target, shell.UsageError(fmt.Errorf("flag --to: %q is a second target", fault.Redact(text)), "give one target, and one end of the range")
		case isTarget:
			target = &e
		case ranges.LooksLikePlace(text):
			return until, target, fmt.Errorf("flag --to: %w", notPlace)
		default:
			return until, target, shell.UsageError(fmt.Errorf("flag --to: %q is neither a target nor an end of the range", fault.Redact(text)),
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
