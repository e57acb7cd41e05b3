package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// cursorPlace is a VALUE of cursor set, understood but not looked up yet.
type cursorPlace struct {
	text string // as typed
	seq  event.Seq
	at   time.Time // of a time; zero otherwise
	live bool
}

// nowMinus stands for "-" before a duration: what begins with a dash is a flag
// to whatever reads command lines.
const nowMinus = "now-"

// agoArg is a duration before now, as in -10m, 1h30m or -2d.
var agoArg = regexp.MustCompile(`^-[0-9][0-9.]*(ms|s|m|h|d)([0-9.]+(ms|s|m|h))*$`)

// agoArgs lets "fhctl cursor set -10m" be written as it is said.
func agoArgs(args []string) []string {
	words := 0
	for i, arg := range args {
		switch {
		case arg == "--":
			return args
		case words < 2 && arg == []string{"cursor", "set"}[words]:
			words++
		case words == 2 && agoArg.MatchString(arg):
			changed := append([]string(nil), args...)
			changed[i] = nowMinus + arg[1:]
			return changed
		}
	}
	return args
}

const placeHint = "write a seq, oldest, live, a time before now as -10m, or a time as 2026-01-02T03:04:05Z"

// parsePlace reads a VALUE; the error is a usage error.
func parseCursorPlace(text string, now time.Time) (cursorPlace, error) {
	p := cursorPlace{text: text}
	ago, isAgo := strings.CutPrefix(text, nowMinus)
	if agoArg.MatchString(text) { // behind a "--"
		ago, isAgo = text[1:], true
	}
	switch {
	case text == "oldest":
		return p, nil
	case text == "live":
		p.live = true
		return p, nil
	case isAgo:
		d, err := parseAgo(ago)
		p.text, p.at = "-"+ago, now.Add(-d)
		return p, err
	}
	if digits := strings.TrimLeft(text, "0"); text != "" && strings.Trim(text, "0123456789") == "" {
		seq, ok := event.ParseSeq(cmp.Or(digits, "0"))
		if !ok {
			return p, usageError(fmt.Errorf("%s is above every seq a relay can send", text), placeHint)
		}
		p.seq = seq
		return p, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return p, usageError(fmt.Errorf("%q is no place in a relay's stream", text), placeHint)
	}
	if at.After(now) {
		return p, usageError(fmt.Errorf("%s is in the future", text), "for what comes from now on write live")
	}
	p.at = at
	return p, nil
}

// parseAgo reads a duration as Go does, and days.
func parseAgo(text string) (time.Duration, error) {
	var days float64
	var err error
	rest := text
	if number, after, ok := strings.Cut(text, "d"); ok {
		if days, err = strconv.ParseFloat(number, 64); err != nil {
			return 0, usageError(fmt.Errorf("-%s is not a duration", text), placeHint)
		}
		rest = cmp.Or(after, "0s")
	}
	d, err := time.ParseDuration(rest)
	if err != nil || days < 0 || days > 3650 {
		return 0, usageError(fmt.Errorf("-%s is not a duration", text), placeHint)
	}
	return d + time.Duration(days*24*float64(time.Hour)), nil
}

// cursorTarget is a place found: where the cursor goes and why there.
type cursorTarget struct {
	remove bool
	to     event.Seq
	found  string // for people; "" says nothing beyond the value
}

// find looks a place up. Times are answered from the stream's own entries: no
// relay can be asked for a time.
func (p cursorPlace) find(ctx context.Context, r *redisstream.Reader, now time.Time) (cursorTarget, error) {
	switch {
	case p.live:
		return cursorTarget{remove: true, found: "no cursor: the next ingest starts live"}, nil
	case p.at.IsZero() && p.seq == 0:
		return cursorTarget{found: "oldest: all that the relay still holds"}, nil
	case p.at.IsZero():
		return cursorTarget{to: p.seq}, nil
	}
	return p.findTime(ctx, r, now)
}

func (p cursorPlace) findTime(ctx context.Context, r *redisstream.Reader, now time.Time) (cursorTarget, error) {
	b, err := r.Bounds(ctx)
	if errors.Is(err, redisstream.ErrNoStream) || err == nil && b.Length == 0 {
		return cursorTarget{}, fault.New(fault.Cursor, fmt.Errorf("no stored event can tell the seq of %s: %s is empty", p.text, r.StreamKey()),
			"give a seq, or oldest for all that the relay still holds")
	}
	if err != nil {
		return cursorTarget{}, err
	}
	first, _ := b.First.Seq()
	start := max(first-1, 0)
	if p.at.Before(b.First.ID.Time()) {
		return cursorTarget{}, fault.New(fault.Cursor, fmt.Errorf("the stream does not go back to %s: its first event was stored %s, %s ago",
			p.text, clockText(b.First.ID.Time()), output.Span(now.Sub(b.First.ID.Time()))),
			fmt.Sprintf("to begin there write %d, or oldest for all that the relay still holds", start))
	}
	seq, at, err := lastBefore(ctx, r, p.at)
	if err != nil {
		return cursorTarget{}, err
	}
	if at.IsZero() { // p.at is the very moment of the first entry
		return cursorTarget{to: start, found: "before the first event of the stream, stored " + clockText(b.First.ID.Time())}, nil
	}
	return cursorTarget{to: seq, found: fmt.Sprintf("the last event stored before %s; it was stored %s, %s ago",
		clockText(p.at), clockText(at), output.Span(now.Sub(at)))}, nil
}

// lastBefore is the newest entry with a seq that was stored before t; zero
// when nothing was.
func lastBefore(ctx context.Context, r *redisstream.Reader, t time.Time) (event.Seq, time.Time, error) {
	entries, err := r.Before(ctx, redisstream.IDAt(t), 100)
	if err != nil || len(entries) == 0 {
		return 0, time.Time{}, err
	}
	for _, s := range slices.Backward(entries) {
		if seq, ok := s.Seq(); ok {
			return seq, s.ID.Time(), nil
		}
	}
	return 0, time.Time{}, fault.New(fault.Data, fmt.Errorf("the entries of %s before %s have no seq", r.StreamKey(), clockText(t)),
		"give a seq, or oldest for all that the relay still holds")
}
