package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
)

// addVersionFlag is --version. Cobra's own would print through a text/template,
// which keeps the linker from dropping what nobody calls (pkg/template).
func addVersionFlag(root *cobra.Command, a *shell.Env) {
	asked := root.Flags().BoolP("version", "v", false, "version for fhctl")
	run := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if !*asked || len(args) > 0 {
			return run(cmd, args)
		}
		_, err := fmt.Fprintf(a.Out, "fhctl %s\n", build.Read().Version)
		return err
	}
}
