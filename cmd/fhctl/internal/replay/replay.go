// Package replay is the commands "replay" and "record": flags, what stands at either end,
// and words around pkg/replay.
package replay

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
)

const replayLong = `Play events again: from a capture file, a range of a stream, or a relay; to
standard output, a capture file, a stream, or a relay on loopback (--serve).

SOURCE is a capture such as run.fhz, stream (the default: --stream-key at
--redis-url), relay (the default with --from live: --relay-url), or the URL of a
Redis or a relay. TARGET, or --to, is - for standard output (the default), a
FILE.fhz, a Redis URL, or stream (the Redis of --redis-url); the last two need
--to-stream.

--from and --to also bound what is played, both ends included: a seq, an entry
id (streams only), a time (08:55 is local), or 10m for that long ago. --to may be given
twice, as an end of the range and as a target. Times are those of the events,
which are informal; in a stream, when Redis stored the entry.

It goes as fast as the target takes it; --speed 1x keeps the times between
events, --rate bounds them. A filter takes unwanted ops out of entries; frames
are signed, so a frame is kept whole when one of its ops is wanted.

A stream is appended to by the script of ingest, with a cursor of its own, named
KEY:replay-cursor: nothing is stored twice, and the live cursor, status and
dashboard keys are never touched. The live stream is refused unless
--append-to-live-stream is given. A stream has entries but no frames, so it
cannot become a capture or a relay.

--resume goes on after an interruption: a capture keeps its position in
FILE.fhz.resume beside FILE.fhz.partial, a stream in its replay cursor.`

const replayExample = `  # Look into a recording
  fhctl replay run.fhz | head

  # A relay that plays it, and stumbles
  fhctl replay run.fhz --serve 127.0.0.1:7000 --fault drop@1000,stall@2000:5s
  fhctl ingest --relay-url ws://127.0.0.1:7000

  # Ten minutes of the stream, again, into another stream, twice as fast
  fhctl replay --from 20m --to 10m --to stream --to-stream again --speed 2x

  # Posts of a recording, between two seqs, as a recording of their own
  fhctl replay run.fhz posts.fhz --from 7000000123 --to 7000009999 --collection app.bsky.feed.post

  # The relay's window, kept
  fhctl replay relay window.fhz --from oldest

  # What would it do?
  fhctl replay run.fhz --to redis://localhost:6380 --to-stream copy --dry-run`

// Command is "fhctl replay".
func Command(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay [SOURCE [TARGET]]", Short: "Play a capture, a stream or a relay again, into another place",
		Long: replayLong, Example: replayExample, GroupID: shell.GroupEvents,
		Args: shell.AtMost(2),
	}
	o := &replayOptions{label: "replay"}
	flags := cmd.Flags()
	flags.StringVar(&o.source, "source", "", "play `SOURCE`: stream, relay, a capture file, or the URL of a Redis or a relay")
	flags.StringVar(&o.from, "from", "", "begin `WHERE`, included: a seq, an entry id, a time (08:55, 2026-01-02T15:04:05Z), yesterday, 10m (ago), oldest, newest, or live (relay)")
	flags.StringArrayVar(&o.to, "to", nil, "`TARGET` or end: FILE.fhz, a Redis URL, stream or -; a seq, an entry id, a time or 10m (ago) ends the range, included")
	flags.StringVar(&o.serve, "serve", "", "be a relay at `ADDR` on loopback, such as 127.0.0.1:7000; port 0 takes a free one")
	flags.StringVar(&o.faults, "fault", "", "with --serve, do `WHAT` a relay should not, by frame: drop@1000,stall@2000:5s; docs/replay.md lists the kinds")
	flags.StringVar(&o.speed, "speed", "max", "play at `FACTOR` times the recorded speed, such as 1x or 2x; max does not wait")
	flags.BoolVar(&o.raw, "raw", false, "on standard output, frames as they came, in base64; from a stream, entries as they are stored")
	addReplayFlags(flags, o)
	addToStreamFlags(flags, o)
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis, config.GroupFilter)
	completeReplay(a, cmd)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, args []string) error {
		return runReplay(ctx, env, cfg, o, args)
	})
	return cmd
}

// addReplayFlags gives the flags that replay and record share.
func addReplayFlags(flags *pflag.FlagSet, o *replayOptions) {
	flags.StringSliceVar(&o.actions, "action", nil, "keep only commits with ops of this `ACTION`: create, update, delete; repeatable; accounts and identities pass")
	flags.StringVar(&o.rate, "rate", "", "play at most `N/s`, such as 500/s or 30/m")
	flags.Int64Var(&o.limit, "limit", 0, "end after `N` events; 0 sets no limit")
	flags.DurationVar(&o.last, "for", 0, "end after this `DURATION`, cleanly; 0 sets no limit")
	flags.BoolVar(&o.resume, "resume", false, "go on where an earlier run with the same source, filters and target stopped")
	flags.BoolVar(&o.dryRun, "dry-run", false, "read and choose, write nothing, and say what would have been written")
	flags.StringVarP(&o.format, "output", "o", "", "print `FORMAT`: text or json; events where they go to standard output (default text on a terminal, else json), else the summary")
}

func addToStreamFlags(flags *pflag.FlagSet, o *replayOptions) {
	flags.StringVar(&o.toStream, "to-stream", "", "append to the stream `KEY` of the target Redis")
	flags.StringVar(&o.toPasswordFile, "to-password-file", "", "`FILE` that holds the password of the Redis that --to names")
	flags.Int64Var(&o.toMaxLen, "to-max-len", 0, "trim the target stream to about `N` entries; 0 never trims")
	flags.IntVar(&o.toPartitions, "to-partitions", 1, "spread the events over `N` streams, --to-stream with :{0} to :{N-1} behind it")
	shell.Positive(flags, "to-partitions")
	flags.BoolVar(&o.appendToLive, "append-to-live-stream", false, "append even to the stream that ingest feeds: its consumers will process the events again")
}

func completeReplay(a *shell.Env, cmd *cobra.Command) {
	named := func(words ...cobra.Completion) cobra.CompletionFunc { // or files
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveDefault)
	}
	fixed := func(words ...cobra.Completion) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	cmd.ValidArgsFunction = named("stream", "relay")
	targets := named("stream", "-")
	if cmd.Name() == "record" { // into files only
		cmd.ValidArgsFunction, targets = named(), named()
	}
	for name, complete := range map[string]cobra.CompletionFunc{
		"source": named("stream", "relay"), "to": targets, "from": fixed(ranges.BeginWords...),
		"action": fixed("create", "update", "delete"), "speed": fixed("max", "1x", "2x", "10x"), "rate": fixed("100/s", "1000/s"),
		"output": fixed("text", "json"), "fault": fixed("drop@1000", "stall@1000:5s", "garbage@1000", "close@1000:1012"),
		"serve": fixed("127.0.0.1:7000"), "for": fixed("1m", "10m", "1h"), "limit": fixed(), "to-max-len": fixed(), "to-partitions": fixed("1", "2", "4"), "did": fixed(),
		"to-stream": a.CompleteStreams(), "collection": shell.CompleteCollections(a),
	} {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, complete) // it fails for unknown flags only
		}
	}
}
