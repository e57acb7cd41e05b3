package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/stats"
)

// runStats reads, reports and judges, once or until stopped.
func runStats(ctx context.Context, env *app, cfg *config.Config, f *statsFlags) error {
	boundReading()
	reader, err := openReader(ctx, env.slog, cfg)
	if err == nil {
		cfg, reader, err = withOwnCursor(ctx, env.slog, cfg, reader)
	}
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	options := statsOptions(cfg, f)
	if f.watch > 0 {
		return (&statsWatch{app: env, cfg: cfg, flags: f, reader: reader, options: options}).run(ctx)
	}
	r, err := stats.Collect(ctx, reader, options)
	if err != nil {
		return err
	}
	if !r.Stream.Exists {
		if f.format.name == "json" {
			if err := f.format.write(env.stdout, r, nil); err != nil {
				return err
			}
		}
		return errStreamMissing(r.Stream.Key, r.Redis)
	}
	err = f.format.write(env.stdout, r, func(w io.Writer) error {
		return output.WriteRows(w, statsRowsWithin(r, env.outWidth()), colorOut(env, cfg))
	})
	if err != nil {
		return err
	}
	return checkError(r.Checks)
}

// statsOptions is what flags and settings say of a report.
func statsOptions(cfg *config.Config, f *statsFlags) stats.Options {
	o := reportOptions(cfg, f.window, f.assumed)
	o.Sample, o.Groups, o.Limits = f.sample, f.groups, f.limits
	return o
}

// reportOptions is what the settings say of a report; assumed is a window that nobody
// chose.
func reportOptions(cfg *config.Config, window time.Duration, assumed bool) stats.Options {
	return stats.Options{Redis: cfg.Redis.URL, Relay: namedRelay(cfg), MaxLength: cfg.Redis.MaxStreamLen, Window: window, WindowAssumed: assumed}
}

// namedRelay is the host of a relay that somebody named, in whatever way; the
// default is nobody's word.
func namedRelay(cfg *config.Config) string {
	if cfg.Origin("relay-url").Layer == config.LayerDefault {
		return ""
	}
	end, err := parseRelay(cfg.Relay.URL, true)
	if err != nil || end.kind != relayReal {
		return "" // sim:// and capture: have names of their own
	}
	return end.identity
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

// outTerminal is the terminal that standard output is, or nil.
func (a *app) outTerminal() *os.File {
	if file, ok := a.stdout.(*os.File); ok && output.IsTerminal(file) {
		return file
	}
	return nil
}

// outWidth is the columns of that terminal, 0 without one.
func (a *app) outWidth() int {
	if file := a.outTerminal(); file != nil {
		return output.TerminalWidth(file)
	}
	return 0
}

// colorOut reports whether standard output may be coloured.
func colorOut(env *app, cfg *config.Config) bool { return env.outTerminal() != nil && !cfg.Log.NoColor }
