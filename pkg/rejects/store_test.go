package rejects_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/rejects"
)

type bench struct {
	*rejects.Store
	t   *testing.T
	dir string
	now time.Time
}

func open(t *testing.T, dir string, change func(*rejects.Config)) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, now: time.Date(2026, 7, 4, 12, 0, 0, 0, time.UTC)}
	cfg := rejects.Config{Dir: dir, Now: func() time.Time { return b.now }}
	if change != nil {
		change(&cfg)
	}
	store, err := rejects.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b.Store = store
	return b
}

func fresh(t *testing.T) string { return filepath.Join(t.TempDir(), "rejects") }

func (b *bench) keep(reason event.Reason, seq event.Seq, frame string) {
	b.t.Helper()
	if err := b.Keep(&event.Reject{Reason: reason, Seq: seq, Detail: "why"}, []byte(frame)); err != nil {
		b.t.Fatal(err)
	}
}

// files are the names of all frames in the directory.
func (b *bench) files() []string {
	b.t.Helper()
	names, err := filepath.Glob(filepath.Join(b.dir, "*.frame"))
	if err != nil {
		b.t.Fatal(err)
	}
	for i, name := range names {
		names[i] = filepath.Base(name)
	}
	return names
}

func (b *bench) lines() []rejects.Line {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "index.jsonl"))
	if err != nil {
		b.t.Fatal(err)
	}
	var lines []rejects.Line
	for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan(); {
		var line rejects.Line
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			b.t.Fatalf("index line %q: %v", scan.Text(), err)
		}
		lines = append(lines, line)
	}
	return lines
}

func (b *bench) size() (total int64) {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
	}
	return total
}

func TestKeepWritesTheFrameAndItsLine(t *testing.T) {
	b := open(t, fresh(t), nil)
	b.keep(event.ReasonCAR, 7000000123, "frame one")
	b.keep(event.ReasonText, 0, "frame two")
	b.keep(event.ReasonEmpty, 0, "")
	want := []string{"0000007000000123-car-1.frame", "noseq-empty-3.frame", "noseq-text-2.frame"}
	if got := b.files(); !slices.Equal(got, want) {
		t.Fatalf("files %v, want %v", got, want)
	}
	data, err := os.ReadFile(filepath.Join(b.dir, want[0]))
	if err != nil || string(data) != "frame one" {
		t.Errorf("kept %q, %v", data, err)
	}
	sum := sha256.Sum256([]byte("frame one"))
	line := rejects.Line{
		Time: b.now, Seq: 7000000123, Reason: "car", Detail: "why", Bytes: 9,
		SHA256: hex.EncodeToString(sum[:]), File: want[0],
	}
	if got := b.lines(); len(got) != 3 || got[0] != line {
		t.Errorf("index %+v", got)
	}
	if s := b.Stats(); s.Kept != 3 || s.Frames != 3 || s.Bytes != b.size() {
		t.Errorf("%+v with %d bytes on disk", s, b.size())
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	b := open(t, fresh(t), nil)
	b.keep(event.ReasonCAR, 1, "frame")
	for name, want := range map[string]fs.FileMode{".": 0o700, "index.jsonl": 0o600, "0000000000000001-car-1.frame": 0o600} {
		if info, err := os.Stat(filepath.Join(b.dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestIdenticalFramesAreKeptOnce(t *testing.T) {
	b := open(t, fresh(t), nil)
	for range 10 {
		b.keep(event.ReasonCBOR, 5, "poison")
	}
	b.keep(event.ReasonCAR, 5, "poison")
	if got := b.files(); len(got) != 2 {
		t.Errorf("files %v", got)
	}
	var repeats []int64
	for _, line := range b.lines() {
		if line.Reason == "cbor" {
			repeats = append(repeats, line.Repeats)
		}
	}
	if !slices.Equal(repeats, []int64{0, 2, 4, 8}) {
		t.Errorf("repeats were written at %v", repeats)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.lines(); len(got) != 2 || got[0].Repeats != 9 {
		t.Errorf("after closing: %+v", got)
	}
	again := open(t, b.dir, nil)
	again.keep(event.ReasonCBOR, 5, "poison")
	if s := again.Stats(); s.Kept != 0 || s.Repeated != 1 {
		t.Errorf("the next run kept it again: %+v", s)
	}
}

func TestAFloodOfOneReasonIsSuppressedAndCounted(t *testing.T) {
	b := open(t, fresh(t), nil)
	for i := range rejects.Burst + 900 {
		b.keep(event.ReasonCAR, event.Seq(i+1), fmt.Sprint("bad ", i))
	}
	b.keep(event.ReasonDID, 9000, "another reason has its own rate")
	if s := b.Stats(); s.Kept != rejects.Burst+1 || s.Suppressed != 900 {
		t.Errorf("%+v", s)
	}
	b.now = b.now.Add(time.Second)
	for i := range rejects.PerSecond + 10 {
		b.keep(event.ReasonCAR, event.Seq(i+10_000), fmt.Sprint("late ", i))
	}
	if s := b.Stats(); s.Kept != rejects.Burst+1+rejects.PerSecond || s.Suppressed != 910 {
		t.Errorf("a second later: %+v", s)
	}
	if lines := b.lines(); lines[rejects.Burst+1].Suppressed != 900 || lines[rejects.Burst+2].Suppressed != 0 {
		t.Errorf("the first line after the flood says %d, the next %d", lines[rejects.Burst+1].Suppressed, lines[rejects.Burst+2].Suppressed)
	}
	b.now = b.now.Add(-time.Hour) // a clock that jumps back gives and takes nothing
	b.keep(event.ReasonCAR, 20_000, "after the jump")
	b.now = b.now.Add(time.Second)
	b.keep(event.ReasonCAR, 20_001, "a second after the jump")
	if s := b.Stats(); s.Kept != rejects.Burst+rejects.PerSecond+2 {
		t.Errorf("after the clock jumped: %+v", s)
	}
}

func TestOldestGoFirst(t *testing.T) {
	t.Run("by number", func(t *testing.T) {
		b := open(t, fresh(t), func(c *rejects.Config) { c.MaxFiles = 3 })
		for i := range 10 {
			b.keep(event.ReasonCAR, event.Seq(i+1), fmt.Sprint("frame ", i))
		}
		want := []string{"0000000000000008-car-8.frame", "0000000000000009-car-9.frame", "0000000000000010-car-10.frame"}
		if got := b.files(); !slices.Equal(got, want) {
			t.Errorf("files %v", got)
		}
		b.keep(event.ReasonCAR, 1, "frame 0") // evicted, so it is new again
		if s := b.Stats(); s.Frames != 3 || s.Evicted != 8 || s.Kept != 11 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("by bytes", func(t *testing.T) {
		const room = 64 << 10
		b := open(t, fresh(t), func(c *rejects.Config) { c.MaxBytes = room })
		for i := range 50 {
			b.keep(event.ReasonCAR, event.Seq(i+1), fmt.Sprintf("%d%05000d", i, 0))
			if held := b.Stats().Bytes; held > room {
				t.Fatalf("holds %d bytes", held)
			}
		}
		if n := len(b.files()); n < 8 || n > 13 {
			t.Errorf("%d files", n)
		}
	})
	t.Run("the index is shortened", func(t *testing.T) {
		b := open(t, fresh(t), func(c *rejects.Config) { c.MaxFiles = 5 })
		for i := range 2000 {
			b.now = b.now.Add(time.Second)
			b.keep(event.ReasonCAR, event.Seq(i+1), fmt.Sprint("frame ", i))
		}
		if n := len(b.lines()); n > 80 {
			t.Errorf("%d lines for 5 files", n)
		}
		if lines := b.lines(); lines[len(lines)-1].Seq != 2000 {
			t.Errorf("the last line is of seq %d", lines[len(lines)-1].Seq)
		}
	})
}

func TestC9FramesTooLargeAreOnlyIndexed(t *testing.T) {
	b := open(t, fresh(t), nil)
	b.keep(event.ReasonOversize, 0, strings.Repeat("x", 5_000_000))
	b.keep(event.ReasonOversize, 0, strings.Repeat("x", 5_000_001))
	b.keep(event.ReasonOversize, 0, strings.Repeat("x", 5_000_001))
	if got := b.files(); len(got) != 1 {
		t.Errorf("files %v", got)
	}
	if got := b.lines(); len(got) != 2 || got[1].File != "" || got[1].Bytes != 5_000_001 {
		t.Errorf("lines %+v", got)
	}
	small := open(t, fresh(t), func(c *rejects.Config) { c.MaxBytes = 20_000 })
	small.keep(event.ReasonCAR, 1, strings.Repeat("x", 20_001))
	if got := small.files(); len(got) != 0 {
		t.Errorf("kept above MaxBytes: %v", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, b.dir, nil)
	again.keep(event.ReasonOversize, 0, strings.Repeat("x", 5_000_001))
	if s := again.Stats(); s.Frames != 2 || s.Repeated != 1 {
		t.Errorf("the line without a file was not adopted: %+v", s)
	}
}

func TestOpenAdoptsWhatItFinds(t *testing.T) {
	first := open(t, fresh(t), nil)
	first.keep(event.ReasonCAR, 1, "one")
	first.keep(event.ReasonCAR, 2, "two")
	first.keep(event.ReasonCAR, 3, "three")
	path := func(name string) string { return filepath.Join(first.dir, name) }
	put := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// No Close: the process was killed. One file is gone, one never got its
	// line, one was half written, the index ends in half a line.
	if err := os.Remove(path("0000000000000002-car-2.frame")); err != nil {
		t.Fatal(err)
	}
	put("0000000000000009-newer_reason-41.frame", "nine")
	put("0000000000000010-car-42.frame.part", "te")
	put("notes.txt", "not ours")
	put("7-car-1.frame", "not ours either")
	index, err := os.OpenFile(path("index.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(index, "{}\nnonsense\n"+strings.Repeat("x", 10_000)+"\n", `{"time":"2026-07-04T12:00:00Z","seq":11,"rea`)
	index.Close()

	b := open(t, first.dir, nil)
	if s := b.Stats(); s.Frames != 3 || s.Bytes == 0 {
		t.Errorf("adopted %+v", s)
	}
	lines := b.lines()
	if len(lines) != 3 || lines[2].Seq != 9 || lines[2].Reason != "newer_reason" || lines[2].Bytes != 4 {
		t.Errorf("lines %+v", lines)
	}
	for _, name := range []string{"notes.txt", "7-car-1.frame"} {
		if _, err := os.Stat(path(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(path("0000000000000010-car-42.frame.part")); err == nil {
		t.Error("the unfinished file is still there")
	}
	b.keep(event.ReasonCAR, 12, "twelve")
	if _, err := os.Stat(path("0000000000000012-car-42.frame")); err != nil {
		t.Errorf("numbers do not go on: %v", b.files())
	}
	b.keep(event.ReasonCAR, 1, "one")
	if s := b.Stats(); s.Repeated != 1 {
		t.Errorf("an adopted frame is kept twice: %+v", s)
	}
}

func TestOpenShrinksToSmallerBounds(t *testing.T) {
	first := open(t, fresh(t), nil)
	for i := range 20 {
		first.now = first.now.Add(time.Second)
		first.keep(event.ReasonCAR, event.Seq(i+1), fmt.Sprint("frame ", i))
	}
	b := open(t, first.dir, func(c *rejects.Config) { c.MaxFiles = 2 })
	if got := b.files(); !slices.Equal(got, []string{"0000000000000019-car-19.frame", "0000000000000020-car-20.frame"}) {
		t.Errorf("files %v", got)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	unharmed := func(t *testing.T) {
		t.Helper()
		if data, err := os.ReadFile(outside); err != nil || string(data) != "precious" {
			t.Errorf("outside now holds %q, %v", data, err)
		}
	}
	t.Run("frame", func(t *testing.T) {
		dir := fresh(t)
		b := open(t, dir, nil)
		for _, name := range []string{"0000000000000001-car-1.frame", "0000000000000001-car-2.frame.part"} {
			if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		b.keep(event.ReasonCAR, 1, "one")
		if _, err := os.Stat(filepath.Join(dir, "0000000000000001-car-3.frame")); err != nil {
			t.Errorf("the next free number was not taken: %v", b.files())
		}
		unharmed(t)
	})
	t.Run("adopted and evicted", func(t *testing.T) {
		dir := fresh(t)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "0000000000000001-car-1.frame")); err != nil {
			t.Fatal(err)
		}
		b := open(t, dir, func(c *rejects.Config) { c.MaxFiles = 1 })
		b.keep(event.ReasonCAR, 2, "two")
		b.keep(event.ReasonCAR, 3, "three")
		if s := b.Stats(); s.Frames != 1 || s.Evicted != 1 {
			t.Errorf("%+v", s)
		}
		unharmed(t)
	})
	t.Run("index", func(t *testing.T) {
		dir := fresh(t)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "index.jsonl")); err != nil {
			t.Fatal(err)
		}
		if _, err := rejects.Open(rejects.Config{Dir: dir}); fault.ClassOf(err) != fault.Usage {
			t.Errorf("opened, or %v", err)
		}
		unharmed(t)
	})
}

func TestOpenFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]rejects.Config{
		"no name": {}, "a file": {Dir: file}, "shared": {Dir: shared}, "too small": {Dir: fresh(t), MaxBytes: 100},
	} {
		store, err := rejects.Open(cfg)
		if err == nil {
			store.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s: class %v, hint %q: %v", name, fault.ClassOf(err), fault.HintOf(err), err)
		}
	}
}

// A directory that cannot be written to costs frames and never the pipeline: one
// error, then numbers, then business as usual.
func TestFailuresAreReportedOnce(t *testing.T) {
	b := open(t, fresh(t), nil)
	moved := b.dir + ".moved"
	if err := os.Rename(b.dir, moved); err != nil {
		t.Fatal(err)
	}
	b.keep(event.ReasonCAR, 1, "an open directory may be renamed")
	if err := os.RemoveAll(moved); err != nil {
		t.Fatal(err)
	}
	reject := func(i int) error {
		return b.Keep(&event.Reject{Reason: event.ReasonCAR, Seq: event.Seq(i)}, fmt.Append(nil, "frame ", i))
	}
	if err := reject(2); err == nil {
		t.Fatal("the first failure was not reported")
	}
	for i := range 20 {
		b.now = b.now.Add(time.Second)
		if err := reject(i + 3); err != nil {
			t.Fatalf("reported again: %v", err)
		}
	}
	if s := b.Stats(); s.Failed != 21 || s.Kept != 1 {
		t.Errorf("%+v", s)
	}
}

func TestHostileDetailStaysOneBoundedLine(t *testing.T) {
	for _, detail := range []string{"a\nb\x1b[2J\xff" + strings.Repeat("é", 100_000), strings.Repeat("\x80", 1000)} {
		b := open(t, fresh(t), nil)
		r := &event.Reject{Reason: event.ReasonCAR, Seq: 1, Detail: detail}
		if err := b.Keep(r, []byte("frame")); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(b.dir, "index.jsonl"))
		if err != nil || len(text) > 2000 || bytes.Count(text, []byte("\n")) != 1 || bytes.Contains(text, []byte{0x1b}) {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	}
}

func TestUnknownReasonIsAnError(t *testing.T) {
	b := open(t, fresh(t), nil)
	if err := b.Keep(&event.Reject{Reason: event.Reason(event.Reasons)}, nil); err == nil {
		t.Error("kept")
	}
}
