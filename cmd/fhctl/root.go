package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/pkg/config"
)

const rootLong = `fhctl reads the event stream of an atproto relay (subscribeRepos) and appends
every event to a Redis stream, in order, once, with the cursor moved in the same
step.

Settings come from flags, the environment, a YAML file (--config) and defaults,
in this order; "fhctl config show" prints every one with where it came from.

Exit codes:
  0    done, or stopped cleanly
  1    internal error
  2    usage: flags, arguments or settings
  3    findings: a check ran and failed
  4    unreachable: relay or Redis could not be asked
  5    refused: authentication or permission
  6    the cursor is unusable
  7    conflict: another writer, or the cursor moved
  8    data: stored state is damaged
  124  --timeout passed first
  130  interrupted before finishing`

// The groups of commands in help.
const (
	groupEvents = "events"
	groupAbout  = "about"
)

// commands lists every command. A new one is a file of its own and a line here.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newIngestCommand(a),
		newTailCommand(a),
		newReplayCommand(a),
		newRecordCommand(a),
		newCursorCommand(a),
		newStreamCommand(a),
		newVerifyCommand(a),
		newDoctorCommand(a),
		newBenchCommand(a),
		newConfigCommand(a),
		newVersionCommand(a),
	}
}

func newRoot(a *app) *cobra.Command {
	root := newFamily("fhctl", "Feed Redis from an atproto relay", commands(a)...)
	root.Long = rootLong
	root.Example = `  # A relay and a Redis in one process, nothing else needed
  fhctl ingest --relay-url sim:// --redis-url embedded://

  # What is stored, as it comes
  fhctl tail -f`
	addVersionFlag(root, a)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.AddGroup(&cobra.Group{ID: groupEvents, Title: "Events:"}, &cobra.Group{ID: groupAbout, Title: "About:"})
	root.SetHelpCommandGroupID(groupAbout)
	root.SetCompletionCommandGroupID(groupAbout)
	root.SetUsageFunc(showUsage)
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRun = func(*cobra.Command, []string) { a.started = true }
	config.AddFlags(root.PersistentFlags(), config.GroupGlobal)
	completeChoices(root, config.GroupGlobal)
	a.completeStreamKeys(root)
	root.SetIn(a.stdin)
	a.help = &firstError{w: a.stdout}
	root.SetOut(a.help)
	root.SetErr(a.log)
	addStandard(root)
	a.refuseHelpOfNothing(root)
	addressHelp(root)
	a.checkArguments(root)
	return root
}

// newFamily is a command that only holds others: by itself it shows its help,
// and a word it does not know is an error with the nearest one it does.
func newFamily(use, short string, members ...*cobra.Command) *cobra.Command {
	family := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	family.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
	family.AddCommand(members...)
	return family
}

// loadCompletion is what each shell's users type.
var loadCompletion = map[string]string{
	"bash": "source <(fhctl completion bash)", "zsh": "source <(fhctl completion zsh)",
	"fish": "fhctl completion fish | source", "powershell": "fhctl completion powershell | Out-String | Invoke-Expression",
}

// addStandard adds the commands that cobra has for every program, and makes them
// refuse words they do not know: by themselves they show help then and end with 0.
func addStandard(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			family := newFamily("", "")
			cmd.Args, cmd.RunE = family.Args, family.RunE
			cmd.Example = "  # For this session of bash; the page of each shell says how to keep it\n  " + loadCompletion["bash"]
			for _, shell := range cmd.Commands() {
				shell.Args, shell.Example = atMost(0), "  # For this session\n  "+loadCompletion[shell.Name()]
			}
		case "help":
			show := cmd.Run
			cmd.Run, cmd.RunE = nil, func(cmd *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				if err == nil && len(rest) > 0 {
					return unknownCommand(of, rest[0])
				}
				show(cmd, args)
				return err
			}
		}
	}
}

// refuseHelpOfNothing makes --help fail behind a word that is no command: cobra shows the
// page of the last command that it understood, and ends with 0.
func (a *app) refuseHelpOfNothing(root *cobra.Command) {
	show := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		words := cmd.Flags().Args()
		if cmd.HasSubCommands() && len(words) > 0 && cmd.Name() != "help" {
			a.help.err = unknownCommand(cmd, words[0])
			return
		}
		show(cmd, args)
	})
}

func unknownCommand(cmd *cobra.Command, word string) error {
	err := fmt.Errorf("unknown command %q for %q", word, cmd.CommandPath())
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if name := config.Nearest(word, names); name != "" {
		return usageError(err, fmt.Sprintf("did you mean %q?", cmd.CommandPath()+" "+name))
	}
	return usageError(err, fmt.Sprintf("%q lists the commands", cmd.CommandPath()+" --help"))
}
