package tail

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/place"
)

// tailPlan is what tail's flags mean together, checked before anything is
// connected.
type tailPlan struct {
	relay  bool
	last   int64 // entries from the end; -1 all
	since  place.Place
	follow bool
	end    bool // asked for
	ops    bool
	raw    bool
	limit  int64 // lines; 0 none
	expect int64 // events; 0 none
	match  *tailMatch
}

// followedTail is how many entries -f shows before it waits, as tail does.
const followedTail = 10

func (o *tailOptions) plan(relayURL string, now time.Time) (*tailPlan, error) {
	if err := o.together(); err != nil {
		return nil, err
	}
	p := &tailPlan{relay: o.source == output.FromRelay, end: o.end, ops: o.ops, raw: o.raw, limit: o.limit, expect: o.expect}
	p.follow = o.follow || o.expect > 0 || p.relay && !o.end
	var err error
	if p.since, err = ranges.ParseBegin("--since", o.since, now); err != nil {
		return nil, err
	}
	if p.last, err = o.lastEntries(); err != nil {
		return nil, err
	}
	if p.match, err = newTailMatch(o); err != nil {
		return nil, err
	}
	if p.relay {
		return p, p.relayCan(relayURL)
	}
	return p, nil
}

// relayCan refuses what only a stream can do.
func (p *tailPlan) relayCan(url string) error {
	_, recording := endpoint.CutCapture(url)
	switch {
	case p.since.Kind == place.Time || p.since.Kind == place.ID:
		return shell.UsageError(errors.New("flag --since: a relay cannot look for a time or a stream id"), "write seq:N, oldest or live, or use --source stream")
	case p.end && (p.since.Kind == place.Live || p.since.Kind == place.Newest || p.since.Kind == place.Unset && !recording):
		return shell.UsageError(errors.New("flag --end: a live start is at the end already"), "say where to begin with --since seq:N or --since oldest")
	}
	return nil
}

// together refuses flags that do not go together, and words no flag takes.
func (o *tailOptions) together() error {
	shapes := 0
	for _, set := range []bool{o.raw, o.template != "", o.format != ""} {
		if set {
			shapes++
		}
	}
	switch {
	case o.source != output.FromStream && o.source != output.FromRelay:
		return shell.UsageError(fmt.Errorf("flag --source: %q is neither stream nor relay", o.source), "write stream or relay")
	case o.format != "" && o.format != "text" && o.format != "json":
		return shell.UsageError(fmt.Errorf("flag --output: %q is neither text nor json", o.format), "write text or json")
	case shapes > 1:
		return shell.UsageError(errors.New("--output, --raw and --template each say what a line looks like"), "leave all but one out")
	case o.raw && o.ops:
		return shell.UsageError(errors.New("--raw shows whole entries, --ops parts of them"), "leave one out")
	case o.end && (o.follow || o.expect > 0):
		return shell.UsageError(errors.New("--end stops where --follow and --expect go on"), "leave one out")
	case o.expect > 0 && o.limit > 0:
		return shell.UsageError(errors.New("--expect ends by itself after its events"), "leave --limit out")
	case o.withinSet && o.expect == 0:
		return shell.UsageError(errors.New("--within is how long --expect waits"), "add --expect N, or use --timeout")
	case o.source == output.FromRelay && o.last != "":
		return shell.UsageError(errors.New("flag --tail: a relay cannot count back from its end"), "say where to begin with --since seq:N or --since oldest")
	}
	return nil
}

// lastEntries reads --tail; its default depends on what else was asked.
func (o *tailOptions) lastEntries() (int64, error) {
	switch {
	case o.last == "all":
		return -1, nil
	case o.last != "":
		n, err := strconv.ParseInt(o.last, 10, 64)
		if err != nil || n < 0 {
			return 0, shell.UsageError(fmt.Errorf("flag --tail: %q is not a number of entries", o.last), "write a number, or all")
		}
		return n, nil
	case o.since != "":
		return -1, nil
	case o.expect > 0:
		return 0, nil
	case o.follow:
		return followedTail, nil
	}
	return -1, nil
}
