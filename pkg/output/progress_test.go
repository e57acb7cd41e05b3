package output

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// shown is what the last redraw put on the screen.
func shown(b *bytes.Buffer) string {
	text := b.String()
	return strings.TrimSuffix(text[strings.LastIndex(text, "\r")+1:], "\x1b[K")
}

func TestProgressShowsBarRateAndETA(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	l := NewLine(LineConfig{Out: &out, Width: func() int { return 100 }, Now: func() time.Time { return now }})
	l.SetProgress(Progress{Label: "replay", Fraction: 0.5})
	now = now.Add(10 * time.Second)
	l.SetProgress(Progress{Label: "replay", Done: 1000, Fraction: 0.75, Seq: 7000})
	want := "replay  [" + strings.Repeat("#", 22) + strings.Repeat(".", 8) + "]   75%  1,000 events  100/s  ETA 10 s  seq 7,000"
	if got := shown(&out); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestProgressWithoutAnEndHasNoBar(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	l := NewLine(LineConfig{Out: &out, Width: func() int { return 100 }, Now: func() time.Time { return now }})
	l.SetProgress(Progress{Label: "record", Fraction: -1})
	now = now.Add(2 * time.Second)
	l.SetProgress(Progress{Label: "record", Done: 10, Fraction: -1, Note: "bad\x1b[2Jnews"})
	if got, want := shown(&out), `record  10 events  5/s  bad\x1b[2Jnews`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressFitsNarrowTerminals(t *testing.T) {
	var out bytes.Buffer
	l := NewLine(LineConfig{Out: &out, Width: func() int { return 20 }})
	l.SetProgress(Progress{Label: "replay", Done: 123456789, Fraction: 0.1})
	if got := shown(&out); len([]rune(got)) > 19 || strings.Contains(got, "[") {
		t.Errorf("got %q", got)
	}
}
