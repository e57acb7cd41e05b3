package main

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

// app is what one invocation is given: its streams and its environment.
type app struct {
	stdin   io.Reader
	stdout  io.Writer // data and nothing else
	log     *logOutput
	help    *firstError // stdout, as help and completion scripts use it
	args    []string    // as typed
	environ []string
	// terminal reports whether people read standard error.
	terminal bool
	// started is set once flags and arguments have been understood: errors
	// before that are the caller's.
	started bool
	// waits is what is waited for, for people; nil or "" is nothing. with makes it.
	waits *atomic.Pointer[string]

	// What with makes of the settings that it read:

	// slog is the logger they ask for.
	slog *slog.Logger
	// level is slog's; it may be changed while the command runs.
	level *slog.LevelVar
	// again reads the settings once more, as they are now.
	again func() (*config.Config, error)
}

func newApp() *app {
	return &app{
		stdin: os.Stdin, stdout: os.Stdout,
		log:      &logOutput{w: os.Stderr},
		environ:  os.Environ(),
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// with makes a cobra RunE of a function that needs settings. It loads them,
// logs their warnings, and applies --timeout to the context.
func (a *app) with(do func(ctx context.Context, env *app, cfg *config.Config, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := refuseEmpty(cmd.Flags(), args); err != nil {
			return err
		}
		if err := refuseOutOfRange(cmd.Flags()); err != nil {
			return err
		}
		cfg, err := config.Load(cmd.Flags(), a.environ)
		if err != nil {
			return err
		}
		a.waits = new(atomic.Pointer[string])
		a.level = new(slog.LevelVar)
		a.level.Set(cfg.Log.Level)
		a.slog = newLogger(a.log, cfg.Log, a.level, a.terminal)
		defer flushLog(a.slog)
		a.again = func() (*config.Config, error) { return config.Load(cmd.Flags(), a.environ) }
		for _, warning := range cfg.Warnings {
			a.slog.Warn(warning)
		}
		a.slog.Debug("settings", settingAttrs(cfg)...)
		return withTimeout(cmd.Context(), cfg.Timeout, a.waits, func(ctx context.Context) error {
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
			err = usageError(fmt.Errorf("flag --%s: it is empty", f.Name), hint)
		}
	})
	if i := slices.Index(args, ""); i >= 0 && err == nil {
		err = usageError(fmt.Errorf("argument %d is empty", i+1), hint)
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

// usageError is an error of the command line.
func usageError(err error, hint string) error { return fault.New(fault.Usage, err, hint) }

// addSettings gives a command the flags of the groups and completes the values
// of those that take fixed words.
func addSettings(cmd *cobra.Command, groups ...config.Group) {
	config.AddFlags(cmd.Flags(), groups...)
	completeChoices(cmd, groups...)
}

func completeChoices(cmd *cobra.Command, groups ...config.Group) {
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
