package replay

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
)

const recordLong = `Record a relay's frames, byte for byte, into a capture file that fhctl replay
plays again. It is fhctl replay --from live --to FILE.

It begins live and goes on until Ctrl-C, --limit or --for, all of which complete
the file; a broken connection is made again and what was missed is read from the
relay's window. FILE appears when it is complete: until then the recording is in
FILE.partial, safe up to the last five seconds whatever happens, and --resume
goes on with it from the event after the last one, as long as the relay still
has that. Files are private (mode 0600) and never overwritten.`

// RecordCommand is "fhctl record": a replay whose target is a capture.
func RecordCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "record FILE.fhz", Short: "Record a relay's frames into a capture file",
		Long: recordLong, GroupID: shell.GroupEvents, Args: shell.AtMost(1),
		Example: `  # Ten minutes of the relay
  fhctl record --for 10m run.fhz

  # The next thousand posts
  fhctl record --collection app.bsky.feed.post --limit 1000 posts.fhz

  # Everything the relay still has, and then on, as a service that may restart
  fhctl record --from oldest --to live.fhz --resume

  # Synthetic traffic, the same each time
  fhctl record --relay-url 'sim://?count=1000&seed=7' sim.fhz`,
	}
	o := &replayOptions{label: "record", source: "relay"}
	flags := cmd.Flags()
	flags.StringVar(&o.from, "from", "live", "begin `WHERE`: live, oldest (all the relay still holds), a seq, included, or a time or 10m (ago), for which all that the relay holds is read")
	flags.StringArrayVar(&o.to, "to", nil, "`FILE.fhz` to record into; a seq or a time ends the recording, included")
	addReplayFlags(flags, o)
	shell.AddSettings(cmd, config.GroupRelay, config.GroupFilter)
	addUnusedSettings(cmd, config.GroupRedis)
	completeReplay(a, cmd)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, args []string) error {
		return runReplay(ctx, env, cfg, o, args)
	})
	return cmd
}

// addUnusedSettings takes the flags of groups that a command has no use for,
// without showing them: scripts give every command the same ones.
func addUnusedSettings(cmd *cobra.Command, groups ...config.Group) {
	shell.AddSettings(cmd, groups...)
	for _, s := range config.Settings() {
		if slices.Contains(groups, s.Group) {
			cmd.Flags().Lookup(s.Name).Hidden = true
		}
	}
}
