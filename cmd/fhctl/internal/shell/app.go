// Package shell is what the commands share: their environment ([Env]), how settings reach
// them ([Env.With]), logs, formats, exit codes, completion, and how a remedy is typed
// ([Spell]).
package shell

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
)

// Env is what one invocation is given: its streams and its environment.
type Env struct {
	In      io.Reader
	Out     io.Writer // data and nothing else
	Err     *Terminal
	Help    *FirstError // stdout, as help and completion scripts use it
	args    []string    // as typed
	Environ []string
	// OnTerminal reports whether people read standard error.
	OnTerminal bool
	// Started is set once flags and arguments have been understood: errors
	// before that are the caller's.
	Started bool
	// Waits is what is waited for, for people; nil or "" is nothing. with makes it.
	Waits *atomic.Pointer[string]

	// What with makes of the settings that it read:

	// Log is the logger they ask for.
	Log *slog.Logger
	// Level is slog's; it may be changed while the command runs.
	Level *slog.LevelVar
	// Reread reads the settings once more, as they are now.
	Reread func() (*config.Config, error)
}

// NewEnv is the environment of this process.
func NewEnv() *Env {
	return &Env{
		In: os.Stdin, Out: os.Stdout,
		Err:        &Terminal{W: os.Stderr},
		Environ:    os.Environ(),
		OnTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// With makes a cobra RunE of a function that needs settings. It loads them,
// logs their warnings, and applies --timeout to the context.
func (a *Env) With(do func(ctx context.Context, env *Env, cfg *config.Config, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := refuseEmpty(cmd.Flags(), args); err != nil {
			return err
		}
		if err := refuseOutOfRange(cmd.Flags()); err != nil {
			return err
		}
		cfg, err := config.Load(cmd.Flags(), a.Environ)
		if err != nil {
			return err
		}
		a.Waits = new(atomic.Pointer[string])
		a.Level = new(slog.LevelVar)
		a.Level.Set(cfg.Log.Level)
		a.Log = newLogger(a.Err, cfg.Log, a.Level, a.OnTerminal)
		defer flushLog(a.Log)
		a.Reread = func() (*config.Config, error) { return config.Load(cmd.Flags(), a.Environ) }
		for _, warning := range cfg.Warnings {
			a.Log.Warn(warning)
		}
		a.Log.Debug("settings", settingAttrs(cfg)...)
		return withTimeout(cmd.Context(), cfg.Timeout, a.Waits, func(ctx context.Context) error {
			return do(ctx, a, cfg, args)
		})
	}
}

// refuseEmpty refuses flags and arguments that are given and hold nothing, as when
// the variable of a shell that should fill them is not set: what is left out means
// everything, and nobody who writes a flag means that.
func refuseEmpty(flags *pflag.FlagSet, args []string) (err error) {
	const hint = "is the variable set that should fill it? Leave it out to have what --help calls its default"
	flags.Visit(func(f *pflag.Flag) {
		list, isList := f.Value.(pflag.SliceValue)
		empty := !isList && f.Value.String() == ""
		if isList {
			items := list.GetSlice()
			empty = len(items) == 0 || slices.Contains(items, "")
		}
		if given, ok := f.Value.(interface{ Empty() bool }); ok { // a setting's
			empty = given.Empty()
		}
		if empty && err == nil {
			err = UsageError(fmt.Errorf("flag --%s: it is empty", f.Name), hint)
		}
	})
	if i := slices.Index(args, ""); i >= 0 && err == nil {
		err = UsageError(fmt.Errorf("argument %d is empty", i+1), hint)
	}
	return err
}

// settingAttrs is every setting as "value (origin)", secrets masked.
func settingAttrs(cfg *config.Config) []any {
	var attrs []any
	for _, v := range cfg.Values {
		attrs = append(attrs, slog.String(v.Name, v.Text+" ("+v.Origin.String()+")"))
	}
	return attrs
}

// UsageError is an error of the command line.
func UsageError(err error, hint string) error { return fault.New(fault.Usage, err, hint) }

// AddSettings gives a command the flags of the groups and completes the values
// of those that take fixed words.
func AddSettings(cmd *cobra.Command, groups ...config.Group) {
	config.AddFlags(cmd.Flags(), groups...)
	CompleteChoices(cmd, groups...)
}

// CompleteChoices completes the values of the settings that take fixed words.
func CompleteChoices(cmd *cobra.Command, groups ...config.Group) {
	for _, s := range config.Settings() {
		if len(s.Choices) == 0 || !slices.Contains(groups, s.Group) {
			continue
		}
		words := make([]cobra.Completion, len(s.Choices))
		for i, choice := range s.Choices {
			words[i] = strings.ToLower(choice)
		}
		// It fails only for a flag that does not exist or is completed
		// already, which the drift test of the completions would show.
		_ = cmd.RegisterFlagCompletionFunc(s.Name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}
