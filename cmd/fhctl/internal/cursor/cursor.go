// Package cursor is the command "cursor": flags, asking and words around pkg/cursor.
package cursor

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/cursor"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/text"
)

const cursorLong = `The cursor is the seq of the last event whose entry is stored in the stream.
"fhctl ingest" goes on behind it, so moving it back repeats events and moving it
ahead skips some. A seq belongs to one relay; a key beside the cursor
(CURSOR_KEY:meta) tells which.

Only "set" changes anything. It keeps what was there before in CURSOR_KEY:history.`

// Command is "fhctl cursor" with get, set and history.
func Command(a *shell.Env) *cobra.Command {
	family := shell.NewFamily("cursor", "Look at the saved position, or move it",
		newCursorGetCommand(a), newCursorSetCommand(a), newCursorHistoryCommand(a))
	family.GroupID = shell.GroupEvents
	family.Long = cursorLong
	family.Example = `  fhctl cursor get
  fhctl cursor set -10m --dry-run
  fhctl cursor history`
	return family
}

func newCursorHistoryCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "history", Short: "List what \"cursor set\" changed, newest first",
		Long: `List what "cursor set" changed, newest first: when, from what to what, what was
asked for and by whom. "fhctl cursor set --undo" takes back the newest change
that was not taken back yet.

The last 100 changes are kept, in the Redis stream CURSOR_KEY:history. What
ingest stored, and where its own --from began, is not in it.`,
		Args: shell.AtMost(0),
		Example: `  fhctl cursor history
  fhctl cursor history -o json | jq '.changes[0]'`,
	}
	format := shell.AddFormat(cmd)
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		r, err := settings.OpenReader(ctx, env.Log, cfg)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		report, err := cursor.History(ctx, r)
		if err != nil {
			return err
		}
		return format.Write(env.Out, report, func(w io.Writer) error {
			if len(report.Changes) == 0 {
				fmt.Fprintf(env.Err, "No change of %s is recorded in %s.\n", text.Escape(r.CursorKey()), text.Escape(report.Key))
				return nil
			}
			return writeHistory(w, report.Changes)
		})
	})
	return cmd
}

func writeHistory(w io.Writer, changes []cursor.Change) error {
	var table output.Table
	table.Add("WHEN", "BEFORE", "AFTER", "RELAY", "ASKED", "BY")
	for _, c := range changes {
		note := ""
		if c.Undone {
			note = "(undone)"
		}
		table.Add(text.Time(c.At), cursor.Name(value(c.Before)), cursor.Name(value(c.After)), cmp.Or(value(c.RelayAfter), "-"), c.Asked, cmp.Or(c.By, "-"), note)
	}
	return shell.WriteLines(w, table.Lines(""))
}

// value is "" for what is not there.
func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
