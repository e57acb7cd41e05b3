package shell

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fhctl/fhctl/pkg/config"
)

// onLimitedLog runs a test on a fake clock with a log whose lines it can count.
func onLimitedLog(t *testing.T, test func(t *testing.T, log *slog.Logger, lines func() []string)) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newLogger(&Terminal{W: &out}, config.Log{Format: "text"}, slog.LevelInfo, false)
		test(t, log, func() []string {
			synctest.Wait()
			text := out.String()
			out.Reset()
			return strings.Split(strings.TrimSuffix(text, "\n"), "\n")[:strings.Count(text, "\n")]
		})
	})
}

func TestLogOfAFloodIsBounded(t *testing.T) {
	onLimitedLog(t, func(t *testing.T, log *slog.Logger, lines func() []string) {
		const flood = 10_000
		for i := range flood {
			log.Info("Relay notice", "name", "Hello", "n", i)
		}
		first := lines()
		if len(first) != lineBurst || strings.Contains(first[4], notLogged) {
			t.Fatalf("%d lines: %q", len(first), first)
		}
		time.Sleep(lineEvery)
		second := lines()
		if len(second) != 1 || !strings.Contains(second[0], fmt.Sprintf("n=%d not_logged=%d", flood-1, flood-lineBurst-1)) {
			t.Fatalf("a minute later: %q", second)
		}
		time.Sleep(10 * lineEvery)
		if more := lines(); len(more) != 0 {
			t.Errorf("nothing came, yet %q", more)
		}
		if log.Info("Relay notice", "name", "Hello"); len(lines()) != 1 {
			t.Error("after a pause a line is logged at once again")
		}
	})
}

// A flood that goes on is a line a minute, and each line that was left out is
// counted in one of them.
func TestLogOfALongFloodCountsEverything(t *testing.T) {
	onLimitedLog(t, func(t *testing.T, log *slog.Logger, lines func() []string) {
		const each, minutes = 50, 30
		for range minutes {
			for range each {
				log.Warn("Frame rejected", "reason", "cbor")
				time.Sleep(lineEvery / each)
			}
		}
		flushLog(log)
		said, unsaid := lines(), 0
		for _, line := range said {
			_, count, _ := strings.Cut(line, notLogged+"=")
			n := 0
			_, _ = fmt.Sscan(count, &n)
			unsaid += n
		}
		if len(said)+unsaid != each*minutes || len(said) > minutes+lineBurst+1 {
			t.Errorf("%d lines, %d counted in them, %d were logged", len(said), unsaid, each*minutes)
		}
	})
}

func TestLogLimitIsPerName(t *testing.T) {
	onLimitedLog(t, func(t *testing.T, log *slog.Logger, lines func() []string) {
		for range 100 {
			log.Info("Relay notice", "name", "A")
		}
		lines()
		log.Info("Relay notice", "name", "B")
		log.Info("Another message", "name", "A")
		log.Warn("Relay notice", "name", "A")
		if got := lines(); len(got) != 3 {
			t.Errorf("what differs was left out: %q", got)
		}
		for i := range 10_000 { // a name of its own each time
			log.Info("Relay notice", "name", fmt.Sprint("x", i))
		}
		if got := lines(); len(got) > (maxNames+1)*lineBurst {
			t.Errorf("%d lines for names made up", len(got))
		}
		for i := range 10_000 { // or a message
			log.Info(fmt.Sprint("y", i))
		}
		if got := lines(); len(got) > maxMessages*lineBurst {
			t.Errorf("%d lines for messages made up", len(got))
		}
		limit := log.Handler().(*limitedLog).limit
		if n := len(limit.messages); n > maxMessages+1 {
			t.Errorf("%d messages are remembered", n)
		}
		time.Sleep(24 * time.Hour)
		lines()
		if log.Info("A new message"); len(lines()) != 1 || len(limit.messages) > 2 {
			t.Errorf("%d messages are remembered after a day", len(limit.messages))
		}
	})
}

func TestLogLinesAreShort(t *testing.T) {
	onLimitedLog(t, func(t *testing.T, log *slog.Logger, lines func() []string) {
		long := strings.Repeat("ö", 1<<20)
		log.With("a", 1).Info(long, "name", long, "err", errors.New(long), "n", 7)
		got := lines()
		if len(got) != 1 || len(got[0]) > 4*maxText || !strings.Contains(got[0], "… (2097152 bytes)") || !strings.Contains(got[0], "n=7") || !strings.Contains(got[0], "a=1") {
			t.Errorf("%d lines, %d bytes: %.200q", len(got), len(got[0]), got[0])
		}
	})
}

// A line a thousand events is what people wait for, however fast they come.
func TestProgressIsNotLimited(t *testing.T) {
	onLimitedLog(t, func(t *testing.T, log *slog.Logger, lines func() []string) {
		for range 100 {
			Unlimited(log).Info("Processed 1,000 events")
		}
		if got := lines(); len(got) != 100 {
			t.Errorf("%d lines", len(got))
		}
	})
}

func TestFlushLogTellsWhatIsLeft(t *testing.T) {
	onLimitedLog(t, func(t *testing.T, log *slog.Logger, lines func() []string) {
		for range 7 {
			log.Info("again")
		}
		flushLog(log)
		if got := lines(); len(got) != 6 || !strings.Contains(got[5], "not_logged=1") {
			t.Errorf("%q", got)
		}
		flushLog(log)
		if got := lines(); len(got) != 0 {
			t.Errorf("twice: %q", got)
		}
	})
}
