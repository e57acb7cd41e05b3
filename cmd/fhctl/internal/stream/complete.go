package stream

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

func completeStats(a *shell.Env, cmd *cobra.Command) {
	for flag, words := range map[string][]cobra.Completion{
		"watch": {"1s", "2s", "10s"}, "relay-window": {"24h", "72h"}, "max-cursor-age": {"1m", "10m", "1h"},
		"sample": nil, "max-lag": nil, "max-lag-seconds": nil, "max-pending": nil,
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = cmd.RegisterFlagCompletionFunc("group", a.CompleteFrom(func(ctx context.Context, r *reader.Reader) map[string]string {
		names := map[string]string{}
		groups, _ := r.Groups(ctx)
		for _, g := range groups {
			names[g.Name] = ""
		}
		return names
	}))
}
