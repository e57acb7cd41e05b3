package tail

import (
	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
)

func completeTail(a *shell.Env, cmd *cobra.Command) {
	for flag, words := range map[string][]cobra.Completion{
		"source": {"stream", "relay"},
		"output": {"text", "json"},
		"kind":   {"commit", "identity", "account", "sync", "info", "unknown"},
		"action": {"create", "update", "delete"},
		"since":  ranges.BeginWords,
		"tail":   {"10", "100", "all"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	for _, flag := range []string{"did", "grep", "template", "limit", "expect", "within"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	_ = cmd.RegisterFlagCompletionFunc("collection", shell.CompleteCollections(a))
}
