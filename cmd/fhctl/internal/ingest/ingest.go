// Package ingest is the command "ingest": settings, reload and the live line around
// pkg/ingest.
package ingest

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/ingest"
)

const ingestLong = `Read a relay and append every event to a Redis stream, in order and once. The
cursor moves in the same script that appends, so a crash of either side neither
loses nor repeats an event.

It starts at the saved cursor or, when there is none, live. Relay and Redis may
be down: it says so and waits. Ctrl-C or SIGTERM stops reading, stores what was
read and exits 0; a second one leaves at once.

What only an operator can decide (a relay whose numbering restarted, a cursor
above everything it knows) is held: the process stays up, /readyz says why, and
moving the cursor lets it go on.

SIGHUP reads the settings file again and puts its log level and filters into
force; what cannot be used is refused, and the former settings stay. systemd is
told when the process is ready, reloads and stops, and its watchdog is fed.`

// Command is "fhctl ingest".
func Command(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ingest", Short: "Carry a relay's events into a Redis stream",
		Long: ingestLong, Args: shell.AtMost(0), GroupID: shell.GroupEvents,
		Example: `  # See it run with nothing installed: bundled relay, in-process Redis
  fhctl ingest --relay-url sim:// --redis-url embedded://

  # Production: settings from the environment
  RELAY_URL=wss://bsky.network REDIS_URL=redis://localhost:6379 fhctl ingest

  # Smoke check with a bundled relay and a Redis inside the process: exit 0 once that
  # seq is stored
  fhctl ingest --relay-url 'sim://?count=200' --redis-url embedded:// --from oldest --until-seq 7000000123

  # Posts and likes only, undecodable frames kept
  fhctl ingest --collection app.bsky.feed.post --collection app.bsky.feed.like --rejects /var/lib/fhctl/rejects`,
	}
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis, config.GroupWriter, config.GroupStart, config.GroupFilter,
		config.GroupFlow, config.GroupRejects, config.GroupHealth)
	// It fails for a flag that does not exist only.
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]cobra.Completion{"saved", "live", "oldest", "seq:"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		return run(ctx, env, cfg)
	})
	return cmd
}

// run carries events as the settings say, until ctx ends.
func run(ctx context.Context, env *shell.Env, cfg *config.Config) error {
	shell.BoundMemory(cfg.Ingest.QueueBytes)
	reload := newReloader(env, cfg)
	return endpoint.Ingest(ctx, env, cfg, func(up endpoint.Upstream, down endpoint.Downstream, c *ingest.Config) {
		announce(env, cfg, up, down)
		c.Refilter = reload.follow
		c.Beside = append(c.Beside, reload.run)
		if shell.Live(env, cfg) {
			c.Beside = append(c.Beside, func(ctx context.Context, running *ingest.Running) { showLine(ctx, env, running) })
		} else {
			c.Progress = shell.Unlimited(env.Log)
		}
	})
}

// announce says what this run is about to do, before anything can fail.
func announce(env *shell.Env, cfg *config.Config, up endpoint.Upstream, down endpoint.Downstream) {
	trim := "never"
	if n := down.MaxLen; n > 0 {
		trim = fmt.Sprintf("about %d entries", n)
	}
	env.Log.Info("fhctl ingest", "version", build.Read().Version, "relay", up.Name, "redis", down.Name,
		"stream", cfg.Redis.StreamKey, "cursor", cfg.Redis.CursorKey, "trim", trim, "start", cfg.Ingest.From.String())
}
