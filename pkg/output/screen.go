package output

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Tone says what a row means, so that a terminal may colour it.
type Tone uint8

// The tones.
const (
	Plain Tone = iota
	Head
	Good
	Warn
	Bad
	Faint
)

var tones = [...]string{Plain: "", Head: "1", Good: "32", Warn: "33", Bad: "31", Faint: "2"}

// Row is one line of a report. Its text holds no control characters: whoever
// makes it escapes what is untrusted.
type Row struct {
	Text string
	Tone Tone
}

func (r Row) paint(text string, color bool) string {
	if !color || r.Tone == Plain || text == "" {
		return text
	}
	return "\x1b[" + tones[r.Tone] + "m" + text + "\x1b[0m"
}

// WriteRows writes rows as lines, whole, in one Write.
func WriteRows(w io.Writer, rows []Row, color bool) error {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(row.paint(row.Text, color) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Screen redraws a report in place: each Draw covers what the one before left.
// It uses no alternate screen, so that the last report stays to be read. Only
// one goroutine may use it, and nothing else may write to the terminal between
// two Draws, or the report begins anew below.
type Screen struct {
	Out   io.Writer
	Color bool
	// Size gives columns and lines of the terminal; nil asks Out, and what
	// is unknown is taken as 80 by 24.
	Size  func() (columns, lines int)
	drawn int // lines on the screen
}

// Draw shows rows, cut to the terminal: a row that wrapped, or a line above the
// screen, could not be covered again.
func (s *Screen) Draw(rows []Row) error {
	columns, lines := s.size()
	if keep := max(lines-1, 1); len(rows) > keep {
		left := len(rows) - keep + 1
		rows = append(rows[:keep-1:keep-1], Row{fmt.Sprintf("… %d more lines", left), Faint})
	}
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	b.WriteByte('\r')
	for _, row := range rows {
		b.WriteString(row.paint(Cut(row.Text, columns-1), s.Color) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.drawn = len(rows)
	_, err := io.WriteString(s.Out, b.String())
	return err
}

// Leave gives the lines below the report to others: the next Draw begins there.
func (s *Screen) Leave() { s.drawn = 0 }

func (s *Screen) size() (columns, lines int) {
	if s.Size != nil {
		columns, lines = s.Size()
	} else if file, ok := s.Out.(*os.File); ok {
		columns, lines, _ = term.GetSize(int(file.Fd()))
	}
	if columns <= 0 {
		columns = assumedWidth
	}
	if lines <= 0 {
		lines = 24
	}
	return columns, lines
}
