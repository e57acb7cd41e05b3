package shell

import (
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
)

// Terminal is standard error. While something else owns the terminal's last
// line, it may divert what is written, so that it can step aside for each line.
// Whatever is written, passwords of URLs in it are masked: errors and log lines
// repeat what was typed, and a URL may be typed where none is due.
type Terminal struct {
	mu sync.Mutex
	W  io.Writer
}

// Write passes p on, in one piece.
func (o *Terminal) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if said := string(p); strings.Contains(said, "@") || strings.Contains(said, "://") {
		if masked := fault.RedactText(said); masked != said {
			_, err := io.WriteString(o.W, masked)
			return len(p), err
		}
	}
	return o.W.Write(p)
}

// Divert sends every later Write to liveLine, which writes to the terminal
// itself: it clears its line, writes what it is given and draws itself again.
// It gets the original writer. The returned function undoes it.
func (o *Terminal) Divert(liveLine func(terminal io.Writer) io.Writer) (restore func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.W
	o.W = liveLine(before)
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.W = before
	}
}

// newLogger is the program's logger, which logs from level on and limits lines
// that come again and again; flushLog ends it. The keys of
// attributes are seq, did, stream, relay, attempt, delay and err wherever one
// of these is meant.
func newLogger(w io.Writer, cfg config.Log, level slog.Leveler, terminal bool) *slog.Logger {
	if cfg.Format == config.FormatJSON || cfg.Format == config.FormatAuto && !terminal {
		if terminal {
			w = output.Visible(w)
		}
		return slog.New(newLimitedLog(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: inWords})))
	}
	return slog.New(newLimitedLog(&consoleHandler{w: w, level: level, terminal: terminal, color: terminal && !cfg.NoColor}))
}

// inWords names levels as LOG_LEVEL does, writes durations as 33s, which would be
// nanoseconds, and gives the documents of a hint by address.
func inWords(groups []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey && len(groups) == 0 {
		a.Value = slog.StringValue(levelName(level))
	}
	if a.Key == "hint" {
		a.Value = slog.StringValue(Spell(a.Value.String()))
	}
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// levelName is the level as LOG_LEVEL names it.
func levelName(level slog.Level) string {
	switch {
	case level >= config.LevelCritical:
		return "CRITICAL"
	case level >= slog.LevelError:
		return "ERROR"
	case level >= slog.LevelWarn:
		return "WARNING"
	case level >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}
