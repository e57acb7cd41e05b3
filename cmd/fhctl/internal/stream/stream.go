// Package stream is the command "stream stats": pkg/stats as tables and graphs.
package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/stats"
)

// Command is "fhctl stream" with stats.
func Command(a *shell.Env) *cobra.Command {
	family := shell.NewFamily("stream", "Look at the Redis stream", newStatsCommand(a))
	family.GroupID = shell.GroupEvents
	family.Example = "  fhctl stream stats"
	return family
}

const statsLong = `Show how the stream and its consumer groups stand: length, memory, ends, rate,
what the newest entries are made of, lag and pending entries of each group, dead
letters, how much room is left until trimming reaches the slowest group, and when
the cursor leaves the relay's window. It only reads, and never more than a
bounded part: a stream of millions is as quick as a small one.

Lag is in entries that a group has not been given; "~" marks an estimate. BEHIND
is the age of the oldest of them. ROOM is how many more entries can be stored
before the oldest entry the group still needs is trimmed.

The limits --max-... are for monitors: exit code 3 when one is passed, naming
what failed on standard error; 4 when one cannot be checked, because there is no
stream, no group or no cursor. A limit on groups holds for every group, or for
those that --group names.

With --watch it shows the same again and again: redrawn in place with small
graphs on a terminal, as one line of JSON each time elsewhere. A Redis that goes
away meanwhile is waited for. Ctrl-C ends it; limits are then judged by the last
report.

The meaning of every figure: docs/stats.md; of the JSON: docs/json.md.`

const (
	defaultSample = 2000
	mostSample    = 100_000
	leastWatch    = 100 * time.Millisecond
)

// statsFlags are the flags that only stream stats has.
type statsFlags struct {
	format *shell.Format
	// chosen is whether somebody chose the format.
	chosen     bool
	watch      time.Duration
	sample     int
	groups     []string
	window     time.Duration
	assumed    bool // nobody said how long the window is
	lag        int64
	lagSeconds float64
	pending    int64
	cursorAge  time.Duration
	limits     stats.Limits // those that were given
}

func newStatsCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "stats", Short: "Show length, rate, groups, lag and how much room is left",
		Long: statsLong, Args: shell.AtMost(0),
		Example: `  fhctl stream stats
  fhctl stream stats --watch 2s

  # For a monitor: exit 3 and name what failed
  fhctl stream stats --max-lag 100000 --max-lag-seconds 60 --max-cursor-age 10m >/dev/null

  # One group, for a program
  fhctl stream stats --group firehose-processors -o json`,
	}
	f := &statsFlags{format: shell.AddFormat(cmd)}
	f.add(cmd.Flags())
	shell.AddSetting(cmd, config.GroupRelay, "relay-url")
	shell.AddSettings(cmd, config.GroupRedis)
	shell.AddSetting(cmd, config.GroupWriter, "max-stream-len")
	completeStats(a, cmd)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		if err := f.check(cmd.Flags()); err != nil {
			return err
		}
		return runStats(ctx, env, cfg, f)
	})
	return cmd
}

func (f *statsFlags) add(flags *pflag.FlagSet) {
	flags.DurationVar(&f.watch, "watch", 0, "show it again every `DURATION` until stopped, such as 2s")
	flags.IntVar(&f.sample, "sample", defaultSample, "newest entries to measure rate and shares by, `N` at most 100000; 0 measures neither")
	flags.StringArrayVar(&f.groups, "group", nil, "show and check only this consumer group, by `NAME`; repeatable")
	flags.DurationVar(&f.window, "relay-window", 72*time.Hour, "how far back the relay can replay, `DURATION`; an assumption unless you know")
	flags.Int64Var(&f.lag, "max-lag", 0, "fail if a group is more than `N` entries behind")
	flags.Float64Var(&f.lagSeconds, "max-lag-seconds", 0, "fail if the oldest entry a group was not given is older than `N` seconds")
	flags.Int64Var(&f.pending, "max-pending", 0, "fail if a group has more than `N` entries given out and not acknowledged")
	shell.Positive(flags, "relay-window")
	flags.DurationVar(&f.cursorAge, "max-cursor-age", 0, "fail if the event at the cursor is older than `DURATION`, such as 10m")
}

// check refuses values before anything is connected, and notes which limits
// were given: 0 is one.
func (f *statsFlags) check(flags *pflag.FlagSet) error {
	given := flags.Changed
	bad := func(name, what, hint string) error {
		return shell.UsageError(fmt.Errorf("flag --%s: %s %s", name, flags.Lookup(name).Value, what), hint)
	}
	switch {
	case f.format.Name != "text" && f.format.Name != "json":
		return shell.UsageError(fmt.Errorf("flag --output: %q is neither text nor json", f.format.Name), "write text or json")
	case given("watch") && f.watch < leastWatch:
		return bad("watch", "is too often", "write at least 100ms, such as 2s")
	case f.sample > mostSample:
		return bad("sample", "is out of bounds", fmt.Sprintf("write 0 to %d", mostSample))
	}
	f.chosen, f.assumed = given("output"), !given("relay-window")
	if given("max-lag") {
		f.limits.Lag = &f.lag
	}
	if given("max-lag-seconds") {
		f.limits.LagSeconds = &f.lagSeconds
	}
	if given("max-pending") {
		f.limits.Pending = &f.pending
	}
	if given("max-cursor-age") {
		f.limits.CursorAge = &f.cursorAge
	}
	return nil
}
