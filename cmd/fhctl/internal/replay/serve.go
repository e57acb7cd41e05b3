package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/relayserver"
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
		Log:    log, Addr: p.serve, Faults: p.faults, Rate: p.pace.rate, Logger: env.Log,
		Whole: p.sel.from.Kind != place.Live,
	}
	if p.pace.speed > 0 {
		served.Delay = spacing(p.pace.speed)
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
		return selected(file, p.sel), p.source.Path, nil, func() { _ = file.Close() }, nil
	}
	o, err := openOrigin(ctx, env, cfg, p)
	if err != nil {
		return nil, "", nil, nil, err
	}
	if o.log != nil {
		return selected(o.log, p.sel), o.name, nil, o.close, nil
	}
	memory := relayserver.NewMemoryLog(servedWindow)
	r := &replayRun{app: env, cfg: cfg, plan: p, origin: o, targetName: "clients", target: passOn{memory}, items: make(chan *played, itemsAhead)}
	r.count.kinds = map[string]int64{}
	pass := func(ctx context.Context) error {
		_, err := r.run(ctx)
		memory.End()
		return err
	}
	return memory, o.name, pass, o.close, nil
}

// passOn is the target that fills a served log.
type passOn struct{ log *relayserver.MemoryLog }

func (passOn) after() event.Seq                   { return 0 }
func (passOn) flush(context.Context) error        { return nil }
func (passOn) finish(context.Context, bool) error { return nil }

func (t passOn) put(_ context.Context, p *played) (bool, error) {
	return true, t.log.Append(p.seq, p.frame)
}

// selectedLog is a log of which only a part is played.
type selectedLog struct {
	relayserver.Log
	mu  sync.Mutex // of sel
	sel *selection
}

// selected is log itself where everything is wanted.
func selected(log relayserver.Log, sel *selection) relayserver.Log {
	if sel.whole() {
		return log
	}
	return &selectedLog{Log: log, sel: sel}
}

// Bounds is the part of the log's bounds that the range covers.
func (l *selectedLog) Bounds() (oldest, newest event.Seq) {
	oldest, newest = l.Log.Bounds()
	if l.sel.from.Kind == place.Seq {
		oldest = max(oldest, l.sel.from.Seq)
	}
	if l.sel.until.Kind == place.Seq {
		newest = min(newest, l.sel.until.Seq)
	}
	return oldest, max(newest, 0)
}

// Next is the next frame that is wanted.
func (l *selectedLog) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	if l.sel.from.Kind == place.Seq {
		after = max(after, l.sel.from.Seq-1)
	}
	for {
		seq, raw, err := l.Log.Next(ctx, after)
		if err == nil && l.sel.until.Kind == place.Seq && seq > l.sel.until.Seq {
			err = io.EOF
		}
		if err != nil {
			return 0, nil, err
		}
		if after = seq; l.wants(raw) {
			return seq, raw, nil
		}
	}
}

func (l *selectedLog) wants(raw []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sel.late = 0 // several clients read: a run of frames is nobody's
	var p played
	v, _ := l.sel.frame(raw, &p)
	return v == deliver
}

// spacing is the time between frames at a multiple of the recorded speed.
func spacing(speed float64) func(last, next []byte) time.Duration {
	decoders := sync.Pool{New: func() any { return &timeReader{decoder: frame.Decoder{Raw: true}} }}
	return func(last, next []byte) time.Duration {
		d := decoders.Get().(*timeReader)
		defer decoders.Put(d)
		return time.Duration(float64(timeStep(d.time(last), d.time(next))) / speed)
	}
}

// timeReader reads the event time of frames.
type timeReader struct {
	decoder frame.Decoder
	ev      event.Event
}

func (d *timeReader) time(raw []byte) time.Time {
	if d.decoder.Decode(raw, &d.ev) != nil {
		return time.Time{}
	}
	at, _ := event.ParseTime(string(d.ev.Time))
	return at
}
