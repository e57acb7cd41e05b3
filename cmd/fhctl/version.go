package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fhctl/fhctl/pkg/output"
)

// Set at release by the linker; builds from source read them from Go's own
// build information.
var (
	version string
	commit  string
	date    string // of the commit, RFC 3339
)

// build says what this program was made from. Its fields are fhctl version -o
// json's.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Date     string `json:"date"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readBuild never has an empty field: what is unknown says so.
func readBuild() build {
	b := build{version, commit, date, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.fill(info)
	}
	for _, field := range []*string{&b.Version, &b.Commit, &b.Date} {
		if *field == "" {
			*field = "unknown"
		}
	}
	return b
}

func (b *build) fill(info *debug.BuildInfo) {
	stamps := map[string]string{}
	for _, s := range info.Settings {
		stamps[s.Key] = s.Value
	}
	orElse := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	orElse(&b.Version, info.Main.Version)
	orElse(&b.Commit, stamps["vcs.revision"])
	orElse(&b.Date, stamps["vcs.time"])
}

func newVersionCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Show what this program was made from", GroupID: groupAbout,
		Args: atMost(0),
		Example: `  fhctl version
  fhctl version -o json`,
	}
	format := addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return format.write(a.stdout, readBuild(), func(w io.Writer) error {
			b := readBuild()
			_, err := fmt.Fprintf(w, "fhctl %s\ncommit %s\ndate %s\n%s %s\n", b.Version, b.Commit, b.Date, b.Go, b.Platform)
			return err
		})
	}
	return cmd
}

// addVersionFlag is --version. Cobra's own would print through a text/template,
// which keeps the linker from dropping what nobody calls (pkg/template).
func addVersionFlag(root *cobra.Command, a *app) {
	asked := root.Flags().BoolP("version", "v", false, "version for fhctl")
	run := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if !*asked || len(args) > 0 {
			return run(cmd, args)
		}
		_, err := fmt.Fprintf(a.stdout, "fhctl %s\n", readBuild().Version)
		return err
	}
}

// format is the -o flag of commands that print one thing.
type format struct{ name string }

func addFormat(cmd *cobra.Command) *format {
	f := &format{}
	cmd.Flags().StringVarP(&f.name, "output", "o", "text", "print text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return f
}

// visible is w, where JSON that a terminal shows cannot steer it. Elsewhere it is
// passed on byte for byte.
func visible(w io.Writer) io.Writer {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return output.Visible(w)
	}
	return w
}

// write prints value as JSON or lets text print it.
func (f *format) write(w io.Writer, value any, text func(io.Writer) error) error {
	switch f.name {
	case "text":
		return text(w)
	case "json":
		out := json.NewEncoder(visible(w))
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(value)
	}
	return usageError(fmt.Errorf("flag --output: %q is neither text nor json", f.name), "write text or json")
}
