package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
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
	e := &examination{Env: env, cfg: cfg, options: o, now: time.Now}
	if err := e.examine(ctx); err != nil {
		return err
	}
	r := e.report()
	err := o.format.Write(env.Out, r, func(w io.Writer) error { return output.WriteRows(w, r.rows(), shell.ColorOut(env, cfg)) })
	if err != nil {
		return err
	}
	return r.verdictError()
}

// The outcomes of a doctor's check.
const (
	doctorOK      = "ok"
	doctorWarning = "warning"
	doctorFailure = "failure"
	doctorUnknown = "unknown"
)

// doctorCheck is one line of doctor's report and of its JSON.
type doctorCheck struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // what to type or look at
}

// doctorReport is what fhctl doctor -o json prints.
type doctorReport struct {
	V       int            `json:"v"`
	At      time.Time      `json:"at"`
	Relay   string         `json:"relay"`
	Redis   string         `json:"redis"` // no password
	Verdict string         `json:"verdict"`
	Counts  map[string]int `json:"counts"`
	Checks  []doctorCheck  `json:"checks"`
}

func (e *examination) report() *doctorReport {
	r := &doctorReport{
		V: 1, At: e.now().UTC(), Relay: e.relayName, Redis: e.redisName, Checks: e.checks,
		Counts: map[string]int{doctorOK: 0, doctorWarning: 0, doctorFailure: 0, doctorUnknown: 0},
	}
	for _, c := range r.Checks {
		r.Counts[c.Status]++
	}
	// The worst that was found; a failure is known even if others are not.
	for _, status := range []string{doctorFailure, doctorUnknown, doctorWarning, doctorOK} {
		if r.Counts[status] > 0 {
			r.Verdict = status
			break
		}
	}
	return r
}

func (r *doctorReport) rows() []output.Row {
	tones := map[string]output.Tone{
		doctorOK: output.Good, doctorWarning: output.Warn, doctorFailure: output.Bad, doctorUnknown: output.Faint,
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
	sum := fmt.Sprintf("%d ok, %s, %s, %d unknown", r.Counts[doctorOK],
		text.Counted(r.Counts[doctorWarning], "warning"), text.Counted(r.Counts[doctorFailure], "failure"), r.Counts[doctorUnknown])
	return append(rows, output.Row{}, output.Row{Text: sum, Tone: output.Head})
}

func (r *doctorReport) verdictError() error {
	var names []string
	for _, c := range r.Checks {
		if c.Status == r.Verdict {
			names = append(names, c.Name)
		}
	}
	list := strings.Join(names, ", ")
	switch r.Verdict {
	case doctorFailure:
		return fault.New(fault.Findings, errors.New("failed: "+list), "each failure says what to type below its line")
	case doctorUnknown:
		return fault.New(fault.Unreachable, errors.New("could not be examined: "+list), "")
	}
	return nil
}
