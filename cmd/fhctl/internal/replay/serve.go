package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/replay"
	"github.com/fhctl/fhctl/pkg/text"
)

// servedWindow is how many frames of a relay that is passed on are kept for
// clients that come back, about 100 MB of ordinary events.
const servedWindow = 20_000

// servedRelay is fhctl replay --serve -o json: a line when it serves, and one
// when it ends.
type servedRelay struct {
	V       int            `json:"v"`
	Command string         `json:"command"`
	State   string         `json:"state"` // serving or ended
	URL     string         `json:"url"`
	Source  string         `json:"source"`
	Oldest  event.Seq      `json:"oldestSeq"`
	Newest  event.Seq      `json:"newestSeq"`
	Sent    int64          `json:"sent"`
	Clients int64          `json:"clients"`
	Faults  map[string]int `json:"faults"`
	DryRun  bool           `json:"dryRun"`
}

// playedUpTo tells that a recording ends too early, where others go on being served.
func playedUpTo(log *slog.Logger, err error) {
	log.Error("The recording cannot be played further: nothing more will come", "err", err.Error(), "hint", fault.HintOf(err))
}

// serveReplay plays the source as a relay, until it is stopped.
func serveReplay(ctx context.Context, env *shell.Env, cfg *config.Config, p *replayPlan) error {
	log, name, feed, closeLog, err := openServed(ctx, env, cfg, p)
	if err != nil {
		return err
	}
	defer closeLog()
	var failed atomic.Pointer[error]
	served := relayserver.Config{
		Failed: func(err error) { failed.Store(&err); playedUpTo(env.Log, err) },
		Log:    log, Addr: p.serve, Faults: p.faults, Rate: p.rates.events, Logger: env.Log,
		Whole: p.sel.From.Kind != place.Live,
	}
	if p.rates.speed > 0 {
		served.Delay = replay.Spacing(p.rates.speed)
	}
	state := servedRelay{V: 1, Command: p.label, State: "serving", Source: name, DryRun: p.dryRun}
	state.Oldest, state.Newest = log.Bounds()
	if p.dryRun {
		return state.print(env, p)
	}
	server, err := relayserver.Start(served)
	if fault.ClassOf(err) == fault.Usage && fault.HintOf(err) == "" {
		err = fault.New(fault.Usage, err, "write --serve 127.0.0.1:7000: it serves this machine only")
	}
	if err != nil {
		return err
	}
	defer server.Close()
	state.URL = server.URL()
	if err := state.print(env, p); err != nil {
		return err
	}
	err = waitServed(ctx, feed)
	if broken := failed.Load(); broken != nil {
		err = errors.Join(err, *broken)
	}
	state.State, state.Sent, state.Faults = "ended", server.Sent(), server.Injected()
	state.Oldest, state.Newest = log.Bounds()
	for _, request := range server.Requests() {
		if request.Status == 101 {
			state.Clients++
		}
	}
	if err != nil || p.json {
		return errors.Join(err, state.print(env, p))
	}
	fmt.Fprintf(env.Err, "served %s frames over %d connections%s\n", text.Thousands(state.Sent), state.Clients, faultList(state.Faults))
	return nil
}

// faultList is what was committed, for people.
func faultList(faults map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(faults)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, faults[kind]))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; faults committed: " + strings.Join(parts, ", ")
}

// waitServed waits for the operator, or for an error of what feeds the relay.
// Being stopped is how serving ends.
func waitServed(ctx context.Context, feed func(context.Context) error) error {
	var fed error
	if feed != nil {
		if fed = feed(ctx); fed != nil && ctx.Err() == nil {
			return fed
		}
	}
	<-ctx.Done()
	return nil
}

// print says where the relay is: its URL alone on standard output, or JSON.
func (r servedRelay) print(env *shell.Env, p *replayPlan) error {
	if p.json {
		if r.Faults == nil {
			r.Faults = map[string]int{}
		}
		return shell.PrintLine(env.Out, r)
	}
	if p.dryRun {
		fmt.Fprintf(env.Err, "dry run: would serve %s (seq %s to %s) at %s\n", text.Escape(r.Source), r.Oldest, r.Newest, text.Escape(p.serve))
		return nil
	}
	fmt.Fprintf(env.Err, "serving %s (seq %s to %s); read it with: fhctl ingest --relay-url %s\n", text.Escape(r.Source), r.Oldest, r.Newest, r.URL)
	_, err := fmt.Fprintln(env.Out, r.URL)
	return err
}

// openServed makes the log to serve. A relay somewhere else has none: feed then
// fills one until it returns.
func openServed(ctx context.Context, env *shell.Env, cfg *config.Config, p *replayPlan) (log relayserver.Log, name string, feed func(context.Context) error, closeLog func(), err error) {
	if p.source.Kind == endpoint.CaptureEnd {
		file, err := capture.OpenLog(capture.LogConfig{Path: p.source.Path})
		if err != nil {
			return nil, "", nil, nil, err
		}
		return replay.SelectLog(file, p.sel), p.source.Path, nil, func() { _ = file.Close() }, nil
	}
	o, err := openOrigin(ctx, env, cfg, p)
	if err != nil {
		return nil, "", nil, nil, err
	}
	if o.log != nil {
		return replay.SelectLog(o.log, p.sel), o.name, nil, o.close, nil
	}
	memory := relayserver.NewMemoryLog(servedWindow)
	pass := func(ctx context.Context) error {
		_, err := replay.Run(ctx, o, replay.NewLogTarget(memory), p.options(env))
		return err
	}
	return memory, o.name, pass, o.close, nil
}
