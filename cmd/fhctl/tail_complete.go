package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// What completion of collections looks at, and for how long: a shell waits.
const (
	completionEntries  = 1000
	completionPatience = time.Second
)

func completeTail(a *app, cmd *cobra.Command) {
	for flag, words := range map[string][]cobra.Completion{
		"source": {"stream", "relay"},
		"output": {"text", "json"},
		"kind":   {"commit", "identity", "account", "sync", "info", "unknown"},
		"action": {"create", "update", "delete"},
		"since":  {"10m", "1h", "oldest", "live", "seq:"},
		"tail":   {"10", "100", "all"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	for _, flag := range []string{"did", "grep", "template", "limit", "expect", "within"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	_ = cmd.RegisterFlagCompletionFunc("collection", completeCollections(a))
}

// completeCollections offers what the stream's newest entries hold. It is
// silent when they cannot be had: a prompt is no place for errors.
func completeCollections(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		cfg, err := config.Load(cmd.Flags(), a.environ)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionPatience)
		defer cancel()
		s := &session{app: a, cfg: cfg, slog: slog.New(slog.NewTextHandler(io.Discard, nil))}
		var offers []cobra.Completion
		for collection, n := range s.collectionsSeen(ctx) {
			if strings.HasPrefix(collection, typed) {
				offers = append(offers, cobra.CompletionWithDesc(collection, fmt.Sprintf("%d of the newest ops", n)))
			}
		}
		slices.Sort(offers)
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
}

// collectionsSeen counts ops by collection in the stream's newest entries. Only
// names that a shell takes as one plain word are kept: records are untrusted.
func (s *session) collectionsSeen(ctx context.Context) map[string]int {
	reader, err := s.reader(ctx)
	if err != nil {
		return nil
	}
	defer func() { _ = reader.Close() }() // nothing was written
	newest, err := reader.Last(ctx, completionEntries)
	if err != nil {
		return nil
	}
	seen := map[string]int{}
	var outline entry.Outline
	for _, stored := range newest {
		data, _ := stored.Value("data")
		if outline.Read(data) != nil {
			continue
		}
		for i := range outline.Ops {
			seen[outline.Ops[i].Collection()]++
		}
	}
	maps.DeleteFunc(seen, func(name string, _ int) bool { return !syntax.ValidNSID([]byte(name)) })
	return seen
}
