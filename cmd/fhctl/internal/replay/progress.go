package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
)

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
	r.draw(0)
	return func() { r.line.Close(); back() }
}

func (r *replayRun) draw(seq event.Seq) {
	if r.line == nil {
		return
	}
	fraction := r.origin.done()
	if r.plan.limit > 0 {
		fraction = max(fraction, float64(r.count.stored)/float64(r.plan.limit))
	}
	if r.plan.last > 0 {
		fraction = max(fraction, float64(time.Since(r.plan.started))/float64(r.plan.last))
	}
	r.line.SetProgress(output.Progress{Label: r.plan.label, Done: r.count.stored, Fraction: fraction, Seq: seq})
}

// outcome reports and gives the command's error.
func (r *replayRun) outcome(ctx context.Context, complete bool, err error) error {
	c := &r.count
	c.unwanted, c.rejected, c.reasons, c.notices = r.passed.unwanted, r.passed.rejected, r.passed.reasons, r.passed.notices
	if o, ok := r.origin.player.(*relayPlayer); ok {
		c.repeats += o.repeated.Load()
	}
	if shell.StdoutClosed(err) || err != nil && r.looked.Load() == 0 {
		return err
	}
	if r.origin.kind == endpoint.CaptureEnd && r.target.after() == 0 {
		ranges.TellLacks(r.app.Log, r.within.Lacks(r.readWhole)...)
	}
	reported := r.report(complete)
	if !complete && err == nil {
		err = context.Cause(ctx)
		if c.last > 0 && !r.plan.dryRun && r.plan.target.Kind != endpoint.EndStdout {
			fmt.Fprintf(r.app.Err, "hint: the same command with --resume goes on behind seq %s\n", c.last)
		}
	}
	if reported == nil {
		return err // as it is: who interrupted is not told so
	}
	return errors.Join(err, reported)
}
