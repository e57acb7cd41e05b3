package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

// made is a small valid frame; 0 makes an info, which has no seq.
func made(t testing.TB, seq event.Seq) []byte {
	t.Helper()
	ev := &event.Event{Kind: event.KindAccount, Seq: seq, DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"), Time: []byte("2026-01-02T03:04:05Z")}
	if seq == 0 {
		ev = &event.Event{Kind: event.KindInfo, Notice: event.Notice{Name: []byte("OutdatedCursor")}}
	}
	return appended(t, ev)
}

func record(t testing.TB, frames ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "frames.zst")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAll(r *Reader) (frames [][]byte, err error) {
	for f, e := range r.Frames() {
		if e != nil {
			return frames, e
		}
		frames = append(frames, slices.Clone(f))
	}
	return frames, nil
}

func TestFramesComeBackAsWritten(t *testing.T) {
	want := [][]byte{made(t, 1), {}, bytes.Repeat([]byte{7}, MaxFrame), made(t, 9), bytes.Repeat([]byte{8}, growth+1)}
	r, err := Open(record(t, want...))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := readAll(r)
	if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("read %d frames, error %v", len(got), err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the end: %v", err)
	}
}

func TestWriterIsPrivateAndShowsOnlyWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.zst")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(made(t, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the name shows before Close: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("mode %v, error %v", info.Mode(), err)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Fatalf("left behind: %v", names)
	}
}

func TestWriterReplacesAndFollowsNothing(t *testing.T) {
	dir := t.TempDir()
	existing, link := filepath.Join(dir, "old"), filepath.Join(dir, "link")
	if err := os.WriteFile(existing, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{existing, link, filepath.Join(dir, "no", "such")} {
		if _, err := Create(path); fault.ClassOf(err) != fault.Usage {
			t.Errorf("create %s: %v", path, err)
		}
	}

	late := filepath.Join(dir, "late")
	w, err := Create(late)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(late, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = w.Close()
	if fault.ClassOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), ".partial") {
		t.Fatalf("close over a file made meanwhile: %v, hint %q", err, fault.HintOf(err))
	}
	if data, _ := os.ReadFile(late); string(data) != "first" {
		t.Fatalf("replaced: %q", data)
	}
}

func TestFlushedFramesAreReadableBeforeClose(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	for seq := range event.Seq(3) {
		if err := w.Write(made(t, seq+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(w.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frames, err := readAll(r)
	var damage *Damage
	if len(frames) != 3 || fault.ClassOf(err) != fault.Data || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &damage) || !damage.Cut {
		t.Fatalf("%d frames, error %v", len(frames), err)
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
}

func TestWriterRefusesOversizedFrames(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(make([]byte, MaxFrame+1)); err == nil {
		t.Error("C9: accepted")
	}
	if err := errors.Join(w.Write(made(t, 1)), w.Close()); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

// packed compresses plain capture bytes, which need not be valid.
func packed(t testing.TB, plain []byte) []byte {
	t.Helper()
	zst, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return zst.EncodeAll(plain, nil)
}

func framed(frames ...[]byte) (out []byte) {
	for _, f := range frames {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(f))), f...)
	}
	return out
}

func TestDamageKeepsTheGoodFrames(t *testing.T) {
	good := framed(made(t, 1), made(t, 2))
	whole := packed(t, framed(made(t, 1), made(t, 2), made(t, 3)))
	for name, c := range map[string]struct {
		file []byte
		good int
	}{
		"length cut":          {packed(t, append(good[:len(good):len(good)], 9, 0)), 2},
		"frame cut":           {packed(t, append(good[:len(good):len(good)], 9, 0, 0, 0, 1)), 2},
		"frame missing":       {packed(t, append(good[:len(good):len(good)], 9, 0, 0, 0)), 2},
		"C9/length too large": {packed(t, binary.LittleEndian.AppendUint32(good[:len(good):len(good)], MaxFrame+1)), 2},
		"zstd cut":            {whole[:len(whole)-5], 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := NewReader(bytes.NewReader(c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			frames, err := readAll(r)
			var damage *Damage
			if !errors.As(err, &damage) || fault.ClassOf(err) != fault.Data || fault.HintOf(err) == "" {
				t.Fatalf("error %v", err)
			}
			if len(frames) < c.good || int(damage.Frames) != len(frames) {
				t.Fatalf("%d frames, damage %+v", len(frames), damage)
			}
			if _, again := r.Next(); again != err {
				t.Fatalf("the error does not repeat: %v", again)
			}
		})
	}
}

// A window this large would be memory taken on a file's word.
func TestReaderRefusesLargeWindows(t *testing.T) {
	var file bytes.Buffer
	zst, err := zstd.NewWriter(&file, zstd.WithWindowSize(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := zst.Write(framed(make([]byte, MaxFrame))); err != nil {
			t.Fatal(err)
		}
	}
	if err := zst.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); !errors.Is(err, zstd.ErrWindowSizeExceeded) || fault.ClassOf(err) != fault.Data {
		t.Fatalf("error %v", err)
	}
}

func TestSeveralStreamsReadAsOne(t *testing.T) {
	r, err := NewReader(bytes.NewReader(slices.Concat(packed(t, framed(made(t, 1))), packed(t, framed(made(t, 2))))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if frames, err := readAll(r); len(frames) != 2 || err != nil {
		t.Fatalf("%d frames, error %v", len(frames), err)
	}
}

func TestOpenNamesTheMistake(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "missing")} {
		if _, err := Open(path); fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("open %s: %v", path, err)
		}
	}
}

func TestRecordedFirehoseReads(t *testing.T) {
	r, err := Open(thirdparty.Path(t, "firehose/frames.bin.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if frames, err := readAll(r); len(frames) != 150 || err != nil {
		t.Fatalf("%d frames, error %v", len(frames), err)
	}
}
