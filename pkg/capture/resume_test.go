package capture

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

// read is every frame of a capture.
func read(t *testing.T, path string) (frames [][]byte) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for data, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, slices.Clone(data))
	}
	if r.Fraction() != 1 {
		t.Errorf("at the end, %v of the file was read", r.Fraction())
	}
	return frames
}

func mustWrite(t *testing.T, w *Writer, frames ...string) {
	t.Helper()
	for _, f := range frames {
		if err := w.Write([]byte(f)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestResumeGoesOnBehindTheCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.fhz")
	w, err := CreatePartial(path)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, "one", "two")
	size, err := w.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, "lost in the crash")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	_ = w.file.Close() // the crash

	w, err = Resume(path, size)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, "three")
	if size, err = w.Suspend(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the capture has its name before it is complete")
	}
	if w, err = Resume(path, size); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, w, "four")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := [][]byte{[]byte("one"), []byte("two"), []byte("three"), []byte("four")}
	if got := read(t, path); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("read %q", got)
	}
	if _, err := os.Lstat(PartialName(path)); err == nil {
		t.Error("the partial capture is left")
	}
}

func TestResumeRefusesWhatItCannotGoOnWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.fhz")
	if _, err := Resume(path, 0); fault.ClassOf(err) != fault.Data {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(PartialName(path), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(path, 4); fault.ClassOf(err) != fault.Data {
		t.Errorf("too short: %v", err)
	}
	if _, err := CreatePartial(path); fault.ClassOf(err) != fault.Usage {
		t.Errorf("created over a partial one: %v", err)
	}
	_ = os.Remove(PartialName(path))
	if err := os.Symlink(os.DevNull, PartialName(path)); err != nil {
		t.Skip(err)
	}
	if _, err := Resume(path, 0); fault.ClassOf(err) != fault.Data {
		t.Errorf("a link: %v", err)
	}
}
