package main

import (
	"context"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// completionEntries is what completion of collections looks at.
const completionEntries = 1000

func completeTail(a *app, cmd *cobra.Command) {
	for flag, words := range map[string][]cobra.Completion{
		"source": {"stream", "relay"},
		"output": {"text", "json"},
		"kind":   {"commit", "identity", "account", "sync", "info", "unknown"},
		"action": {"create", "update", "delete"},
		"since":  beginWords,
		"tail":   {"10", "100", "all"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	for _, flag := range []string{"did", "grep", "template", "limit", "expect", "within"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	_ = cmd.RegisterFlagCompletionFunc("collection", completeCollections(a))
}

// completeCollections offers what the stream's newest entries hold.
func completeCollections(a *app) cobra.CompletionFunc {
	return a.completeFrom(func(ctx context.Context, r *redisstream.Reader) map[string]string {
		names := map[string]string{}
		for collection, n := range collectionsSeen(ctx, r) {
			names[collection] = fmt.Sprintf("%d of the newest ops", n)
		}
		return names
	})
}

// collectionsSeen counts ops by collection in the stream's newest entries. Only
// names that a shell takes as one plain word are kept: records are untrusted.
func collectionsSeen(ctx context.Context, reader *redisstream.Reader) map[string]int {
	seen := map[string]int{}
	var outline entry.Outline
	for stored, err := range reader.Latest(ctx, completionEntries) {
		if err != nil {
			return nil
		}
		if outline.Read(entry.FieldsOf(stored.Fields).Data) != nil {
			continue
		}
		for i := range outline.Ops {
			seen[outline.Ops[i].Collection()]++
		}
	}
	maps.DeleteFunc(seen, func(name string, _ int) bool { return !syntax.ValidNSID([]byte(name)) })
	return seen
}
