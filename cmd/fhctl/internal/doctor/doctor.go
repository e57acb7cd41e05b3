// Package doctor is the command "doctor": it shows what pkg/doctor finds.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/doctor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
)

const doctorLong = `Examine relay, Redis, stream, groups and cursor as "fhctl ingest" with the same
settings would meet them. Each line says ok, warning or failure and, below it,
what to type. It looks and never changes anything, so it may run beside ingest.

A failure keeps ingest from starting or loses events; a warning is a risk. Where
something could not be looked at, since Redis is away or this user may not ask,
the line says unknown.

Exit code 3 when a check fails, 4 when none failed and some are unknown, else 0.`

// doctorOptions are the flags that only doctor has.
type doctorOptions struct {
	format *shell.Format
	wait   time.Duration
	window time.Duration
	given  bool // somebody said how long the window is
}

// Command is "fhctl doctor".
func Command(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Examine relay, Redis, stream and cursor, and say what to type",
		Long: doctorLong, Args: shell.AtMost(0), GroupID: shell.GroupEvents,
		Example: `  fhctl doctor
  fhctl doctor --config /etc/fhctl/fhctl.yaml

  # For a monitor: exit 3 and the names of what failed
  fhctl doctor -o json | jq -r '.checks[] | select(.status == "failure") | .name'

  # See it with nothing installed
  fhctl doctor --relay-url sim:// --redis-url embedded://`,
	}
	o := &doctorOptions{format: shell.AddFormat(cmd)}
	cmd.Flags().DurationVar(&o.wait, "wait", 5*time.Second, "how long the relay may take to send an event, `DURATION`")
	cmd.Flags().DurationVar(&o.window, "relay-window", 72*time.Hour, "how far back the relay can replay, `DURATION`; an assumption unless you know")
	shell.Positive(cmd.Flags(), "wait", "relay-window")
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis, config.GroupWriter, config.GroupFilter)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		o.given = cmd.Flags().Changed("relay-window")
		if err := o.format.Check(); err != nil {
			return err
		}
		return runDoctor(ctx, env, cfg, o)
	})
	return cmd
}

func runDoctor(ctx context.Context, env *shell.Env, cfg *config.Config, o *doctorOptions) error {
	shell.BoundReading()
	keep, err := settings.FilterOf(cfg)
	if err != nil {
		return err
	}
	up, err := endpoint.OpenUpstream(env.Log, cfg)
	if err != nil {
		return err
	}
	defer up.Close()
	down, err := endpoint.OpenDownstream(env.Log, cfg)
	if err != nil {
		return err
	}
	defer down.Close()
	r := &report{V: 1, Relay: up.Name, Redis: down.Name, Checks: []doctor.Check{}}
	for check, err := range doctor.Examine(ctx, targets(env, cfg, up, down), options(cfg, o, keep.Fingerprint())) {
		if err != nil {
			return err
		}
		check.Detail, check.Fix = shell.Typed(check.Detail), shell.Typed(check.Fix)
		r.Checks = append(r.Checks, check)
	}
	r.sum(time.Now())
	err = o.format.Write(env.Out, r, func(w io.Writer) error { return output.WriteRows(w, r.rows(), shell.ColorOut(env, cfg)) })
	if err != nil {
		return err
	}
	return r.verdictError()
}

// targets are the relay and the Redis of the settings.
func targets(env *shell.Env, cfg *config.Config, up endpoint.Upstream, down endpoint.Downstream) doctor.Targets {
	end, err := endpoint.ParseRelay(cfg.Relay.URL, true)
	return doctor.Targets{
		Relay: doctor.Relay{
			Name: up.Name, Identity: up.Identity, Whole: up.Whole, Bundled: err == nil && end.Kind != endpoint.Real,
			Open: func(link func(event.Link)) (pipeline.FrameSource, error) {
				return up.Source(env, cfg, linkOnly{link: link})
			},
		},
		Redis: doctor.Redis{
			Name: down.Name,
			Open: func(ctx context.Context, cursorKey string) (*reader.Reader, error) {
				return reader.Open(ctx, reader.Config{
					Connection: down.Connection, StreamKey: cfg.Redis.StreamKey, CursorKey: cursorKey,
					Partitions: cfg.Redis.Partitions, OtherCount: true, // a wrong number is a finding
				})
			},
			CopyCursor: func(ctx context.Context, r *reader.Reader) string { return endpoint.CopyCursor(ctx, cfg, r) },
		},
	}
}

// linkOnly is an observer of connections and of nothing else.
type linkOnly struct {
	observe.Silent
	link func(event.Link)
}

func (o linkOnly) Link(l event.Link) { o.link(l) }

// options is what ingest would be told.
func options(cfg *config.Config, o *doctorOptions, filter string) doctor.Options {
	options := doctor.Options{
		StreamKey: cfg.Redis.StreamKey, CursorKey: cfg.Redis.CursorKey, Partitions: cfg.Redis.Partitions,
		Filter: filter, MaxStreamLen: cfg.Redis.MaxStreamLen, AllowEviction: cfg.Redis.AllowEviction,
		Exposed: cfg.Exposed(), Wait: o.wait, Stats: endpoint.StatsOptions(cfg, o.window, !o.given),
	}
	if cfg.CleartextRedis() {
		options.Cleartext = config.CleartextRedis
	}
	return options
}

// report is what fhctl doctor -o json prints.
type report struct {
	V       int            `json:"v"`
	At      time.Time      `json:"at"`
	Relay   string         `json:"relay"`
	Redis   string         `json:"redis"` // no password
	Verdict string         `json:"verdict"`
	Counts  map[string]int `json:"counts"`
	Checks  []doctor.Check `json:"checks"`
}

// sum counts the checks, once all are made.
func (r *report) sum(at time.Time) {
	r.At = at.UTC()
	r.Counts = map[string]int{doctor.OK: 0, doctor.Warning: 0, doctor.Failure: 0, doctor.Unknown: 0}
	for _, c := range r.Checks {
		r.Counts[c.Status]++
	}
	// The worst that was found; a failure is known even if others are not.
	for _, status := range []string{doctor.Failure, doctor.Unknown, doctor.Warning, doctor.OK} {
		if r.Counts[status] > 0 {
			r.Verdict = status
			break
		}
	}
}

func (r *report) rows() []output.Row {
	tones := map[string]output.Tone{
		doctor.OK: output.Good, doctor.Warning: output.Warn, doctor.Failure: output.Bad, doctor.Unknown: output.Faint,
	}
	table := &output.Table{}
	for _, c := range r.Checks {
		table.Add(c.Status, c.Name, c.Detail)
	}
	var rows []output.Row
	for i, line := range table.Lines("") {
		c := r.Checks[i]
		rows = append(rows, output.Row{Text: line, Tone: tones[c.Status]})
		if c.Fix != "" {
			rows = append(rows, output.Row{Text: "         → " + text.Escape(shell.Spell(c.Fix))})
		}
	}
	sum := fmt.Sprintf("%d ok, %s, %s, %d unknown", r.Counts[doctor.OK],
		text.Counted(r.Counts[doctor.Warning], "warning"), text.Counted(r.Counts[doctor.Failure], "failure"), r.Counts[doctor.Unknown])
	return append(rows, output.Row{}, output.Row{Text: sum, Tone: output.Head})
}

func (r *report) verdictError() error {
	var names []string
	for _, c := range r.Checks {
		if c.Status == r.Verdict {
			names = append(names, c.Name)
		}
	}
	list := strings.Join(names, ", ")
	switch r.Verdict {
	case doctor.Failure:
		return fault.New(fault.Findings, errors.New("failed: "+list), "each failure says what to type below its line")
	case doctor.Unknown:
		return fault.New(fault.Unreachable, errors.New("could not be examined: "+list), "")
	}
	return nil
}
