package output

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/text"
)

// Columns prints one aligned line per event, for people. Untrusted text is
// escaped.
type Columns struct {
	// Width is the terminal's columns, asked for each line; lines are cut to
	// it. Nil cuts nothing and prints times in full, as fits a file.
	Width func() int
	Color bool
	Now   func() time.Time // nil is time.Now
}

// TerminalWidth is the columns of the terminal that file is, 0 when unknown.
func TerminalWidth(file *os.File) int { return columns(file) }

// layout is how wide the columns are. A column of width 0 is left out.
type layout struct {
	from                                int // columns of the terminal
	time, kind, action, coll, did, rkey int
}

var layouts = []layout{
	{132, 12, 8, 6, 24, 32, 13},
	{104, 12, 8, 6, 24, 18, 13},
	{76, 11, 8, 6, 18, 14, 0},
	{0, 11, 8, 6, 12, 0, 0}, // what an event says is worth more than who says it
}

// wholeLayout is for files, where nothing is cut.
var wholeLayout = layout{0, len(stamp), 8, 6, 24, 32, 13}

// What paints a part of the line.
const (
	plainText = ""
	faint     = "2"
	red       = "31"
	green     = "32"
	yellow    = "33"
	blue      = "34"
	magenta   = "35"
	cyan      = "36"
)

// Append appends the line of e.
func (c *Columns) Append(dst []byte, e *Event) []byte {
	line := columnLine{dst: dst, color: c.Color, left: -1}
	to := wholeLayout
	if c.Width != nil {
		line.left = c.Width()
		if line.left <= 0 {
			line.left = assumedWidth
		}
		for _, to = range layouts {
			if line.left >= to.from {
				break
			}
		}
	}
	coll, rkey, action := "", "", ""
	if op := e.op(); op != nil {
		coll, rkey, action = op.Collection(), op.Key(), op.Action
	}
	line.cell(c.clock(e, to.time), to.time, faint)
	line.cell(e.Kind, to.kind, kindColor(e))
	line.cell(action, to.action, actionColor(action))
	if line.left >= 0 {
		coll = cutHead(text.Escape(coll), to.coll) // the end tells it from its siblings
	}
	line.cell(coll, to.coll, blue)
	line.cell(e.Outline.DID, to.did, faint)
	line.cell(rkey, to.rkey, plainText)
	color := plainText
	if e.Fault != "" {
		color = red
	}
	line.rest(e.summary(), color)
	return append(line.dst, '\n')
}

// columnLine is a line in the making. Space before a part is written with the
// part, so that lines end where their text does.
type columnLine struct {
	dst   []byte
	color bool
	left  int // cells of the terminal's line still free; below 0 without end
	pad   int
}

// cell writes foreign text into a column of width cells. On a terminal it is cut to the
// column; in a file it pushes the others.
func (l *columnLine) cell(foreign string, width int, color string) {
	if width == 0 {
		return
	}
	shown := text.Escape(foreign)
	if l.left >= 0 {
		shown = Cut(shown, width)
	}
	l.part(shown, color)
	l.pad += max(width-Width(shown), 0) + 1
}

// rest writes the last column.
func (l *columnLine) rest(foreign, color string) { l.part(text.Escape(foreign), color) }

func (l *columnLine) part(text, color string) {
	if text == "" {
		return
	}
	if l.left >= 0 {
		if text = Cut(text, l.left-l.pad); text == "" {
			return
		}
		l.left -= l.pad + Width(text)
	}
	for ; l.pad > 0; l.pad-- {
		l.dst = append(l.dst, ' ')
	}
	if !l.color || color == plainText {
		l.dst = append(l.dst, text...)
		return
	}
	l.dst = append(append(l.dst, "\x1b["...), color...)
	l.dst = append(append(append(l.dst, 'm'), text...), "\x1b[0m"...)
}

// clock is local time on a terminal, as in the log, with the date instead of
// the seconds when it is not of the last day.
func (c *Columns) clock(e *Event, width int) string {
	switch {
	case e.At.IsZero():
		return e.Sent
	case c.Width == nil:
		return e.At.UTC().Format(stamp)
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	age := now().Sub(e.At)
	if age > 300*24*time.Hour || age < -24*time.Hour {
		return e.At.Local().Format(time.DateOnly) // else it may be read as of another year
	}
	if age > 24*time.Hour {
		return e.At.Local().Format("01-02 15:04") // fits the narrowest
	}
	if width < len("15:04:05.000") {
		return e.At.Local().Format(time.TimeOnly)
	}
	return e.At.Local().Format("15:04:05.000")
}

func kindColor(e *Event) string {
	switch {
	case e.Fault != "":
		return red
	case e.Kind == "identity":
		return cyan
	case e.Kind == "account":
		return magenta
	}
	return plainText
}

func actionColor(action string) string {
	switch action {
	case "create":
		return green
	case "update":
		return yellow
	case "delete":
		return red
	}
	return plainText
}

// summary is the short text at the end of a line.
func (e *Event) summary() string {
	if e.Fault != "" {
		return "! " + e.Fault
	}
	op := e.op()
	text := ""
	switch {
	case op != nil:
		text = recordText(op.Record)
	case e.Outline.HasOps && len(e.Outline.Ops) == 0:
		text = "no ops"
	case e.Kind == "commit" && !e.Outline.HasOps:
		text = "! no ops array"
	case !e.Outline.HasOps:
		text = accountText(e.Kind, e.Data)
	}
	if more := len(e.Outline.Ops) - 1; more > 0 && !e.Alone {
		text = strings.TrimSpace(fmt.Sprintf("(+%d) %s", more, text))
	}
	if e.Skipped > 0 {
		text = strings.TrimSpace(fmt.Sprintf("(%d skipped) %s", e.Skipped, text))
	}
	return text
}

// telling are the members of a record that say most about it, best first.
var telling = []string{"text", "displayName", "name", "title", "subject", "list", "value"}

// recordText is what a glance needs of a record.
func recordText(record string) (text string) {
	best := len(telling)
	jsonscan.Members(record, func(name, value string) {
		rank := slices.Index(telling, name)
		if rank < 0 || rank > best {
			return
		}
		if found := memberText(value); found != "" {
			best, text = rank, found
		}
	})
	return text
}

// memberText is a text, or the URI of a reference.
func memberText(value string) string {
	text, ok := jsonscan.Text(value)
	if !ok {
		jsonscan.Members(value, func(name, value string) {
			if name == "uri" {
				text, _ = jsonscan.Text(value)
			}
		})
	}
	return text
}

// accountText is what an event without ops says.
func accountText(kind, data string) string {
	said := map[string]string{} // what fits is shown
	active := ""
	jsonscan.Members(data, func(name, value string) {
		switch name {
		case "active":
			active = value
		case "handle", "status", "rev", "name", "message":
			if text, ok := jsonscan.Text(value); ok {
				said[name] = text
			}
		}
	})
	handle, named := said["handle"]
	switch {
	case kind == "identity" && !named:
		return "no handle"
	case kind == "identity":
		return "→ " + handle
	case kind == "account" && (active == "true" || active == "false"):
		text := "inactive"
		if active == "true" {
			text = "active"
		}
		if said["status"] != "" {
			text += ": " + said["status"]
		}
		return text
	}
	return strings.Join(strings.Fields(strings.Join([]string{said["rev"], said["name"], said["message"]}, " ")), " ")
}
