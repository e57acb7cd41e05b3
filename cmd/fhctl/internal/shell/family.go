package shell

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/pkg/config"
)

// The groups of commands in help.
const (
	GroupEvents = "events"
	GroupAbout  = "about"
)

// NewFamily is a command that only holds others: by itself it shows its help,
// and a word it does not know is an error with the nearest one it does.
func NewFamily(use, short string, members ...*cobra.Command) *cobra.Command {
	family := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	family.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return UnknownCommand(cmd, args[0])
	}
	family.AddCommand(members...)
	return family
}

// UnknownCommand is the usage error of a word that is no command below cmd, with the nearest
// that is one.
func UnknownCommand(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("unknown command %q for %q", word, cmd.CommandPath())
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if name := config.Nearest(word, names); name != "" {
		return UsageError(err, fmt.Sprintf("did you mean %q?", cmd.CommandPath()+" "+name))
	}
	return UsageError(err, fmt.Sprintf("%q lists the commands", cmd.CommandPath()+" --help"))
}
