package shell

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/text"
)

// consoleHandler writes log lines for people: time, level, message, then the
// attributes as key=value. What came from a relay cannot steer the terminal:
// control characters are escaped.
type consoleHandler struct {
	w        io.Writer
	level    slog.Leveler
	terminal bool   // the clock is enough; elsewhere the date belongs to it
	color    bool   //
	prefix   string // of groups
	attrs    string // rendered
}

// Enabled reports whether the level is logged.
func (h *consoleHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle writes one line in one piece.
func (h *consoleHandler) Handle(_ context.Context, r slog.Record) error {
	layout := time.RFC3339
	if h.terminal {
		layout = time.TimeOnly
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s%s", r.Time.Format(layout), h.paint(r.Level), text.Escape(r.Message), h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, h.prefix, a)
		return true
	})
	b.WriteByte('\n')
	_, err := io.WriteString(h.w, b.String())
	return err
}

// WithAttrs is a handler that adds attrs to each line.
func (h *consoleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	var b strings.Builder
	for _, a := range attrs {
		writeAttr(&b, h.prefix, a)
	}
	with.attrs += b.String()
	return &with
}

// WithGroup is a handler that puts name before the keys of later attributes.
func (h *consoleHandler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.prefix += name + "."
	}
	return &with
}

func (h *consoleHandler) paint(level slog.Level) string {
	name := fmt.Sprintf("%-8s", levelName(level))
	if !h.color {
		return name
	}
	code := "2" // faint
	switch {
	case level >= slog.LevelError:
		code = "31" // red
	case level >= slog.LevelWarn:
		code = "33" // yellow
	case level >= slog.LevelInfo:
		code = "32" // green
	}
	return "\x1b[" + code + "m" + name + "\x1b[0m"
}

func writeAttr(b *strings.Builder, prefix string, a slog.Attr) {
	value := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return
	}
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range value.Group() {
			writeAttr(b, prefix, member)
		}
		return
	}
	said := value.String()
	if a.Key == "hint" {
		said = Spell(said)
	}
	if said == "" || strings.ContainsAny(said, " =\"") || text.Escape(said) != said {
		said = strconv.QuoteToGraphic(said)
	}
	b.WriteString(" " + prefix + text.Escape(a.Key) + "=" + said)
}
