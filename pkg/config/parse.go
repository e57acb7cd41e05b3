package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
)

// store parses a setting's value into its field. items holds one text, or any
// number for a list.
type store func(c *Config, s *Setting, items []string) error

// problem is what is wrong with a value: the rest of a sentence that begins
// with the quoted value, and what to write instead.
type problem struct{ what, hint string }

func (p *problem) Error() string { return p.what }

func wrong(what, hint string) error { return &problem{what, hint} }

func text(at func(*Config) *string, checks ...func(string) error) store {
	return func(c *Config, _ *Setting, items []string) error {
		*at(c) = items[0]
		for _, check := range checks {
			if err := check(items[0]); err != nil {
				return err
			}
		}
		return nil
	}
}

// address is text whose scheme, if it is one of ours, may be in capitals.
func address(at func(*Config) *string, checks ...func(string) error) store {
	store := text(at, checks...)
	return func(c *Config, s *Setting, items []string) error { return store(c, s, []string{OwnScheme(items[0])}) }
}

func list(at func(*Config) *[]string, check func(string) error) store {
	return func(c *Config, s *Setting, items []string) error {
		for _, item := range items {
			if err := check(item); err != nil {
				return fmt.Errorf("%q %w", s.shown(item), err)
			}
		}
		*at(c) = items
		return nil
	}
}

func choice(at func(*Config) *string) store {
	return func(c *Config, s *Setting, items []string) error {
		word := strings.ToLower(items[0])
		if !slices.Contains(s.Choices, word) {
			return wrong("is not one of "+strings.Join(s.Choices, ", "), "write one of "+strings.Join(s.Choices, ", "))
		}
		*at(c) = word
		return nil
	}
}

func onOff(at func(*Config) *bool) store {
	return func(c *Config, _ *Setting, items []string) error {
		switch strings.ToLower(items[0]) {
		case "true", "yes", "on", "1":
			*at(c) = true
		case "false", "no", "off", "0":
			*at(c) = false
		default:
			return wrong("is neither true nor false", "write true or false")
		}
		return nil
	}
}

func whole[T ~int | ~int64](at func(*Config) *T, low, high T) store {
	return func(c *Config, s *Setting, items []string) error {
		n, err := strconv.ParseInt(items[0], 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			n, err = math.MaxInt64, nil
		}
		if err != nil {
			return wrong("is not a whole number", "write digits only, such as "+s.sample(fmt.Sprint(min(100, high))))
		}
		if n < int64(low) || n > int64(high) {
			return wrong("is out of range", fmt.Sprintf("write a number from %d to %d", low, high))
		}
		*at(c) = T(n)
		return nil
	}
}

func span(at func(*Config) *time.Duration, high time.Duration) store {
	return func(c *Config, s *Setting, items []string) error {
		d, err := time.ParseDuration(items[0])
		if err != nil {
			return wrong("is not a duration", "write a number and a unit (ms, s, m, h), such as "+s.sample("30s"))
		}
		if d < 0 || d > high {
			return wrong("is out of range", fmt.Sprintf("write a duration from 0s to %s", high))
		}
		*at(c) = d
		return nil
	}
}

var units = []struct {
	suffix string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

func size(at func(*Config) *int64, low, high int64) store {
	return func(c *Config, s *Setting, items []string) error {
		n, ok := parseSize(items[0])
		if !ok {
			return wrong("is not a size", "write bytes, or a number with KiB, MiB or GiB, such as "+s.Default)
		}
		if n < low || n > high {
			return wrong("is out of range", fmt.Sprintf("write a size from %d to %d bytes", low, high))
		}
		*at(c) = n
		return nil
	}
}

func parseSize(text string) (int64, bool) {
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		// A fraction is exact enough for a limit, and the range is checked
		// by the caller; 2^62 keeps the conversion defined.
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(f) || f < 0 || f*unit.factor > 1<<62 {
			return 0, false
		}
		return int64(f * unit.factor), true
	}
	return 0, false
}

var levels = map[string]slog.Level{
	"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARNING": slog.LevelWarn,
	"WARN": slog.LevelWarn, "ERROR": slog.LevelError, "CRITICAL": LevelCritical,
}

func level(at func(*Config) *slog.Level) store {
	return func(c *Config, s *Setting, items []string) error {
		l, ok := levels[strings.ToUpper(items[0])]
		if !ok {
			names := strings.Join(s.Choices, ", ")
			return wrong("is not a log level", "write one of "+names)
		}
		*at(c) = l
		return nil
	}
}

// storeWhenFull reads trim, block or spill:DIR, which may also be written with a
// space.
func storeWhenFull(c *Config, _ *Setting, items []string) error {
	const hint = "write trim, block or spill:DIR"
	r := &c.Redis
	r.WhenFull, r.SpillDir = strings.ToLower(items[0]), ""
	if n := len(WhenFullSpill); len(items[0]) >= n && r.WhenFull[:n] == WhenFullSpill {
		r.WhenFull = WhenFullSpill
		rest := items[0][n:]
		if rest != "" && rest[0] != ':' && rest[0] != ' ' {
			return wrong("is not one of trim, block, spill:DIR", hint)
		}
		if r.SpillDir = strings.TrimSpace(strings.TrimLeft(rest, ": ")); r.SpillDir == "" {
			return wrong("names no directory", "write spill:DIR")
		}
		return nil
	}
	if r.WhenFull != WhenFullTrim && r.WhenFull != WhenFullBlock {
		return wrong("is not one of trim, block, spill:DIR", hint)
	}
	return nil
}

// storeFrom reads a place as every command does, and takes those that a relay can
// be asked for.
func storeFrom(c *Config, _ *Setting, items []string) error {
	c.Ingest.From = From{}
	at := &c.Ingest.From.Position
	p, err := place.Parse(items[0], time.Now())
	if bad, ok := errors.AsType[*place.Error](err); ok {
		return wrong(bad.What, fromHint(err))
	}
	switch p.Kind {
	case place.Saved:
		c.Ingest.From.Saved = true
	case place.Live:
		at.Start = event.Live
	case place.Oldest:
		at.Start = event.Oldest
	case place.Seq:
		if p.Seq == 0 {
			return wrong("is ambiguous", "write oldest for all the relay still holds, or live for new events only")
		}
		*at = event.AfterSeq(p.Seq)
	default:
		return wrong("is a place in what is stored, which a relay cannot be asked for",
			"move the cursor there first, with ingest stopped: fhctl cursor set "+quoted(items[0])+"; then start with saved")
	}
	return nil
}

// storeUntilSeq reads a seq as every command does: also as seq:N, and not where it may
// be what a clock shows.
func storeUntilSeq(c *Config, _ *Setting, items []string) error {
	const hint = "write a sequence number, such as 7000000123; 0 runs until stopped"
	p, err := place.Parse(items[0], time.Now())
	if bad, ok := errors.AsType[*place.Error](err); ok && fault.HintOf(err) != place.Hint {
		return wrong(bad.What, fault.HintOf(err))
	}
	if err != nil && strings.Trim(items[0], "0123456789") == "" && items[0] != "" {
		return wrong("is out of range", fmt.Sprintf("write a number from 0 to %d", event.MaxSeq))
	}
	if err != nil || p.Kind != place.Seq {
		return wrong("is not a seq", hint)
	}
	c.Ingest.UntilSeq = p.Seq
	return nil
}

// fromHint is the hint of a text that is no place at all, or may be two.
func fromHint(err error) string {
	if hint := fault.HintOf(err); hint != place.Hint {
		return hint
	}
	return "write saved, live, oldest or a sequence number"
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if strings.ContainsAny(word, " \t'\"") {
		return strconv.Quote(word)
	}
	return word
}

// hostName takes a name as callers write it, without scheme and port.
func hostName(s string) error {
	if s == "" || strings.ContainsAny(s, "/:@ \t*") {
		return wrong("is not a host name", "write it without scheme and port, such as fhctl.internal")
	}
	return nil
}
