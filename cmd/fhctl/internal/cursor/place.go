package cursor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/place"
)

// parseCursorPlace reads a VALUE; the error is a usage error.
func parseCursorPlace(text string, now time.Time) (place.Place, error) {
	p, err := place.Parse(text, now)
	switch {
	case err != nil:
		return p, err
	case p.Kind == place.Saved:
		return p, shell.UsageError(errors.New("saved is where the cursor stands already"), place.Hint)
	case p.Kind == place.Time && p.Time.After(now):
		return p, shell.UsageError(fmt.Errorf("%s is in the future", p), "for what comes from now on write live")
	}
	if ago, isAgo := strings.CutPrefix(text, shell.NowMinus); isAgo {
		p.Text = "-" + ago
	}
	return p, nil
}
