package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/relay"
)

// runStats reads, reports and judges, once or until stopped.
func runStats(ctx context.Context, s *session, o *statsOptions) error {
	reader, err := s.reader(ctx)
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

func (c *statsCollector) collect(ctx context.Context) (*statsReport, error) {
	f := &streamFacts{
		redis: redisstream.Redact(c.cfg.Redis.URL), streamKey: c.reader.StreamKey(), cursorKey: c.reader.CursorKey(),
		relay: c.namedRelay(), maxLength: c.cfg.Redis.MaxStreamLen, window: c.options.window, windowAssumed: c.options.assumed, added: -1,
	}
	for _, read := range []func(context.Context, *streamFacts) error{c.ends, c.size, c.groups, c.sample, c.deadLetters, c.cursorTime, c.clock} {
		if err := read(ctx, f); err != nil {
			return nil, err
		}
	}
	r := f.report()
	r.Checks = c.options.limits.judge(r)
	return r, nil
}

// namedRelay is the host of a relay that somebody named, in whatever way; the
// default is nobody's word.
func (c *statsCollector) namedRelay() string {
	if c.cfg.Origin("relay-url").Layer == config.LayerDefault {
		return ""
	}
	endpoint, err := relay.ParseURL(c.cfg.Relay.URL, true)
	if err != nil {
		return "" // sim:// and capture: have names of their own
	}
	return endpoint.Host()
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
	if !f.exists || f.cursor.Seq == 0 || relayTime(f.cursor.Side.EventTime) != nil {
		return nil
	}
	s, found, err := c.reader.SeekSeq(ctx, f.cursor.Seq)
	if seq, _ := s.Seq(); found && seq == f.cursor.Seq {
		f.cursorEntry = s
	}
	return err
}

// watchHistory is how many reports the graphs remember.
const (
	watchHistory = 120
	graphWidth   = 60
)

// statsWatch collects again and again. What it saw before makes its graphs.
type statsWatch struct {
	*statsCollector
	last   *statsReport
	graphs map[string][]float64
	names  []string
	lines  bool // JSON lines
	screen *output.Screen
}

func (w *statsWatch) run(ctx context.Context) error {
	w.graphs = map[string][]float64{}
	terminal := w.outTerminal()
	w.lines = w.options.format.name == "json" || !w.options.chosen && terminal == nil
	if terminal != nil && !w.lines {
		w.screen = &output.Screen{Out: terminal, Color: w.colorOut()}
	}
	tick := time.NewTicker(w.options.watch)
	defer tick.Stop()
	for {
		if err := w.once(ctx); err != nil {
			return stoppedOr(ctx, err)
		}
		select {
		case <-ctx.Done():
			return w.verdict()
		case <-tick.C:
		}
	}
}

func (w *statsWatch) verdict() error {
	if w.last == nil {
		return nil
	}
	return checkError(w.last.Checks)
}

// once shows one report. Only the first must succeed: a Redis that goes away
// later comes back.
func (w *statsWatch) once(ctx context.Context) error {
	r, err := w.collect(ctx)
	switch {
	case ctx.Err() != nil:
		return nil // run returns what the last report says
	case err != nil && (w.last == nil || fault.ClassOf(err) != fault.Unreachable):
		return err
	case err != nil:
		w.remember(nil)
		return w.away(err)
	}
	w.remember(r)
	w.last = r
	return w.show(r)
}

// away says that there is no report this time.
func (w *statsWatch) away(err error) error {
	if w.screen == nil {
		w.slog.Warn("No report this time; Redis does not answer", "err", err.Error())
		return nil
	}
	rows := append([]output.Row{{Text: output.Escape("Redis does not answer, trying again: " + err.Error()), Tone: output.Bad}, {}}, w.rows(w.last)...)
	return w.screen.Draw(rows)
}

func (w *statsWatch) show(r *statsReport) error {
	switch {
	case w.lines:
		out := json.NewEncoder(w.stdout)
		out.SetEscapeHTML(false)
		return out.Encode(r)
	case w.screen != nil:
		return w.screen.Draw(w.rows(r))
	}
	return output.WriteRows(w.stdout, append(r.rows(), output.Row{}), false)
}

// remember adds a report's values to the graphs; nil leaves a blank.
func (w *statsWatch) remember(r *statsReport) {
	values := map[string]float64{}
	if r != nil {
		values["rate"] = w.rateSince(r)
		for i := range r.Groups {
			values["lag "+r.Groups[i].Name] = float64(r.Groups[i].Lag)
		}
	}
	for name := range values {
		if _, known := w.graphs[name]; !known {
			w.names = append(w.names, name)
		}
	}
	slices.SortFunc(w.names, func(a, b string) int { return strings.Compare(b, a) }) // rate, then lags
	for _, name := range w.names {
		value, ok := values[name]
		if !ok {
			value = math.NaN()
		}
		history := append(w.graphs[name], value)
		w.graphs[name] = history[max(0, len(history)-watchHistory):]
	}
}

// rateSince counts what was added since the last report, where the server
// counts; else it is the sample's rate.
func (w *statsWatch) rateSince(r *statsReport) float64 {
	if w.last != nil && w.last.Stream.EntriesAdded != nil && r.Stream.EntriesAdded != nil {
		passed := r.At.Sub(w.last.At).Seconds()
		if added := *r.Stream.EntriesAdded - *w.last.Stream.EntriesAdded; added >= 0 && passed > 0 {
			return float64(added) / passed
		}
	}
	if r.Rate.PerSecond == nil {
		return math.NaN()
	}
	return *r.Rate.PerSecond
}

// rows is the report in the order that fits a screen: what changes comes first.
func (w *statsWatch) rows(r *statsReport) []output.Row {
	p := &statsPage{}
	p.line(output.Faint, fmt.Sprintf("%s, every %s; Ctrl-C ends", clock(r.At), w.options.watch))
	p.head("Stream " + r.Stream.Key + " on " + r.Redis)
	if !r.Stream.Exists {
		p.line(output.Warn, "  does not exist (yet)")
	} else {
		p.stream(r)
	}
	p.graphs(w.names, w.graphs)
	if r.Stream.Exists {
		p.groups(r)
	}
	p.checks(r.Checks)
	p.deadLetters(&r.DeadLetters)
	p.cursor(r)
	p.consumers(r.Groups)
	p.sample(&r.Sample)
	return p.rows
}

func (p *statsPage) graphs(names []string, histories map[string][]float64) {
	if len(names) == 0 {
		return
	}
	p.line(output.Plain, "")
	t := &output.Table{Right: []int{1}}
	for _, name := range names {
		history := histories[name]
		now := dash
		if v := history[len(history)-1]; !math.IsNaN(v) {
			now = output.Thousands(int64(v + 0.5))
			if name == "rate" {
				now = perSecond(v)
			}
		}
		t.Add(name, now, output.Sparkline(history, graphWidth))
	}
	p.table(t, false)
}
