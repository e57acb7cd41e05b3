package output_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/output"
)

// screen is as much of a terminal as the line needs: it interprets carriage
// return, newline and erase-to-end, and rejects every other control character.
type screen struct {
	t      *testing.T
	mu     sync.Mutex
	rows   [][]rune
	column int
	writes int
	fail   bool
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail {
		return 0, errors.New("gone")
	}
	s.writes++
	if len(s.rows) == 0 {
		s.rows = [][]rune{nil}
	}
	for text := string(p); text != ""; {
		row := len(s.rows) - 1
		if rest, ok := strings.CutPrefix(text, "\x1b[K"); ok {
			s.rows[row], text = s.rows[row][:s.column], rest
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case r == '\r':
			s.column = 0
		case r == '\n':
			s.rows, s.column = append(s.rows, nil), 0
		case r < ' ':
			s.t.Errorf("control character %q reached the terminal", r)
		default:
			s.rows[row] = append(s.rows[row][:s.column], append([]rune{r}, s.rows[row][min(s.column+1, len(s.rows[row])):]...)...)
			s.column++
		}
	}
	return len(p), nil
}

func (s *screen) text() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []string
	for _, row := range s.rows {
		rows = append(rows, string(row))
	}
	return rows
}

func (s *screen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func newLine(t *testing.T, width int) (*output.Line, *screen, *time.Time) {
	t.Helper()
	s := &screen{t: t}
	now := time.Date(2026, 7, 4, 12, 0, 0, 0, time.UTC)
	l := output.NewLine(output.LineConfig{Out: s, Width: func() int { return width }, Now: func() time.Time { return now }})
	return l, s, &now
}

func running(events int64) output.Status {
	return output.Status{
		Events: events, Seq: 7000000123, Lag: 1200 * time.Millisecond, LagKnown: true, Length: 500123,
		Link: event.Link{State: event.LinkUp, URL: "wss://relay.example", Attempt: 1},
	}
}

func (s *screen) mustShow(want ...string) {
	s.t.Helper()
	if got := s.text(); !slices.Equal(got, want) {
		s.t.Errorf("screen shows\n%q, want\n%q", got, want)
	}
}

func TestLineShowsRateSeqLagAndLength(t *testing.T) {
	l, s, now := newLine(t, 100)
	for i := range 20 {
		l.Set(running(int64(i) * 617))
		*now = now.Add(500 * time.Millisecond)
	}
	s.mustShow("fhctl  1,234 ev/s  seq 7,000,000,123  lag 1.2 s  stream 500,123")
	status := running(20 * 617)
	status.Rejected = 1003
	l.Set(status)
	s.mustShow("fhctl  1,234 ev/s  seq 7,000,000,123  lag 1.2 s  stream 500,123  rejected 1,003")
	l.Close()
	s.mustShow("")
}

func TestLineSaysWhatItWaitsFor(t *testing.T) {
	down := event.Link{State: event.LinkDown, Cause: "dial_refused", Retry: 3 * time.Second, Attempt: 2}
	for name, c := range map[string]struct {
		status output.Status
		want   string
	}{
		"before anything": {output.Status{Length: -1}, "fhctl  connecting to relay"},
		"dialing": {
			output.Status{Length: -1, Link: event.Link{State: event.LinkDialing, URL: "wss://u:secret@relay.example/x?y"}},
			"fhctl  connecting to relay relay.example",
		},
		"relay down":      {output.Status{Length: -1, Link: down}, "fhctl  waiting for relay: dial_refused, retry in 3 s"},
		"Redis down":      {output.Status{Length: -1, Link: down, StoreDown: true, Store: event.Store{Cause: "oom", Retry: 1500 * time.Millisecond}}, "fhctl  waiting for Redis: oom, retry in 2 s"},
		"held":            {output.Status{Length: -1, Held: "sequence_reset", Seq: 12345}, "fhctl  held: sequence_reset, waiting for an operator, see the log  seq 12,345"},
		"stopping":        {output.Status{Length: 0, Stopping: true, Held: "x"}, "fhctl  stopping: storing what was read  stream 0"},
		"untrusted cause": {output.Status{Length: -1, Link: event.Link{Attempt: 1, Cause: "a\x1b[2J\nb\u202e"}}, `fhctl  waiting for relay: a\x1b[2J\nb\u202e`},
	} {
		t.Run(name, func(t *testing.T) {
			l, s, _ := newLine(t, 200)
			l.Set(c.status)
			s.mustShow(c.want)
		})
	}
}

func TestLineCountsDownToTheRetry(t *testing.T) {
	l, s, now := newLine(t, 200)
	// An error that cannot be compared must not bring the line down.
	status := output.Status{Length: -1, Link: event.Link{Cause: "eof", Retry: 2 * time.Second, Attempt: 3, Err: uncomparable{nil}}}
	for _, want := range []string{", retry in 2 s", ", retry in 1 s", "", ""} {
		l.Set(status)
		s.mustShow("fhctl  waiting for relay: eof" + want)
		*now = now.Add(time.Second)
	}
	status.Link.Attempt++
	l.Set(status)
	s.mustShow("fhctl  waiting for relay: eof, retry in 2 s")
}

type uncomparable []error

func (uncomparable) Error() string { return "uncomparable" }

func TestLineKeepsToTheWidth(t *testing.T) {
	full := "fhctl  0 ev/s  seq 7,000,000,123  lag 1.2 s  stream 500,123"
	for width, want := range map[int]string{
		1: "", 2: "…", 3: "f…", 10: "fhctl  0…", len(full): full[:len(full)-2] + "…", len(full) + 1: full, 500: full,
		0: full, -5: full, // unknown: 80
	} {
		l, s, _ := newLine(t, width)
		l.Set(running(0))
		s.mustShow(want)
	}
	wide := output.Status{Length: -1, Held: "日本語日本語"}
	l, s, _ := newLine(t, 21)
	l.Set(wide)
	s.mustShow("fhctl  held: 日本語…") // 13 + 3·2 + 1 columns
}

// No text makes the line longer than the terminal, which would wrap it, nor cuts
// it for nothing.
func TestLineKeepsToTheWidthWithEmoji(t *testing.T) {
	l, s, _ := newLine(t, 23)
	l.Set(output.Status{Length: -1, Held: "👨‍👩‍👧‍👦 👍🏽 ❤️"})
	s.mustShow("fhctl  held: 👨‍👩‍👧‍👦 👍🏽 ❤️…") // 13 + 2+1+2+1+2 + 1 columns
	l, s, _ = newLine(t, 20)
	l.Set(output.Status{Length: -1, Held: "👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦"})
	s.mustShow("fhctl  held: 👨‍👩‍👧‍👦👨‍👩‍👧‍👦…")
}

func TestLineRedrawsTwiceASecondAtMost(t *testing.T) {
	l, s, now := newLine(t, 100)
	for i := range 1000 {
		l.Set(running(int64(i)))
		*now = now.Add(10 * time.Millisecond)
	}
	if n := s.count(); n != 20 {
		t.Errorf("%d redraws in ten seconds", n)
	}
}

func TestLogLinesGoAboveTheLine(t *testing.T) {
	l, s, _ := newLine(t, 100)
	log := slog.New(slog.NewTextHandler(l.Writer(), &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	log.Info("before")
	l.Set(running(0))
	log.Info("one")
	log.Info("two")
	live := "fhctl  0 ev/s  seq 7,000,000,123  lag 1.2 s  stream 500,123"
	s.mustShow("level=INFO msg=before", "level=INFO msg=one", "level=INFO msg=two", live)

	// Half a log line is not drawn over.
	fmt.Fprint(l.Writer(), "half ")
	fmt.Fprint(l.Writer(), "and half")
	s.mustShow("level=INFO msg=before", "level=INFO msg=one", "level=INFO msg=two", "half and half")
	fmt.Fprint(l.Writer(), "\n")
	s.mustShow("level=INFO msg=before", "level=INFO msg=one", "level=INFO msg=two", "half and half", live)

	l.Close()
	l.Set(running(0))
	log.Info("after")
	s.mustShow("level=INFO msg=before", "level=INFO msg=one", "level=INFO msg=two", "half and half", "level=INFO msg=after", "")
}

func TestWriterReportsWhatOutSays(t *testing.T) {
	l, s, _ := newLine(t, 100)
	l.Set(running(0))
	s.fail = true
	if _, err := io.WriteString(l.Writer(), "x\n"); err == nil {
		t.Error("a failed write was hidden")
	}
	if _, err := io.WriteString(l.Writer(), "x\n"); err == nil {
		t.Error("a second failed write was hidden")
	}
}

func TestNothingIsDrawnBesideATerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var buffer bytes.Buffer
	for _, out := range []io.Writer{file, &buffer} {
		l := output.NewLine(output.LineConfig{Out: out})
		l.Set(running(0))
		l.Run(t.Context(), func() output.Status { t.Error("asked for a status"); return output.Status{} })
		fmt.Fprintln(l.Writer(), "log")
		l.Close()
		if l.Live() {
			t.Error("live beside a terminal")
		}
	}
	text, err := os.ReadFile(file.Name())
	if err != nil || string(text) != "log\n" || buffer.String() != "log\n" {
		t.Errorf("file %q, buffer %q, %v", text, buffer.String(), err)
	}
}

func TestRunDrawsUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t}
		l := output.NewLine(output.LineConfig{Out: s, Width: func() int { return 100 }})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		start := time.Now()
		l.Run(ctx, func() output.Status { return running(time.Since(start).Milliseconds()) })
		s.mustShow("fhctl  1,000 ev/s  seq 7,000,000,123  lag 1.2 s  stream 500,123")
		if n := s.count(); n != 21 {
			t.Errorf("%d redraws in ten seconds", n)
		}
		l.Close()
	})
}

func TestLineIsSafeForConcurrentUse(t *testing.T) {
	s := &screen{t: t}
	l := output.NewLine(output.LineConfig{Out: s, Width: func() int { return 100 }})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				l.Set(running(int64(i)))
				fmt.Fprintln(l.Writer(), "log line")
			}
		})
	}
	wg.Wait()
	l.Close()
	rows := s.text()
	if len(rows) != 801 || slices.ContainsFunc(rows[:800], func(row string) bool { return row != "log line" }) || rows[800] != "" {
		t.Errorf("%d rows, the last %q", len(rows), rows[len(rows)-1])
	}
}
