package conn

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
)

// G7: an outage whose cause changes to one that waiting does not end, such as a
// certificate that is not trusted any more, is told again, once.
func TestOutageNamesEachCause(t *testing.T) {
	var log storetest.Log
	o := Outage{Connection: &Connection{Logger: slog.New(slog.NewTextHandler(&log, nil))}, Doing: "store events"}
	for _, cause := range []string{"connection", "dial", "timeout", "loading", "tls", "tls", "connection", "dns", "tls"} {
		o.attempt++
		o.note(errors.New("away"), cause, 0)
	}
	if got := log.String(); strings.Count(got, "cause=") != 3 || strings.Count(got, "cause=tls") != 1 || strings.Count(got, "cause=dns") != 1 {
		t.Errorf("the log has:\n%s", got)
	}
	o.Over()
	o.note(errors.New("away"), "tls", 0)
	if got := log.String(); strings.Count(got, "cause=tls") != 2 {
		t.Errorf("another outage is not told:\n%s", got)
	}
}

// Q: every word that event.Store.Cause can be is listed once, as a label.
func TestCausesAreAllListed(t *testing.T) {
	causes := Causes()
	for _, word := range []string{"oom", "loading", "misconf", "readonly", "max_clients", "timeout", "dial", "dns", "tls", "connection"} {
		if !slices.Contains(causes, word) {
			t.Errorf("%s is not listed", word)
		}
	}
	slices.Sort(causes)
	if len(slices.Compact(slices.Clone(causes))) != len(causes) {
		t.Errorf("listed twice: %v", causes)
	}
}
