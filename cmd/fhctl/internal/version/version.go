// Package version is the command "version".
package version

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
)

// Command is "fhctl version".
func Command(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Show what this program was made from", GroupID: shell.GroupAbout,
		Args: shell.AtMost(0),
		Example: `  fhctl version
  fhctl version -o json`,
	}
	format := shell.AddFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return format.Write(a.Out, build.Read(), func(w io.Writer) error {
			b := build.Read()
			_, err := fmt.Fprintf(w, "fhctl %s\ncommit %s\ndate %s\n%s %s\n", b.Version, b.Commit, b.Date, b.Go, b.Platform)
			return err
		})
	}
	return cmd
}
