// Package configcmd is the command "config": it shows every setting with where it came
// from.
package configcmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/text"
)

// Command is "fhctl config".
func Command(a *shell.Env) *cobra.Command {
	family := shell.NewFamily("config", "Look at settings", newConfigShowCommand(a))
	family.GroupID = shell.GroupAbout
	family.Example = "  fhctl config show"
	return family
}

// shownValue is one element of fhctl config show -o json.
type shownValue struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Layer  string `json:"layer"`
	Origin string `json:"origin"`
}

func newConfigShowCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "Show every setting with where it came from",
		Long: `Show every setting with where it came from: flag, environment, file or default.
Passwords are masked. It takes the flags of the other commands, to show what
they would do, and fails as they would where a setting cannot be used.`,
		Args: shell.AtMost(0),
		Example: `  fhctl config show
  fhctl config show --config fhctl.yaml -o json
  REDIS_MAX_STREAM_LEN=1000 fhctl config show --batch-size 50`,
	}
	format := shell.AddFormat(cmd)
	shell.AddSettings(cmd, config.GroupRelay, config.GroupRedis, config.GroupWriter, config.GroupStart, config.GroupFilter,
		config.GroupFlow, config.GroupRejects, config.GroupHealth)
	cmd.RunE = a.With(func(_ context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		values := make([]shownValue, len(cfg.Values))
		for i, v := range cfg.Values {
			values[i] = shownValue{v.Name, v.Text, v.Origin.Layer.String(), v.Origin.String()}
		}
		return format.Write(env.Out, values, func(w io.Writer) error { return writeValues(w, values) })
	})
	return cmd
}

func writeValues(w io.Writer, values []shownValue) error {
	var table output.Table
	table.Add("SETTING", "VALUE", "ORIGIN")
	for _, v := range values {
		value := fewItems(v.Value)
		if value == "" {
			value = `""` // a column must not vanish
		}
		table.Add(v.Name, value, v.Origin)
	}
	return shell.WriteLines(w, table.Lines(""))
}

// shownItems is how many items of a list a table shows: the widest value is the
// width of all lines.
const shownItems = 5

// fewItems cuts a long list for people, and says how much it left out. JSON has
// all of it.
func fewItems(list string) string {
	items := strings.Split(list, ",")
	if len(items) <= shownItems {
		return list
	}
	return fmt.Sprintf("%s, … and %s more (-o json lists them)", strings.Join(items[:shownItems], ","), text.Thousands(int64(len(items)-shownItems)))
}
