package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/audit"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/verify"
)

// verifyRun is one run of verify.
type verifyRun struct {
	*shell.Env
	cfg *config.Config
	*verifyPlan
	name     string // of what is checked, for people; no password
	report   *verifyReport
	replayed bool // the stream is a replay's, with a cursor of its own
}

func runVerify(ctx context.Context, env *shell.Env, cfg *config.Config, p *verifyPlan) error {
	shell.BoundReading()
	r := &verifyRun{Env: env, cfg: cfg, verifyPlan: p}
	defer r.giveBackLine()
	if p.source.Kind == endpoint.CaptureEnd {
		r.name = "capture " + p.source.Path
		sum, err := audit.Capture(ctx, p.source.Path, r.stretch(), r.options(verify.OfCapture))
		return r.outcome(ctx, sum, err)
	}
	if p.source.Url != "" {
		r.cfg = withRedis(cfg, p.source.Url)
	}
	if p.against != "" {
		if err := r.refuseItself(); err != nil {
			return err
		}
	}
	stream, err := settings.OpenReader(ctx, r.Log, r.cfg)
	if err == nil {
		stream, err = r.ownCursor(ctx, stream)
	}
	if err != nil {
		return err
	}
	defer closeWith(ctx, stream)()
	r.name = "stream " + stream.StreamKey() + " at " + fault.Redact(r.cfg.Redis.URL)
	if p.against != "" {
		return r.compare(ctx, stream)
	}
	sum, err := audit.Stream(ctx, stream, r.stretch(), r.options(verify.OfStream))
	return r.outcome(ctx, sum, err)
}

// giveBackLine ends the report's hold of the terminal, however the run ends: the error
// is printed behind it.
func (r *verifyRun) giveBackLine() {
	if r.report != nil {
		r.report.restore()
	}
}

// withRedis is the settings with another Redis, whose password is in its URL.
func withRedis(of *config.Config, url string) *config.Config {
	cfg := *of
	cfg.Redis.URL, cfg.Redis.URLName, cfg.Redis.PasswordFile = url, "the URL given as SOURCE", ""
	return &cfg
}

// closeWith closes a stream, and earlier when ctx ends: a read that a Redis
// leaves hanging is not waited for.
func closeWith(ctx context.Context, stream *reader.Reader) func() {
	stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
	return func() {
		if stop() {
			_ = stream.Close() // nothing was written
		}
	}
}

// ownCursor is the stream with the cursor that is the stream's; see endpoint.WithOwnCursor.
func (r *verifyRun) ownCursor(ctx context.Context, stream *reader.Reader) (*reader.Reader, error) {
	if r.against != "" {
		return stream, nil
	}
	own, stream, err := endpoint.WithOwnCursor(ctx, r.Log, r.cfg, stream)
	r.replayed = own != r.cfg
	return stream, err
}

// replayFix is what to do about the cursor of a replay: ingest's is another one,
// and must not be moved for it.
func (r *verifyRun) replayFix() string {
	if !r.replayed {
		return ""
	}
	return "this is the cursor of fhctl replay, not of ingest: replay into another stream (--to-stream) and delete this one, or go on with --resume if entries were only not finished; do not move the live cursor for it"
}

// stretch is what the flags ask for.
func (r *verifyRun) stretch() audit.Stretch {
	return audit.Stretch{From: r.from, To: r.to, Asked: r.startedAt}
}

// options is how the flags say to judge. The report hears of it, from when reading
// begins on.
func (r *verifyRun) options(of verify.Source) audit.Options {
	r.report = newVerifyReport(r.Env, r.cfg, r.verifyPlan, r.name, of)
	o := audit.Options{Rules: r.rules(), CursorFix: r.replayFix(), Progress: r.report.progress, Logger: r.Log}
	o.Rules.Report = r.report.finding
	return o
}

// outcome prints the summary and gives the command's error. What was found counts
// more than that it ended early, unless somebody ended it.
func (r *verifyRun) outcome(ctx context.Context, sum *audit.Summary, err error) error {
	if sum == nil {
		return r.unchecked(err)
	}
	if wrote := r.report.end(sum, err); wrote != nil {
		return wrote
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if sum.Clean() {
		return err
	}
	found := fault.New(fault.Findings, fmt.Errorf("%s in %s", text.Counted(sum.Errors, "error"), r.report.name), "docs/verify.md says what each rule means")
	if err == nil {
		return found
	}
	return errors.Join(found, err)
}

// unchecked is the error of a run that could check nothing, in the words of the command
// line.
func (r *verifyRun) unchecked(err error) error {
	if m, ok := errors.AsType[*audit.MissingStream](err); ok {
		cfg := r.cfg
		if m.Other {
			cfg = r.other()
		}
		return shell.ErrStreamMissing(cfg.Redis.StreamKey, fault.Redact(cfg.Redis.URL))
	}
	n, ok := errors.AsType[*audit.Nothing](err)
	if !ok {
		return err
	}
	name := r.name
	if r.report.began {
		name = r.report.name
	}
	switch asked := r.asked(); {
	case n.Other:
		return fault.New(fault.Unreachable, fmt.Errorf("nothing to compare: stream %s is empty", r.against), "")
	case asked != "":
		return fault.New(fault.Unreachable, fmt.Errorf("nothing to check: %s has no %s in the range %s", name, n.What, asked), fault.HintOf(err))
	}
	return fault.New(fault.Unreachable, fmt.Errorf("nothing to check: %s is empty", name), "")
}
