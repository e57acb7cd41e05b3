package cursor

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/figures"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
)

// cursorVersion is the "v" of what cursor commands print as JSON
// (docs/json.md). It rises when a field changes its meaning or goes.
const cursorVersion = 1

const cursorLong = `The cursor is the seq of the last event whose entry is stored in the stream.
"fhctl ingest" goes on behind it, so moving it back repeats events and moving it
ahead skips some. A seq belongs to one relay; a key beside the cursor
(CURSOR_KEY:meta) tells which.

Only "set" changes anything. It keeps what was there before in CURSOR_KEY:history.`

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
		changes, err := admin.History(ctx, r)
		if err != nil {
			return err
		}
		return format.Write(env.Out, reportHistory(r, changes), func(w io.Writer) error {
			if len(changes) == 0 {
				fmt.Fprintf(env.Err, "No change of %s is recorded in %s.\n", text.Escape(r.CursorKey()), text.Escape(admin.HistoryKey(r)))
				return nil
			}
			return writeHistory(w, changes)
		})
	})
	return cmd
}

// historyReport is fhctl cursor history -o json.
type historyReport struct {
	V       int            `json:"v"`
	Key     string         `json:"key"` // the history's
	Changes []changeReport `json:"changes"`
}

type changeReport struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`     // by Redis's clock
	Before *string   `json:"before"` // what the key held; null is no cursor
	After  *string   `json:"after"`
	// RelayBefore and RelayAfter are whose cursor it was; null is unknown.
	RelayBefore *string `json:"relayBefore"`
	RelayAfter  *string `json:"relayAfter"`
	Asked       string  `json:"asked"`
	By          string  `json:"by"`
	Epoch       int64   `json:"epoch"`
	Undoes      *string `json:"undoes"` // id of the change it took back
	Undone      bool    `json:"undone"`
}

func reportHistory(r *reader.Reader, changes []admin.Change) historyReport {
	report := historyReport{V: cursorVersion, Key: admin.HistoryKey(r), Changes: []changeReport{}}
	for _, c := range changes {
		report.Changes = append(report.Changes, changeReport{
			ID: string(c.ID), At: c.ID.Time(), Before: unlessEmpty(c.Before), After: unlessEmpty(c.After),
			RelayBefore: unlessEmpty(relayOf(c.Before, c.Owner.Relay)), RelayAfter: unlessEmpty(relayOf(c.After, c.Relay)),
			Asked: c.How, By: c.By, Epoch: c.Epoch, Undoes: unlessEmpty(string(c.Undoes)), Undone: c.Undone,
		})
	}
	return report
}

// relayOf is whose a cursor was; no cursor is nobody's.
func relayOf(cursor, relay string) string {
	if cursor == "" {
		return ""
	}
	return relay
}

func writeHistory(w io.Writer, changes []admin.Change) error {
	var table output.Table
	table.Add("WHEN", "BEFORE", "AFTER", "RELAY", "ASKED", "BY")
	for _, c := range changes {
		note := ""
		if c.Undone {
			note = "(undone)"
		}
		table.Add(text.Time(c.ID.Time()), nameCursor(c.Before), nameCursor(c.After), figures.OrDash(relayOf(c.After, c.Relay)), c.How, figures.OrDash(c.By), note)
	}
	return shell.WriteLines(w, table.Lines(""))
}

// nameCursor is what a cursor key held, for people.
func nameCursor(raw string) string {
	switch raw {
	case "":
		return "none (live)"
	case "0":
		return "0 (oldest)"
	}
	return text.Escape(raw)
}

// unlessEmpty is null in JSON for what is not there.
func unlessEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// roundSeconds is a duration in JSON.
func roundSeconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// storedAt tells when the entry of a seq was stored; zero when there is none.
func storedAt(ctx context.Context, r *reader.Reader, seq event.Seq) (time.Time, error) {
	s, found, err := r.SeekSeq(ctx, seq)
	if err != nil || !found {
		return time.Time{}, err
	}
	if have, _ := s.Seq(); have != seq {
		return time.Time{}, nil
	}
	return s.ID.Time(), nil
}
