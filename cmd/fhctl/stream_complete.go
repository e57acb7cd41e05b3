package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/redisstream"
)

func (a *app) completeStats(cmd *cobra.Command) {
	for flag, words := range map[string][]cobra.Completion{
		"watch": {"1s", "2s", "10s"}, "relay-window": {"24h", "72h"}, "max-cursor-age": {"1m", "10m", "1h"},
		"sample": nil, "max-lag": nil, "max-lag-seconds": nil, "max-pending": nil,
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = cmd.RegisterFlagCompletionFunc("group", a.completeFrom(func(ctx context.Context, r *redisstream.Reader) (names []string) {
		groups, _ := r.Groups(ctx)
		for _, g := range groups {
			names = append(names, g.Name)
		}
		return names
	}))
	_ = cmd.RegisterFlagCompletionFunc("stream-key", a.completeFrom(func(ctx context.Context, r *redisstream.Reader) []string {
		keys, _ := r.Streams(ctx)
		return keys
	}))
}

// promptPatience is how long a shell is kept waiting.
const promptPatience = time.Second

// plainWord is what a word may be made of to need no quotes in any shell.
const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-"

// completeFrom offers names that Redis gives, if it answers at once. It is
// silent otherwise: a prompt is no place for errors.
func (a *app) completeFrom(names func(context.Context, *redisstream.Reader) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) (offers []cobra.Completion, _ cobra.ShellCompDirective) {
		cfg, err := config.Load(cmd.Flags(), a.environ)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), promptPatience)
		defer cancel()
		s := &session{app: a, cfg: cfg, slog: slog.New(slog.NewTextHandler(io.Discard, nil))}
		reader, err := s.reader(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = reader.Close() }() // nothing was written
		for _, name := range names(ctx, reader) {
			// A shell would take other names apart, or run them.
			plain := !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(plainWord, r) })
			if plain && strings.HasPrefix(name, typed) {
				offers = append(offers, name)
			}
		}
		slices.Sort(offers)
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
}
