package shell

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/config"
)

func TestLogFormat(t *testing.T) {
	for name, v := range map[string]struct {
		format   string
		terminal bool
		json     bool
	}{
		"auto on a terminal": {config.FormatAuto, true, false},
		"auto elsewhere":     {config.FormatAuto, false, true},
		"text elsewhere":     {config.FormatText, false, false},
		"json on a terminal": {config.FormatJSON, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			log := newLogger(&out, config.Log{Format: v.format}, slog.LevelInfo, v.terminal)
			log.Debug("hidden")
			log.Warn("Frame rejected", "seq", 7, "since", 33*time.Second)
			var line map[string]any
			isJSON := json.Unmarshal([]byte(out.String()), &line) == nil
			if isJSON != v.json || isJSON && (line["level"] != "WARNING" || line["since"] != "33s") || strings.Contains(out.String(), "hidden") {
				t.Errorf("logs %q", out.String())
			}
		})
	}
}

func TestLevels(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARNING",
		slog.LevelError: "ERROR", config.LevelCritical: "CRITICAL",
	} {
		if got := levelName(level); got != want {
			t.Errorf("%s is called %s", want, got)
		}
	}
}

func consoleLine(t *testing.T, h *consoleHandler, log func(*slog.Logger)) string {
	t.Helper()
	var out strings.Builder
	h.w = &out
	log(slog.New(h))
	line, ok := strings.CutSuffix(out.String(), "\n")
	if !ok || strings.Contains(line, "\n") {
		t.Fatalf("not one line: %q", out.String())
	}
	_, rest, _ := strings.Cut(line, " ") // the time
	return rest
}

func TestConsoleLine(t *testing.T) {
	for name, v := range map[string]struct {
		log  func(*slog.Logger)
		want string
	}{
		"plain":    {func(l *slog.Logger) { l.Info("Ready", "seq", 7, "relay", "wss://h") }, "INFO     Ready seq=7 relay=wss://h"},
		"quoted":   {func(l *slog.Logger) { l.Info("a b", "err", "x y", "empty", "") }, `INFO     a b err="x y" empty=""`},
		"with":     {func(l *slog.Logger) { l.With("a", 1).WithGroup("g").With("b", 2).Info("m", "c", 3) }, "INFO     m a=1 g.b=2 g.c=3"},
		"group":    {func(l *slog.Logger) { l.Info("m", slog.Group("g", "a", 1)) }, "INFO     m g.a=1"},
		"steering": {func(l *slog.Logger) { l.Warn("m\x1b[2J", "did", "a\nERROR fake", "k", "\u202eabc") }, `WARNING  m\x1b[2J did="a\nERROR fake" k="\u202eabc"`},
		"no UTF-8": {func(l *slog.Logger) { l.Warn("m", "did", "a\xff") }, `WARNING  m did="a\xff"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := consoleLine(t, &consoleHandler{level: slog.LevelInfo}, v.log); got != v.want {
				t.Errorf("got  %q\nwant %q", got, v.want)
			}
		})
	}
	colored := consoleLine(t, &consoleHandler{level: slog.LevelInfo, terminal: true, color: true}, func(l *slog.Logger) { l.Error("m") })
	if colored != "\x1b[31mERROR   \x1b[0m m" {
		t.Errorf("in colour: %q", colored)
	}
}

// stepAside is a live line as a terminal would see it.
type stepAside struct{ terminal io.Writer }

func (s stepAside) Write(p []byte) (int, error) {
	n, err := io.WriteString(s.terminal, "<clear>"+string(p)+"<draw>")
	return min(n, len(p)), err
}

func TestLiveLineStepsAside(t *testing.T) {
	var terminal strings.Builder
	out := &Terminal{W: &terminal}
	restore := out.Divert(func(w io.Writer) io.Writer { return stepAside{w} })
	io.WriteString(out, "one\n")
	restore()
	io.WriteString(out, "two\n")
	if got := terminal.String(); got != "<clear>one\n<draw>two\n" {
		t.Errorf("the terminal shows %q", got)
	}
}
