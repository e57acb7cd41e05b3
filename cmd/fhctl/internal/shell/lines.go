package shell

import (
	"io"
	"strings"
)

// WriteLines writes lines to w.
func WriteLines(w io.Writer, lines []string) error {
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}
