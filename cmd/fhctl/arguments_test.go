package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// judged runs a command line whose context has ended already, so that nothing but
// its words is judged, and gives the exit code and what was printed.
func judged(t *testing.T, words ...string) (code int, said string) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(shell.ErrInterrupted)
	var out bytes.Buffer
	a := &shell.Env{
		In: strings.NewReader(""), Out: io.Discard, Err: &shell.Terminal{W: &out},
		Environ: []string{"REDIS_URL=redis://127.0.0.1:1", "RELAY_URL=ws://127.0.0.1:1", "FHCTL_HEALTH_ADDR=off"},
	}
	return a.Execute(ctx, words, newRoot), out.String()
}

// each calls do with every command that can be run, and its path below fhctl.
func each(root *cobra.Command, do func(cmd *cobra.Command, path []string)) {
	for _, cmd := range root.Commands() {
		if len(cmd.Commands()) == 0 && cmd.Name() != "help" {
			do(cmd, strings.Fields(cmd.CommandPath())[1:])
		}
		each(cmd, do)
	}
}

// parserTalk is how Go's parsers speak of what they cannot read.
var parserTalk = regexp.MustCompile(`strconv\.|\btime: |parse "|error parsing|parse error|invalid argument|net/url|ParseFloat|syntax error`)

// Whatever a flag is given, the answer is in our words and not in a parser's.
func TestNoFlagQuotesItsParser(t *testing.T) {
	t.Parallel()
	tried := 0
	// A setting is read by one place for all commands; any text names a directory
	// to keep rejects in.
	settings := map[string]bool{"rejects": true}
	each(newRoot(shell.NewEnv()), func(cmd *cobra.Command, path []string) {
		cmd.InitDefaultHelpFlag()
		try := func(f *pflag.Flag) {
			for _, value := range []string{"x", "-1", "99999999999999999999", `"`, "("} {
				words := append(slices.Clone(path), "--"+f.Name+"="+value)
				code, said := judged(t, words...)
				tried++
				if parserTalk.MatchString(said) {
					t.Errorf("fhctl %s says:\n%s", strings.Join(words, " "), said)
				}
				if code == 2 && !strings.Contains(said, "\nhint: ") {
					t.Errorf("fhctl %s has no hint:\n%s", strings.Join(words, " "), said)
				}
				if code == 1 {
					t.Errorf("fhctl %s ends with 1:\n%s", strings.Join(words, " "), said)
				}
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if settings[f.Name] {
				return
			}
			settings[f.Name] = f.Annotations[config.AnnotationGroup] != nil
			try(f)
		})
	})
	if tried < 300 {
		t.Errorf("only %d values were tried", tried)
	}
}

// No flag takes a number below 0, nor one without end.
func TestNoFlagTakesNumbersBelowZero(t *testing.T) {
	t.Parallel()
	each(newRoot(shell.NewEnv()), func(cmd *cobra.Command, path []string) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			values := map[string][]string{
				"int": {"-1", "-010"}, "int64": {"-1"}, "uint64": {"-1"}, "float64": {"-0.5", "NaN", "Inf", "-Inf"}, "duration": {"-1s", "-1ns"},
				"N": {"-1"}, "DURATION": {"-1s"}, "SIZE": {"-1", "NaN"}, // settings name what they take
			}[f.Value.Type()]
			for _, value := range values {
				words := append(slices.Clone(path), "--"+f.Name, value)
				code, said := judged(t, words...)
				if code != 2 || !strings.Contains(said, "--"+f.Name+": ") {
					t.Errorf("fhctl %s: exit code %d\n%s", strings.Join(words, " "), code, said)
				}
			}
		})
	})
}

// Every switch of every command, with its value behind a blank.
func TestSwitchesTakeNoValueBehindABlank(t *testing.T) {
	t.Parallel()
	each(newRoot(shell.NewEnv()), func(cmd *cobra.Command, path []string) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal == "" || f.Name == "help" {
				return
			}
			forms := []string{"--" + f.Name}
			if f.Shorthand != "" {
				forms = append(forms, "-"+f.Shorthand)
			}
			for _, form := range forms {
				code, said := judged(t, append(slices.Clone(path), form, "false")...)
				if code != 2 || !strings.Contains(said, "hint: write --"+f.Name+"=false\n") {
					t.Errorf("fhctl %s %s false: exit code %d\n%s", strings.Join(path, " "), form, code, said)
				}
			}
		})
	})
}

// An address of this machine that cannot be had is a value that cannot be used,
// wherever it is given: 2, and not 4, which sends people to look at a network.
func TestTakenAddressIsUsage(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	_, relayErr := relayserver.Start(relayserver.Config{Log: relayserver.NewMemoryLog(1), Addr: addr})
	_, redisErr := embedded.Start(addr)
	_, healthErr := health.New(health.Config{}).Listen(addr)
	for name, err := range map[string]error{"relay": relayErr, "Redis": redisErr, "health": healthErr} {
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s: %v is %v, with the hint %q", name, err, fault.ClassOf(err), fault.HintOf(err))
		}
	}
}
