package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/replay"
)

// replayRun is one replay.
type replayRun struct {
	app        *shell.Env
	cfg        *config.Config
	plan       *replayPlan
	origin     *origin
	target     replay.Target
	targetName string
	did        replay.Summary
	line       *output.Line // of progress; nil where it is not shown
}

func runReplay(ctx context.Context, env *shell.Env, cfg *config.Config, o *replayOptions, args []string) error {
	p, err := o.plan(env, cfg, args)
	if err != nil {
		return err
	}
	shell.BoundReading()
	if p.target.Kind == endpoint.EndServe {
		return serveReplay(ctx, env, cfg, p)
	}
	r := &replayRun{app: env, cfg: cfg, plan: p}
	if r.origin, err = openOrigin(ctx, env, cfg, p); err != nil {
		return err
	}
	defer r.origin.close()
	shut, err := r.openTarget(ctx)
	if err != nil {
		return err
	}
	defer shut()
	if after := r.target.After(); after > 0 {
		env.Log.Info("Resuming", "after", after.String(), "target", r.targetName)
	}
	options := p.options(env)
	options.Progress = r.draw
	restore := r.showProgress()
	r.did, err = replay.Run(ctx, r.origin, r.target, options)
	restore()
	return r.outcome(ctx, err)
}

// options is what a plan means to the engine.
func (p *replayPlan) options(env *shell.Env) replay.Options {
	o := replay.Options{Selection: p.sel, Limit: p.limit, For: p.last, Logger: env.Log}
	if !p.dryRun {
		o.Rate, o.Speed = p.rates.events, p.rates.speed
	}
	return o
}

// showProgress draws the bar where people see it and data does not disturb it.
func (r *replayRun) showProgress() (restore func()) {
	screen, _ := r.app.Out.(*os.File)
	mixed := r.plan.target.Kind == endpoint.EndStdout && !r.plan.dryRun && screen != nil && output.IsTerminal(screen)
	if !shell.Live(r.app, r.cfg) || mixed {
		return func() {}
	}
	back := r.app.Err.Divert(func(terminal io.Writer) io.Writer {
		r.line = output.NewLine(output.LineConfig{Out: terminal})
		return r.line.Writer()
	})
	r.draw(replay.Progress{Done: r.origin.State().Done})
	return func() { r.line.Close(); back() }
}

func (r *replayRun) draw(p replay.Progress) {
	if r.line != nil {
		r.line.SetProgress(output.Progress{Label: r.plan.label, Done: p.Taken, Fraction: p.Done, Seq: p.Seq})
	}
}

// outcome reports and gives the command's error.
func (r *replayRun) outcome(ctx context.Context, err error) error {
	seen := &r.did.Seen
	if shell.StdoutClosed(err) || err != nil && seen.Pieces == 0 {
		return err
	}
	if r.origin.kind == endpoint.CaptureEnd && r.target.After() == 0 {
		held := coverage.Frames{From: r.plan.sel.From, To: r.plan.sel.Until, Seen: *seen}
		ranges.TellLacks(r.app.Log, held.Lacks()...)
	}
	reported := r.report()
	if !r.did.Complete && err == nil {
		err = context.Cause(ctx)
		if last := r.did.Last; last > 0 && !r.plan.dryRun && r.plan.target.Kind != endpoint.EndStdout {
			fmt.Fprintf(r.app.Err, "hint: the same command with --resume goes on behind seq %s\n", last)
		}
	}
	if reported == nil {
		return err // as it is: who interrupted is not told so
	}
	return errors.Join(err, reported)
}
