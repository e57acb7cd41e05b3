package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// tailPlan is what tail's flags mean together, checked before anything is
// connected.
type tailPlan struct {
	relay  bool
	last   int64 // entries from the end; -1 all
	since  tailPlace
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
	if p.since, err = parseSince(o.since, now); err != nil {
		return nil, fmt.Errorf("flag --since: %w", err)
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
	recording := strings.HasPrefix(url, "capture:")
	switch {
	case p.since.kind == sinceTime || p.since.kind == sinceID:
		return usageError(errors.New("flag --since: a relay cannot look for a time or a stream id"), "write seq:N, oldest or live, or use --source stream")
	case p.end && (p.since.kind == sinceLive || p.since.kind == sinceUnset && !recording):
		return usageError(errors.New("flag --end: a live start is at the end already"), "say where to begin with --since seq:N or --since oldest")
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
		return usageError(fmt.Errorf("flag --source: %q is neither stream nor relay", o.source), "write stream or relay")
	case o.format != "" && o.format != "text" && o.format != "json":
		return usageError(fmt.Errorf("flag --output: %q is neither text nor json", o.format), "write text or json")
	case shapes > 1:
		return usageError(errors.New("--output, --raw and --template each say what a line looks like"), "leave all but one out")
	case o.raw && o.ops:
		return usageError(errors.New("--raw shows whole entries, --ops parts of them"), "leave one out")
	case o.end && (o.follow || o.expect > 0):
		return usageError(errors.New("--end stops where --follow and --expect go on"), "leave one out")
	case o.expect > 0 && o.limit > 0:
		return usageError(errors.New("--expect ends by itself after its events"), "leave --limit out")
	case o.limit < 0 || o.expect < 0:
		return usageError(errors.New("--limit and --expect count from 0"), "write a positive number")
	case o.withinSet && o.expect == 0:
		return usageError(errors.New("--within is how long --expect waits"), "add --expect N, or use --timeout")
	case o.expect > 0 && o.within <= 0:
		return usageError(errors.New("flag --within: it must be longer than 0"), "write a duration such as 30s")
	case o.source == output.FromRelay && o.last != "":
		return usageError(errors.New("flag --tail: a relay cannot count back from its end"), "say where to begin with --since seq:N or --since oldest")
	}
	return nil
}

// lastEntries reads --tail; its default depends on what else was asked.
func (o *tailOptions) lastEntries() (int64, error) {
	switch {
	case o.last == "all" || o.last == "-1":
		return -1, nil
	case o.last != "":
		n, err := strconv.ParseInt(o.last, 10, 64)
		if err != nil || n < 0 {
			return 0, usageError(fmt.Errorf("flag --tail: %q is not a number of entries", o.last), "write a number, or all")
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

// tailPlace is where reading begins.
type tailPlace struct {
	kind tailPlaceKind
	at   time.Time
	seq  event.Seq
	id   redisstream.ID
}

type tailPlaceKind uint8

const (
	sinceUnset tailPlaceKind = iota
	sinceOldest
	sinceLive
	sinceTime
	sinceSeq
	sinceID
)

// parseSince reads --since. Digits alone are a seq, as everywhere.
func parseSince(text string, now time.Time) (tailPlace, error) {
	switch text {
	case "":
		return tailPlace{}, nil
	case "oldest":
		return tailPlace{kind: sinceOldest}, nil
	case "live":
		return tailPlace{kind: sinceLive}, nil
	}
	digits, named := strings.CutPrefix(text, "seq:")
	if seq, ok := event.ParseSeq(digits); ok && seq > 0 {
		return tailPlace{kind: sinceSeq, seq: seq}, nil
	} else if named {
		return tailPlace{}, usageError(fmt.Errorf("%q is not a sequence number", digits), "write it like seq:7000000123")
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return tailPlace{kind: sinceTime, at: at}, nil
	}
	if ago, err := time.ParseDuration(strings.TrimPrefix(text, "-")); err == nil && ago >= 0 && ago < math.MaxInt64 {
		return tailPlace{kind: sinceTime, at: now.Add(-ago)}, nil
	}
	if id, ok := redisstream.ParseID(text); ok && strings.Contains(text, "-") {
		return tailPlace{kind: sinceID, id: id}, nil
	}
	return tailPlace{}, usageError(fmt.Errorf("%q is not a place to begin", text),
		"write 10m, 2026-01-02T03:04:05Z, seq:7000000123, a stream id such as 1767323045000-0, oldest or live")
}
