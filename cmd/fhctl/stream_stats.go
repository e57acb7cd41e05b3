package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

// runStats reads, reports and judges, once or until stopped.
func runStats(ctx context.Context, s *session, o *statsOptions) error {
	boundReading()
	reader, err := s.reader(ctx)
	if err == nil {
		s, reader, err = s.withOwnCursor(ctx, reader)
	}
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	c := &statsCollector{session: s, options: o, reader: reader}
	if o.watch > 0 {
		return (&statsWatch{statsCollector: c}).run(ctx)
	}
	r, err := c.collect(ctx)
	if err != nil {
		return err
	}
	if !r.Stream.Exists {
		if o.format.name == "json" {
			if err := o.format.write(s.stdout, r, nil); err != nil {
				return err
			}
		}
		return errStreamMissing(r.Stream.Key, r.Redis)
	}
	err = o.format.write(s.stdout, r, func(w io.Writer) error {
		return output.WriteRows(w, r.rows(), s.colorOut())
	})
	if err != nil {
		return err
	}
	return checkError(r.Checks)
}

// outTerminal is the terminal that standard output is, or nil.
func (a *app) outTerminal() *os.File {
	if file, ok := a.stdout.(*os.File); ok && output.IsTerminal(file) {
		return file
	}
	return nil
}

// colorOut reports whether standard output may be coloured.
func (s *session) colorOut() bool { return s.outTerminal() != nil && !s.cfg.Log.NoColor }

// statsCollector reads what a report needs, a bounded part of the stream each time.
type statsCollector struct {
	*session
	options *statsOptions
	reader  *redisstream.Reader
}

// collect reports and judges.
func (c *statsCollector) collect(ctx context.Context) (r *statsReport, err error) {
	if c.reader.IsSet() {
		r, err = c.collectSet(ctx)
	} else {
		r, err = c.report(ctx)
	}
	if err != nil {
		return nil, err
	}
	r.Checks = c.options.limits.judge(r)
	return r, nil
}

func (c *statsCollector) report(ctx context.Context) (*statsReport, error) {
	f := &streamFacts{
		redis: fault.Redact(c.cfg.Redis.URL), streamKey: c.reader.StreamKey(), cursorKey: c.reader.CursorKey(),
		relay: c.namedRelay(), maxLength: c.cfg.Redis.MaxStreamLen, window: c.options.window, windowAssumed: c.options.assumed, added: -1,
	}
	for _, read := range []func(context.Context, *streamFacts) error{c.ends, c.size, c.groups, c.sample, c.losses, c.deadLetters, c.cursorTime, c.clock} {
		if err := read(ctx, f); err != nil {
			return nil, err
		}
	}
	return f.report(), nil
}

// namedRelay is the host of a relay that somebody named, in whatever way; the
// default is nobody's word.
func (c *statsCollector) namedRelay() string {
	if c.cfg.Origin("relay-url").Layer == config.LayerDefault {
		return ""
	}
	end, err := parseRelay(c.cfg.Relay.URL, true)
	if err != nil || end.kind != relayReal {
		return "" // sim:// and capture: have names of their own
	}
	return end.identity
}

// ends reads both ends of the stream and the cursor. A writer at work moves
// them together, so a pair that does not fit is read again: the time that the
// side key keeps is that of the cursor's entry alone.
func (c *statsCollector) ends(ctx context.Context, f *streamFacts) (err error) {
	for range 3 {
		f.bounds, err = c.reader.Bounds(ctx)
		if f.exists = err == nil; !f.exists && !errors.Is(err, redisstream.ErrNoStream) {
			return err
		}
		f.cursor, err = c.reader.Cursor(ctx)
		if class := fault.ClassOf(err); class == fault.Data || class == fault.Refused {
			f.cursorWhy = err.Error()
			return nil
		}
		if seq, ok := f.bounds.Last.Seq(); err != nil || !ok || seq == f.cursor.Seq {
			return err
		}
	}
	return nil
}

func (c *statsCollector) size(ctx context.Context, f *streamFacts) (err error) {
	if !f.exists {
		return nil
	}
	if f.added, err = c.reader.EntriesAdded(ctx); err != nil && !errors.Is(err, redisstream.ErrNoStream) {
		return err
	}
	f.memory, f.memoryWhy, err = c.reader.MemoryUsage(ctx)
	return err
}

func (c *statsCollector) groups(ctx context.Context, f *streamFacts) error {
	if !f.exists {
		return nil
	}
	groups, err := c.reader.Groups(ctx)
	if err != nil && !errors.Is(err, redisstream.ErrNoStream) {
		return err
	}
	for _, g := range groups {
		if len(c.options.groups) > 0 && !slices.Contains(c.options.groups, g.Name) {
			continue
		}
		facts := groupFacts{Group: g}
		if g.Lag > 0 {
			if facts.unread, _, err = c.reader.Following(ctx, g.LastDelivered); err != nil {
				return err
			}
		}
		if g.Pending > 0 {
			if facts.deliveries, err = c.reader.Redeliveries(ctx, g.Name); err != nil {
				return err
			}
		}
		f.groups = append(f.groups, facts)
	}
	return nil
}

func (c *statsCollector) sample(ctx context.Context, f *streamFacts) error {
	if !f.exists {
		return nil
	}
	var look entry.Outline
	for s, err := range c.reader.Newest(ctx, c.options.sample) {
		if err != nil {
			return err
		}
		if f.sample.add(s, &look); f.sample.bytes > sampleBytes {
			break
		}
	}
	return nil
}

// clock comes last, so that no entry lies in the future.
func (c *statsCollector) clock(ctx context.Context, f *streamFacts) (err error) {
	f.at, f.serverClock, err = c.reader.Now(ctx)
	if err == nil && !f.serverClock {
		f.at = time.Now()
	}
	return err
}

func (c *statsCollector) deadLetters(ctx context.Context, f *streamFacts) (err error) {
	f.dead, err = c.reader.DeadLetters(ctx)
	return err
}

// cursorTime finds the cursor's entry where the side key does not tell the
// event's time: when it was stored has to do.
func (c *statsCollector) cursorTime(ctx context.Context, f *streamFacts) error {
	if !f.exists || f.cursor.Seq == 0 || f.cursorTime() != nil {
		return nil
	}
	s, found, err := c.reader.SeekSeq(ctx, f.cursor.Seq)
	if seq, _ := s.Seq(); found && seq == f.cursor.Seq {
		f.cursorEntry = s
	}
	return err
}
