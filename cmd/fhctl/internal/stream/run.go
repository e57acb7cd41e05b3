package stream

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/stats"
)

// runStats reads, reports and judges, once or until stopped.
func runStats(ctx context.Context, env *shell.Env, cfg *config.Config, f *statsFlags) error {
	shell.BoundReading()
	reader, err := settings.OpenReader(ctx, env.Log, cfg)
	if err == nil {
		cfg, reader, err = endpoint.WithOwnCursor(ctx, env.Log, cfg, reader)
	}
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	options := statsOptions(cfg, f)
	if f.watch > 0 {
		return (&statsWatch{Env: env, cfg: cfg, flags: f, reader: reader, options: options}).run(ctx)
	}
	r, err := stats.Collect(ctx, reader, options)
	if err != nil {
		return err
	}
	if !r.Stream.Exists {
		if f.format.Name == "json" {
			if err := f.format.Write(env.Out, r, nil); err != nil {
				return err
			}
		}
		return shell.ErrStreamMissing(r.Stream.Key, r.Redis)
	}
	err = f.format.Write(env.Out, r, func(w io.Writer) error {
		return output.WriteRows(w, statsRowsWithin(r, env.OutWidth()), shell.ColorOut(env, cfg))
	})
	if err != nil {
		return err
	}
	return checkError(r.Checks)
}

// statsOptions is what flags and settings say of a report.
func statsOptions(cfg *config.Config, f *statsFlags) stats.Options {
	o := endpoint.StatsOptions(cfg, f.window, f.assumed)
	o.Sample, o.Groups, o.Limits = f.sample, f.groups, f.limits
	return o
}

// checkError is nil when every check passed. A failed one makes it findings; only
// where none failed does one that could not be made matter: then nobody knows.
func checkError(checks []stats.Check) error {
	var failed, unknown []error
	for i := range checks {
		c := &checks[i]
		err := errors.New("--" + c.Name + ": " + c.Detail)
		switch c.Status {
		case stats.Failed:
			failed = append(failed, fault.New(fault.Findings, err, ""))
		case stats.Unknown:
			unknown = append(unknown, fault.New(fault.Unreachable, fmt.Errorf("%w, so it cannot be checked", err), ""))
		}
	}
	return errors.Join(append(failed, unknown...)...)
}
