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
func runStats(ctx context.Context, s *session, f *statsFlags) error {
	boundReading()
	reader, err := s.reader(ctx)
	if err == nil {
		s, reader, err = s.withOwnCursor(ctx, reader)
	}
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	options := s.statsOptions(f)
	if f.watch > 0 {
		return (&statsWatch{session: s, flags: f, reader: reader, options: options}).run(ctx)
	}
	r, err := stats.Collect(ctx, reader, options)
	if err != nil {
		return err
	}
	if !r.Stream.Exists {
		if f.format.name == "json" {
			if err := f.format.write(s.stdout, r, nil); err != nil {
				return err
			}
		}
		return errStreamMissing(r.Stream.Key, r.Redis)
	}
	err = f.format.write(s.stdout, r, func(w io.Writer) error {
		return output.WriteRows(w, statsRowsWithin(r, s.outWidth()), s.colorOut())
	})
	if err != nil {
		return err
	}
	return checkError(r.Checks)
}

// statsOptions is what flags and settings say of a report.
func (s *session) statsOptions(f *statsFlags) stats.Options {
	o := s.reportOptions(f.window, f.assumed)
	o.Sample, o.Groups, o.Limits = f.sample, f.groups, f.limits
	return o
}

// reportOptions is what the settings say of a report; assumed is a window that nobody
// chose.
func (s *session) reportOptions(window time.Duration, assumed bool) stats.Options {
	return stats.Options{Redis: s.cfg.Redis.URL, Relay: s.namedRelay(), MaxLength: s.cfg.Redis.MaxStreamLen, Window: window, WindowAssumed: assumed}
}

// namedRelay is the host of a relay that somebody named, in whatever way; the
// default is nobody's word.
func (s *session) namedRelay() string {
	if s.cfg.Origin("relay-url").Layer == config.LayerDefault {
		return ""
	}
	end, err := parseRelay(s.cfg.Relay.URL, true)
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
func (s *session) colorOut() bool { return s.outTerminal() != nil && !s.cfg.Log.NoColor }
