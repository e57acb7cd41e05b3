package shell

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/pkg/config"
)

// helpWidth is where help wraps: a terminal's least common width.
const helpWidth = 80

// ShowUsage is cobra's usage text with the flags by group of settings, as the
// configuration page has them: fifty flags in one list are no help.
func ShowUsage(cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	writeCommands(&b, cmd)
	writeFlags(&b, "Flags", group(cmd.LocalNonPersistentFlags(), ""))
	for _, g := range config.Groups() {
		flags := cmd.LocalFlags()
		if g == config.GroupGlobal {
			flags = cmd.Flags()
		}
		writeFlags(&b, string(g), group(flags, string(g)))
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), b.String())
	return err
}

func writeCommands(b *strings.Builder, cmd *cobra.Command) {
	write := func(title, id string) {
		for _, c := range cmd.Commands() {
			if c.GroupID != id || !c.IsAvailableCommand() && c.Name() != "help" {
				continue
			}
			if title != "" {
				fmt.Fprintf(b, "\n%s\n", title)
				title = ""
			}
			fmt.Fprintf(b, "  %-12s %s\n", c.Name(), c.Short)
		}
	}
	for _, g := range cmd.Groups() {
		write(g.Title, g.ID)
	}
	write("Commands:", "")
}

// group is the flags that belong to one group; "" stands for none.
func group(flags *pflag.FlagSet, name string) *pflag.FlagSet {
	some := pflag.NewFlagSet("", pflag.ContinueOnError)
	some.SortFlags = false
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if strings.Join(f.Annotations[config.AnnotationGroup], "") == name {
			some.AddFlag(f)
		}
	})
	return some
}

func writeFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(b, "\n%s:\n%s", title, flags.FlagUsagesWrapped(helpWidth))
	}
}
