package shell

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fhctl/fhctl/pkg/output"
)

// Format is the -o flag of commands that print one thing.
type Format struct{ Name string }

// AddFormat gives a command -o with its completion.
func AddFormat(cmd *cobra.Command) *Format {
	f := &Format{}
	cmd.Flags().StringVarP(&f.Name, "output", "o", "text", "print text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return f
}

// Visible is w, where JSON that a terminal shows cannot steer it. Elsewhere it is
// passed on byte for byte.
func Visible(w io.Writer) io.Writer {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return output.Visible(w)
	}
	return w
}

// Write prints value as JSON or lets text print it.
func (f *Format) Write(w io.Writer, value any, text func(io.Writer) error) error {
	switch f.Name {
	case "text":
		return text(w)
	case "json":
		out := json.NewEncoder(Visible(w))
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(value)
	}
	return UsageError(fmt.Errorf("flag --output: %q is neither text nor json", f.Name), "write text or json")
}

// Check refuses an unknown format before anything is connected.
func (f *Format) Check() error {
	return f.Write(io.Discard, nil, func(io.Writer) error { return nil })
}

// PrintLine prints value as one line of JSON.
func PrintLine(w io.Writer, value any) error {
	out := json.NewEncoder(Visible(w))
	out.SetEscapeHTML(false)
	return out.Encode(value)
}
