package main

import (
	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/bench"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/configcmd"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/cursor"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/doctor"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ingest"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/replay"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/stream"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/tail"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/verify"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/version"
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

// commands lists every command. A new one is a file of its own and a line here.
func commands(a *shell.Env) []*cobra.Command {
	return []*cobra.Command{
		ingest.Command(a),
		tail.Command(a),
		replay.Command(a),
		replay.RecordCommand(a),
		cursor.Command(a),
		stream.Command(a),
		verify.Command(a),
		doctor.Command(a),
		bench.Command(a),
		configcmd.Command(a),
		version.Command(a),
	}
}

func newRoot(a *shell.Env) *cobra.Command {
	root := shell.NewFamily("fhctl", "Feed Redis from an atproto relay", commands(a)...)
	root.Long = rootLong
	root.Example = `  # A relay and a Redis in one process, nothing else needed
  fhctl ingest --relay-url sim:// --redis-url embedded://

  # What is stored, as it comes
  fhctl tail -f`
	addVersionFlag(root, a)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.AddGroup(&cobra.Group{ID: shell.GroupEvents, Title: "Events:"}, &cobra.Group{ID: shell.GroupAbout, Title: "About:"})
	root.SetHelpCommandGroupID(shell.GroupAbout)
	root.SetCompletionCommandGroupID(shell.GroupAbout)
	root.SetUsageFunc(shell.ShowUsage)
	root.SetFlagErrorFunc(shell.FlagError)
	root.PersistentPreRun = func(*cobra.Command, []string) { a.Started = true }
	config.AddFlags(root.PersistentFlags(), config.GroupGlobal)
	shell.CompleteChoices(root, config.GroupGlobal)
	a.CompleteStreamKeys(root)
	root.SetIn(a.In)
	a.Help = &shell.FirstError{W: a.Out}
	root.SetOut(a.Help)
	root.SetErr(a.Err)
	addStandard(root)
	refuseHelpOfNothing(a, root)
	shell.AddressHelp(root)
	a.CheckArguments(root)
	return root
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
			family := shell.NewFamily("", "")
			cmd.Args, cmd.RunE = family.Args, family.RunE
			cmd.Example = "  # For this session of bash; the page of each shell says how to keep it\n  " + loadCompletion["bash"]
			for _, one := range cmd.Commands() {
				one.Args, one.Example = shell.AtMost(0), "  # For this session\n  "+loadCompletion[one.Name()]
			}
		case "help":
			show := cmd.Run
			cmd.Run, cmd.RunE = nil, func(cmd *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				if err == nil && len(rest) > 0 {
					return shell.UnknownCommand(of, rest[0])
				}
				show(cmd, args)
				return err
			}
		}
	}
}

// refuseHelpOfNothing makes --help fail behind a word that is no command: cobra shows the
// page of the last command that it understood, and ends with 0.
func refuseHelpOfNothing(a *shell.Env, root *cobra.Command) {
	show := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		words := cmd.Flags().Args()
		if cmd.HasSubCommands() && len(words) > 0 && cmd.Name() != "help" {
			a.Help.Err = shell.UnknownCommand(cmd, words[0])
			return
		}
		show(cmd, args)
	})
}
