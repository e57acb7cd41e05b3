package replay

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/replay"
)

// replayOptions are the flags of replay and record, as typed.
type replayOptions struct {
	label          string // replay or record
	source         string
	from           string
	to             []string
	serve, faults  string
	toStream       string
	toPasswordFile string
	toMaxLen       int64
	toPartitions   int
	appendToLive   bool
	rate, speed    string
	limit          int64
	last           time.Duration // --for
	actions        []string
	raw            bool
	format         string
	dryRun, resume bool
}

// replayPlan is what they mean together, checked before anything is connected.
type replayPlan struct {
	*replayOptions
	source  endpoint.Terminus
	target  endpoint.Terminus
	sel     replay.Selection
	rates   struct{ events, speed float64 } // a second, and times the recorded speed; 0 does not wait
	faults  []relayserver.Fault
	columns *output.Columns // of standard output as text
	json    bool            // the summary
	follow  bool            // a relay is followed past the end of its window
	started time.Time
}

// plan checks everything that can be checked alone.
func (o *replayOptions) plan(env *shell.Env, cfg *config.Config, args []string) (*replayPlan, error) {
	p := &replayPlan{replayOptions: o, started: time.Now()}
	var err error
	if err = shell.CheckActions(o.actions); err != nil {
		return nil, err
	}
	if p.sel.Filter, err = filter.New(filter.Config{
		Collections: cfg.Ingest.Collections, DIDs: cfg.Ingest.DIDs, Kinds: cfg.Ingest.Kinds, Actions: o.actions}); err != nil {
		return nil, err
	}
	if p.sel.From, err = ranges.ParseBegin("--from", o.from, p.started); err != nil {
		return nil, err
	}
	if err := p.ends(args); err != nil {
		return nil, err
	}
	if p.rates.events, err = parseRate(o.rate); err != nil {
		return nil, err
	}
	if p.rates.speed, err = parseSpeed(o.speed); err != nil {
		return nil, err
	}
	if p.faults, err = relayserver.ParseFaults(o.faults); err != nil {
		return nil, fmt.Errorf("flag --fault: %w", err)
	}
	for _, check := range []func(*shell.Env, *config.Config) error{p.checkNumbers, p.checkRange, p.checkFrames, p.checkServe, p.checkStream, p.checkOutput} {
		if err := check(env, cfg); err != nil {
			return nil, err
		}
	}
	p.follow = p.label == "record" || p.serve != "" || p.sel.From.Kind == place.Live
	p.sel.Entries = p.target.Kind == endpoint.EndStream || p.target.Kind == endpoint.EndStdout && !p.raw
	return p, nil
}

// ends finds source and target among flags and arguments.
func (p *replayPlan) ends(args []string) (err error) {
	var target *endpoint.Terminus
	if p.sel.Until, target, err = endpoint.ParseTo(p.to, p.started, p.label); err != nil {
		return err
	}
	source := p.replayOptions.source
	if p.label == "record" && len(args) > 0 {
		args = append([]string{source}, args...)
	} else if len(args) > 0 && source != "" {
		// With --source the only argument left to give is the target.
		args = append([]string{source}, args...)
	}
	if len(args) > 2 {
		return shell.UsageError(fmt.Errorf("%q is one argument too many", fault.Redact(args[2])), fmt.Sprintf("fhctl %s --help shows the forms", p.label))
	}
	if len(args) == 2 {
		if target != nil {
			return shell.UsageError(errors.New("the target is given twice, as an argument and as --to"), "leave one out")
		}
		_, second, err := endpoint.ParseTo(args[1:], p.started, p.label)
		if err != nil || second == nil {
			return p.noTarget(args[1])
		}
		target = second
	}
	if len(args) > 0 {
		source = args[0]
	}
	if source == "" {
		source = "stream"
		if p.sel.From.Kind == place.Live {
			source = "relay"
		}
	}
	if p.source, err = endpoint.ParseSource(source); err != nil {
		return err
	}
	return p.chooseTarget(target)
}

// noTarget is the error of an argument that is none, with what the command takes.
func (p *replayPlan) noTarget(text string) error {
	if p.label == "record" {
		return shell.UsageError(fmt.Errorf("%q is not the name of a capture", fault.RedactText(text)), "name a file that ends in .fhz, such as run.fhz")
	}
	return shell.UsageError(fmt.Errorf("%q is not a target", fault.RedactText(text)), "write FILE.fhz, a Redis URL, stream or -")
}

func (p *replayPlan) chooseTarget(target *endpoint.Terminus) error {
	switch {
	case p.serve != "" && target != nil:
		return shell.UsageError(errors.New("--serve and another target are given"), "leave one out: a relay is a target of its own")
	case p.serve != "":
		if strings.HasPrefix(p.serve, ":") {
			p.serve = "127.0.0.1" + p.serve // it serves nobody else
		}
		p.target = endpoint.Terminus{Kind: endpoint.EndServe, Text: p.serve}
	case target != nil:
		p.target = *target
	case p.toStream != "":
		p.target = endpoint.Terminus{Kind: endpoint.EndStream, Text: "stream"}
	case p.label == "record":
		return shell.UsageError(errors.New("no file to record into is given"), "write fhctl record run.fhz")
	default:
		p.target = endpoint.Terminus{Kind: endpoint.EndStdout, Text: "-"}
	}
	if p.label == "record" && p.target.Kind != endpoint.CaptureEnd {
		return shell.UsageError(fmt.Errorf("record writes captures, and %q is none", fault.Redact(p.target.Text)), "name a FILE.fhz, or use fhctl replay --from live")
	}
	return nil
}

func (p *replayPlan) checkNumbers(*shell.Env, *config.Config) error {
	if p.toPartitions > keyspace.MostPartitions {
		return shell.UsageError(errors.New("flag --to-partitions: it is out of bounds"), "write a number from 1 to 64")
	}
	return nil
}

// checkRange refuses ends that the source cannot find, and ranges without
// inside.
func (p *replayPlan) checkRange(*shell.Env, *config.Config) error {
	from, until := p.sel.From, p.sel.Until
	for _, e := range []place.Place{from, until} {
		if e.Kind == place.ID && p.source.Kind != endpoint.EndStream {
			return shell.UsageError(fmt.Errorf("%q is an entry's id: only a stream has those", e.Text), "give a seq or a time")
		}
	}
	switch {
	case from.Kind == place.Newest && p.source.Kind == endpoint.EndRelay:
		p.sel.From.Kind = place.Live
	case from.Kind == place.Newest && p.source.Kind == endpoint.CaptureEnd:
		return shell.UsageError(errors.New(`flag --from: "newest" is a place in a stream or a relay: a recording is read from its beginning`), "give a seq or a time")
	case until.Kind == place.Newest && p.source.Kind == endpoint.EndRelay:
		return shell.UsageError(errors.New(`flag --to: a relay's newest event is known only once it was sent`), "leave it out: replay ends with the relay's window; or give a seq")
	case from.Kind == place.Live && p.source.Kind != endpoint.EndRelay:
		return shell.UsageError(errors.New(`flag --from: "live" is a place in a relay's stream only`), "add --source relay, or follow a stream with fhctl tail -f")
	case from.Behind(until):
		return shell.UsageError(fmt.Errorf("the range from %s to %s is empty: it ends before it begins", from, until), "exchange --from and --to")
	}
	return ranges.CheckEnd("--to", until)
}

// checkFrames refuses what needs frames from a source that has none.
func (p *replayPlan) checkFrames(*shell.Env, *config.Config) error {
	if p.source.Kind != endpoint.EndStream {
		return nil
	}
	what := map[endpoint.Kind]string{endpoint.CaptureEnd: "a capture", endpoint.EndServe: "a relay"}[p.target.Kind]
	if what == "" {
		return nil
	}
	return shell.UsageError(fmt.Errorf("a stream keeps entries, and %s needs the relay's frames: signatures, proofs and #sync events are not in the stream, so they cannot be made again", what),
		"replay a capture, or --source relay; fhctl record keeps frames")
}

func (p *replayPlan) checkServe(*shell.Env, *config.Config) error {
	if p.serve == "" {
		if len(p.faults) > 0 {
			return shell.UsageError(errors.New("--fault is for a relay that is served"), "add --serve 127.0.0.1:7000")
		}
		return nil
	}
	if p.resume || p.raw || p.limit > 0 {
		return shell.UsageError(errors.New("--resume, --raw and --limit do not go with --serve"), "clients of a relay resume by their own cursor")
	}
	return nil
}

// isLive reports whether a key is a live stream's by its name alone.
func isLive(cfg *config.Config, key string) bool {
	return key == cfg.Redis.StreamKey || key == keyspace.DefaultStream
}

// checkStream refuses a live stream before anything is connected, and stream
// flags without a stream.
func (p *replayPlan) checkStream(env *shell.Env, cfg *config.Config) error {
	if p.target.Kind != endpoint.EndStream {
		if p.toStream != "" || p.appendToLive || p.toMaxLen > 0 || p.toPartitions > 1 || p.toPasswordFile != "" {
			return shell.UsageError(errors.New("--to-stream and its kin are for a target in Redis"), "add --to stream, or --to redis://HOST:PORT")
		}
		return nil
	}
	switch key := p.toStream; {
	case config.IsURL(key):
		return shell.UsageError(fmt.Errorf("flag --to-stream: %q is a URL and not the name of a key", fault.Redact(key)), "give the Redis with --to, and the stream's key with --to-stream")
	case key == "":
		return shell.UsageError(errors.New("the stream to append to is not named"), "add --to-stream KEY")
	case isLive(cfg, key) && !p.appendToLive:
		return shell.UsageError(fmt.Errorf("stream %s is the live one", key), replay.TakeHint())
	case key == cfg.Redis.CursorKey || replay.CursorNames(key, p.toPartitions)[0] == cfg.Redis.CursorKey:
		return shell.UsageError(fmt.Errorf("stream %s and the live cursor %s would share a key", key, cfg.Redis.CursorKey), "choose another --to-stream")
	case p.source.Kind == endpoint.EndStream && p.source.Url == p.target.Url && key == cfg.Redis.StreamKey:
		return shell.UsageError(errors.New("source and target are the same stream"), "choose another --to-stream")
	}
	return nil
}

// checkOutput chooses what standard output shows.
func (p *replayPlan) checkOutput(env *shell.Env, cfg *config.Config) error {
	switch p.format {
	case "", "text", "json":
	default:
		return shell.UsageError(fmt.Errorf("flag --output: %q is neither text nor json", p.format), "write text or json")
	}
	if p.raw && (p.target.Kind != endpoint.EndStdout || p.format != "") {
		return shell.UsageError(errors.New("--raw says how events look on standard output"), "leave --to and --output out")
	}
	if p.resume && p.target.Kind == endpoint.EndStdout {
		return shell.UsageError(errors.New("--resume needs a target that keeps the position, and standard output keeps nothing"), "replay into a capture or a stream, or begin with --from SEQ")
	}
	p.json = p.format == "json" && p.target.Kind != endpoint.EndStdout
	screen, _ := env.Out.(*os.File)
	terminal := screen != nil && term.IsTerminal(int(screen.Fd()))
	if p.target.Kind == endpoint.EndStdout && (p.format == "text" || p.format == "" && terminal) {
		p.columns = &output.Columns{}
		if terminal {
			p.columns.Width = func() int {
				width, _, _ := term.GetSize(int(screen.Fd())) // 0 when it does not say
				return width
			}
			p.columns.Color = !cfg.Log.NoColor && output.IsTerminal(screen)
		}
	}
	return nil
}
