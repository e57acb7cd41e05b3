package shell

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// promptPatience is how long a shell is kept waiting.
const promptPatience = time.Second

// plainWord is what a word may be made of to need no quotes in any shell.
const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-"

// CompleteFrom offers names that Redis gives, if it answers at once. It is
// silent otherwise: a prompt is no place for errors. The values are descriptions,
// "" for none; they are our words, while the names are anybody's.
func (a *Env) CompleteFrom(names func(context.Context, *reader.Reader) map[string]string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) (offers []cobra.Completion, _ cobra.ShellCompDirective) {
		cfg, err := config.Load(cmd.Flags(), a.Environ)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), promptPatience)
		defer cancel()
		silent := *a
		silent.Log = slog.New(slog.DiscardHandler)
		stream, err := settings.OpenReader(ctx, silent.Log, cfg)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = stream.Close() }() // nothing was written
		for name, about := range names(ctx, stream) {
			// A shell would take other names apart, or run them.
			plain := func(r rune) bool {
				return strings.ContainsRune(plainWord, r) || r > unicode.MaxASCII && unicode.IsLetter(r)
			}
			if strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) || !strings.HasPrefix(name, typed) {
				continue
			}
			if about != "" {
				name = cobra.CompletionWithDesc(name, about)
			}
			offers = append(offers, name)
		}
		slices.Sort(offers)
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteStreams offers the streams that Redis has.
func (a *Env) CompleteStreams() cobra.CompletionFunc {
	return a.CompleteFrom(func(ctx context.Context, r *reader.Reader) map[string]string {
		names := map[string]string{}
		keys, _ := r.Streams(ctx)
		for _, key := range keys {
			if !ourOwn(key) {
				names[key] = ""
			}
		}
		return names
	})
}

// ourOwn reports whether a stream is one that fhctl keeps beside a cursor: what was
// changed, and what was lost.
func ourOwn(key string) bool {
	return strings.HasSuffix(key, ":history") || strings.HasSuffix(key, ":losses")
}

// CompleteStreamKeys completes --stream-key of every command that has it.
func (a *Env) CompleteStreamKeys(cmd *cobra.Command) {
	// It fails only for a command without the flag.
	_ = cmd.RegisterFlagCompletionFunc("stream-key", a.CompleteStreams())
	for _, sub := range cmd.Commands() {
		a.CompleteStreamKeys(sub)
	}
}
