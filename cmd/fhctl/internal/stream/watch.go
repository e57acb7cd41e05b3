package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/wait"
)

// watchHistory is how many reports the graphs remember.
const (
	watchHistory = 120
	graphWidth   = 60
)

// statsWatch collects again and again. What it saw before makes its graphs.
type statsWatch struct {
	*shell.Env
	cfg     *config.Config
	flags   *statsFlags
	reader  *reader.Reader
	options stats.Options
	last    *stats.Report
	graphs  map[string][]float64
	names   []string
	lines   bool // JSON lines
	screen  *output.Screen
}

func (w *statsWatch) run(ctx context.Context) error {
	w.graphs = map[string][]float64{}
	terminal := w.OutTerminal()
	w.lines = w.flags.format.Name == "json" || !w.flags.chosen && terminal == nil
	if terminal != nil && !w.lines {
		w.screen = &output.Screen{Out: terminal, Color: shell.ColorOut(w.Env, w.cfg)}
	}
	tick := time.NewTicker(w.flags.watch)
	defer tick.Stop()
	for {
		if err := w.once(ctx); err != nil {
			return wait.UnlessStopped(ctx, err)
		}
		select {
		case <-ctx.Done():
			return w.verdict(ctx)
		case <-tick.C:
		}
	}
}

// replay.verdict is what the last report says; without one nothing is known.
func (w *statsWatch) verdict(ctx context.Context) error {
	if w.last == nil {
		return context.Cause(ctx)
	}
	return checkError(w.last.Checks)
}

// once shows one report. Only the first must succeed: a Redis that goes away
// later comes back.
func (w *statsWatch) once(ctx context.Context) error {
	r, err := stats.Collect(ctx, w.reader, w.options)
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
		w.Log.Warn("No report this time; Redis does not answer", "err", err.Error())
		return nil
	}
	rows := append([]output.Row{{Text: text.Escape("Redis does not answer, trying again: " + err.Error()), Tone: output.Bad}, {}}, w.rows(w.last)...)
	return w.screen.Draw(rows)
}

func (w *statsWatch) show(r *stats.Report) error {
	switch {
	case w.lines:
		out := json.NewEncoder(shell.Visible(w.Out))
		out.SetEscapeHTML(false)
		return out.Encode(r)
	case w.screen != nil:
		return w.screen.Draw(w.rows(r))
	}
	return output.WriteRows(w.Out, append(statsRows(r), output.Row{}), false)
}

// remember adds a report's values to the graphs; nil leaves a blank.
func (w *statsWatch) remember(r *stats.Report) {
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
func (w *statsWatch) rateSince(r *stats.Report) float64 {
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
func (w *statsWatch) rows(r *stats.Report) []output.Row {
	p := &statsPage{width: w.OutWidth()}
	p.line(output.Faint, fmt.Sprintf("%s, every %s; Ctrl-C ends", text.Time(r.At), w.flags.watch))
	p.head("Stream " + r.Stream.Key + " on " + r.Redis)
	if !r.Stream.Exists {
		p.line(output.Warn, "  does not exist (yet)")
	} else {
		p.stream(r)
		p.partitions(r)
	}
	p.graphs(w.names, w.graphs)
	if r.Stream.Exists {
		p.groups(r)
	}
	p.checks(r.Checks)
	p.ledger(&r.Losses, r.At)
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
			now = text.Thousands(int64(v + 0.5))
			if name == "rate" {
				now = text.PerSecond(v)
			}
		}
		t.Add(name, now, output.Sparkline(history, graphWidth))
	}
	p.table(t, false)
}
