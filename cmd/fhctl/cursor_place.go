package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

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

// parseCursorPlace reads a VALUE; the error is a usage error.
func parseCursorPlace(text string, now time.Time) (place, error) {
	p, ok := parsePlace(text, now)
	switch {
	case p.kind == placeSeq && !ok && digitsForm.MatchString(text):
		return p, usageError(fmt.Errorf("%s is above every seq a relay can send", text), placeHint)
	case !ok:
		return p, usageError(fmt.Errorf("%q is no place in a relay's stream", text), placeHint)
	case p.kind == placeTime && p.time.After(now):
		return p, usageError(fmt.Errorf("%s is in the future", text), "for what comes from now on write live")
	}
	if ago, isAgo := strings.CutPrefix(text, nowMinus); isAgo {
		p.text = "-" + ago
	}
	return p, nil
}

// cursorTarget is a place found: where the cursor goes and why there.
type cursorTarget struct {
	remove bool
	to     event.Seq
	found  string // for people; "" says nothing beyond the value
}

// findCursor looks a place up. Times and entry ids are answered from the
// stream's own entries: no relay can be asked for them.
func findCursor(ctx context.Context, r *redisstream.Reader, p place, now time.Time) (cursorTarget, error) {
	switch {
	case p.kind == placeLive:
		return cursorTarget{remove: true, found: "no cursor: the next ingest starts live"}, nil
	case p.kind == placeOldest || p.kind == placeSeq && p.seq == 0:
		return cursorTarget{found: "oldest: all that the relay still holds"}, nil
	case p.kind == placeSeq:
		return cursorTarget{to: p.seq}, nil
	}
	return findInStream(ctx, r, p, now)
}

// findInStream is the last event stored before a time, or up to an entry.
func findInStream(ctx context.Context, r *redisstream.Reader, p place, now time.Time) (cursorTarget, error) {
	b, err := r.Bounds(ctx)
	if errors.Is(err, redisstream.ErrNoStream) || err == nil && b.Length == 0 {
		return cursorTarget{}, fault.New(fault.Cursor, fmt.Errorf("no stored event can tell the seq of %s: %s is empty", p.text, r.StreamKey()),
			"give a seq, or oldest for all that the relay still holds")
	}
	if err != nil {
		return cursorTarget{}, err
	}
	upto, asked := redisstream.IDAt(p.time), clockText(p.time)
	if p.kind == placeID {
		upto, asked = p.id.Next(), "the entry after "+p.text
	}
	first, _ := b.First.Seq()
	start := max(first-1, 0)
	if upto.Compare(b.First.ID) < 0 {
		return cursorTarget{}, fault.New(fault.Cursor, fmt.Errorf("the stream does not go back to %s: its first event was stored %s, %s ago",
			p.text, clockText(b.First.ID.Time()), output.Span(now.Sub(b.First.ID.Time()))),
			fmt.Sprintf("to begin there write %d, or oldest for all that the relay still holds", start))
	}
	seq, at, err := lastBefore(ctx, r, upto)
	if err != nil {
		return cursorTarget{}, err
	}
	if at.IsZero() { // the very moment of the first entry
		return cursorTarget{to: start, found: "before the first event of the stream, stored " + clockText(b.First.ID.Time())}, nil
	}
	return cursorTarget{to: seq, found: fmt.Sprintf("the last event stored before %s; it was stored %s, %s ago",
		asked, clockText(at), output.Span(now.Sub(at)))}, nil
}

// lastBefore is the newest entry with a seq below an id; zero when there is
// none.
func lastBefore(ctx context.Context, r *redisstream.Reader, id redisstream.ID) (event.Seq, time.Time, error) {
	entries, err := r.Before(ctx, id, 100)
	if err != nil || len(entries) == 0 {
		return 0, time.Time{}, err
	}
	for _, s := range slices.Backward(entries) {
		if seq, ok := s.Seq(); ok {
			return seq, s.ID.Time(), nil
		}
	}
	return 0, time.Time{}, fault.New(fault.Data, fmt.Errorf("the entries of %s before %s have no seq", r.StreamKey(), clockText(id.Time())),
		"give a seq, or oldest for all that the relay still holds")
}
