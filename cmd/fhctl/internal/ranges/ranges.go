// Package ranges reads where a range of events begins and ends, as flags name it.
package ranges

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
)

// BeginWords complete a flag that says where to begin.
var BeginWords = []cobra.Completion{"10m", "1h", "yesterday", "oldest", "newest", "live", "seq:"}

// ParseBegin reads where a range begins; "" is nowhere. Seq 0 is below every seq,
// so it is the oldest.
func ParseBegin(flag, text string, now time.Time) (place.Place, error) {
	if text == "" {
		return place.Place{}, nil
	}
	p, err := place.Parse(text, now)
	switch {
	case err != nil:
		return p, fmt.Errorf("flag %s: %w", flag, err)
	case p.Kind == place.Saved:
		return p, shell.UsageError(fmt.Errorf(`flag %s: "saved" is where ingest goes on, and no place to begin here`, flag), place.Hint)
	case p.Kind == place.Seq && p.Seq == 0:
		p.Kind = place.Oldest
	}
	return p, nil
}

// ParseEnd reads where a range ends, that place included; "" is nowhere.
func ParseEnd(flag, text string, now time.Time) (place.Place, error) {
	if text == "" {
		return place.Place{}, nil
	}
	p, err := place.Parse(text, now)
	if err != nil {
		return p, fmt.Errorf("flag %s: %w", flag, err)
	}
	return p, CheckEnd(flag, p)
}

// CheckEnd refuses places where no range ends.
func CheckEnd(flag string, p place.Place) error {
	switch {
	case p.Kind == place.Oldest || p.Kind == place.Live || p.Kind == place.Saved:
		return shell.UsageError(fmt.Errorf("flag %s: %q is where a range can begin, not where it ends", flag, p.Text), "leave it out: what is stored is read up to its present end")
	case p.Kind == place.Seq && p.Seq == 0:
		return shell.UsageError(fmt.Errorf("flag %s: no event has seq 0, so nothing lies before it", flag), "write the last seq that is wanted")
	}
	return nil
}

// LooksLikePlace reports whether a text that is no place was meant for one: it
// has the digits of a clock or of too high a seq.
func LooksLikePlace(text string) bool {
	_, err := place.Parse(text, time.Now())
	bad, ok := errors.AsType[*place.Error](err)
	return ok && fault.HintOf(err) != place.Hint && bad.Text != ""
}

// TellLacks logs what of a range is not held, in the words of verify.
func TellLacks(log *slog.Logger, why ...string) {
	for _, part := range why {
		if part != "" {
			log.Warn("The range is covered in part: " + part)
		}
	}
}
