package cursor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/cursor"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

func newCursorGetCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get", Short: "Print the saved position",
		Long: `Print the seq of the last stored event, and nothing else. Without a cursor, or
where the key holds something that is no seq, it prints nothing and exits with 6.

-o json adds whose cursor it is, the time and age of its event, the end of the
stream, and the heartbeat of the writer, if one is running.`,
		Args: shell.AtMost(0),
		Example: `  fhctl cursor get
  fhctl cursor get --cursor-key firehose:python_cursor --redis-url redis://redis:6379
  fhctl cursor get -o json | jq .ageSeconds`,
	}
	format := shell.AddFormat(cmd)
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		if err := format.Check(); err != nil {
			return err
		}
		r, err := settings.OpenReader(ctx, env.Log, cfg)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		return getCursor(ctx, env, cfg, r, format)
	})
	return cmd
}

func getCursor(ctx context.Context, env *shell.Env, cfg *config.Config, r *reader.Reader, format *shell.Format) error {
	each, err := r.Cursors(ctx)
	if err != nil {
		return err
	}
	state := reader.LowestCursor(each)
	unusable := cursor.Unusable(r.CursorKey(), state)
	if format.Name == "text" {
		if unusable == nil {
			_, err = fmt.Fprintln(env.Out, state.Seq)
			tellApart(env, r, each)
		}
		return errors.Join(unusable, err)
	}
	report, err := cursor.Look(ctx, r, each, time.Now())
	if err != nil {
		return err
	}
	if err := format.Write(env.Out, report, nil); err != nil {
		return err
	}
	return unusable
}

// tellApart says on standard error which partitions are ahead of the lowest.
func tellApart(env *shell.Env, r *reader.Reader, each []reader.CursorState) {
	lowest := reader.LowestCursor(each)
	for i, part := range r.Partitions() {
		if c := &each[i]; c.Raw != lowest.Raw {
			fmt.Fprintf(env.Err, "%s is %s; ingest goes on at the lowest, and this partition drops what it has\n", part.CursorKey(), cursor.Name(c.Raw))
		}
	}
}
