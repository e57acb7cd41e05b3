package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// recordBlocks records frames with a block of its own for every n of them.
func recordBlocks(t testing.TB, n int, frames ...[]byte) (path string, file []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "frames.fhz")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
		if (i+1)%n == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path, file
}

func ten(t testing.TB) (frames [][]byte) {
	for seq := range event.Seq(10) {
		frames = append(frames, made(t, seq+1))
	}
	return frames
}

// verdict is what reading a file comes to.
func verdict(t testing.TB, file []byte) (frames [][]byte, word string, err error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	if err == nil {
		defer r.Close()
		frames, err = readAll(r)
	}
	var damage *Damage
	switch {
	case err == nil:
		return frames, "whole", nil
	case errors.As(err, new(*NotCapture)):
		if fault.ClassOf(err) != fault.Unreachable || fault.HintOf(err) == "" {
			t.Errorf("unclassed: %v", err)
		}
		return frames, "none", err
	case errors.As(err, new(*block.Newer)):
		if fault.ClassOf(err) != fault.Usage {
			t.Errorf("unclassed: %v", err)
		}
		return frames, "newer", err
	case !errors.As(err, &damage) || fault.ClassOf(err) != fault.Data || fault.HintOf(err) == "":
		t.Errorf("unclassed: %v", err)
	case damage.Frames != int64(len(frames)):
		t.Errorf("%d frames came, and it says %v", len(frames), err)
	case damage.Cut:
		return frames, "cut", err
	}
	return frames, "damaged", err
}

func isPrefix(got, want [][]byte) bool {
	return len(got) <= len(want) && slices.EqualFunc(got, want[:len(got)], bytes.Equal)
}

// Wherever a capture is cut, that is what it is said to be, and what comes of it
// is what was written.
func TestCutAnywhereIsToldAsCut(t *testing.T) {
	want := ten(t)
	_, file := recordBlocks(t, 3, want...)
	if got, word, err := verdict(t, file); word != "whole" || len(got) != 10 {
		t.Fatalf("%d frames, %s, %v", len(got), word, err)
	}
	most := 0
	for n := range file {
		got, word, err := verdict(t, file[:n])
		if n == 0 && word != "none" || n > 0 && word != "cut" {
			t.Errorf("cut at byte %d of %d: %s, %v", n, len(file), word, err)
		}
		if !isPrefix(got, want) {
			t.Errorf("cut at byte %d: %d frames, which were not recorded so", n, len(got))
		}
		most = max(most, len(got))
	}
	if most != 10 {
		t.Errorf("no cut leaves more than %d frames", most)
	}
}

// Whatever bit flips, no frame comes that was not recorded, and it is told.
func TestEveryFlippedBitIsFound(t *testing.T) {
	want := ten(t)
	_, file := recordBlocks(t, 3, want...)
	for bit := range 8 * len(file) {
		file[bit/8] ^= 1 << (bit % 8)
		got, word, err := verdict(t, file)
		file[bit/8] ^= 1 << (bit % 8)
		if word != "damaged" {
			t.Errorf("bit %d of byte %d of %d: %s, %v", bit%8, bit/8, len(file), word, err)
		}
		if !isPrefix(got, want) {
			t.Errorf("bit %d of byte %d: %d frames, which were not recorded so", bit%8, bit/8, len(got))
		}
	}
}

// Blocks that are taken out, doubled or exchanged are noticed.
func TestBlocksHaveTheirPlace(t *testing.T) {
	path, file := recordBlocks(t, 3, ten(t)...)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	index, end, err := tail(f, int64(len(file)))
	if err != nil || end == nil || len(index.Entries) != 4 {
		t.Fatalf("%+v %+v %v", index, end, err)
	}
	parts := [][]byte{file[:index.Entries[0].Offset]}
	for i, e := range index.Entries {
		next := end.Index
		if i+1 < len(index.Entries) {
			next = index.Entries[i+1].Offset
		}
		parts = append(parts, file[e.Offset:next])
	}
	parts = append(parts, file[end.Index:], file[len(file)-block.EndSize:])
	for name, order := range map[string][]int{
		"one missing": {0, 1, 3, 4, 5}, "the last missing": {0, 1, 2, 3, 5}, "the first missing": {0, 2, 3, 4, 5}, "exchanged": {0, 1, 3, 2, 4, 5},
		"doubled": {0, 1, 1, 2, 3, 4, 5}, "no header": {1, 2, 3, 4, 5}, "two headers": {0, 0, 1, 2, 3, 4, 5}, "behind the end": {0, 1, 2, 3, 4, 5, 4}, "all missing": {0, 5}, "no index": {0, 1, 2, 3, 4, 6}, "two ends": {0, 1, 2, 3, 4, 5, 6},
	} {
		var all []byte
		for _, i := range order {
			all = append(all, parts[i]...)
		}
		if _, word, err := verdict(t, all); word != "damaged" {
			t.Errorf("%s: %s, %v", name, word, err)
		}
	}
}

// Programs that know zstd alone, earlier versions of this one included, see the
// frames as they ever did.
func TestOlderReadersPassOverTheParts(t *testing.T) {
	want := ten(t)
	_, file := recordBlocks(t, 3, want...)
	zst, err := zstd.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer zst.Close()
	got, err := io.ReadAll(zst)
	if err != nil || !bytes.Equal(got, framed(want...)) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	old, err := newPlain(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer old.close()
	for i := range want {
		if data, err := old.next(); err != nil || !bytes.Equal(data, want[i]) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	if _, err := old.next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// Captures of both kinds read as one, in any order, and skippable frames of
// others are passed over.
func TestCapturesOneAfterTheOther(t *testing.T) {
	a, b := made(t, 1), made(t, 2)
	_, one := recordBlocks(t, 1, a)
	_, two := recordBlocks(t, 1, b)
	old := packed(t, framed(a))
	foreign := append([]byte{0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0}, "hello"...)
	later := append(append(slices.Clone(two[:block.HeaderSize]), foreign...), two[block.HeaderSize:]...)
	for name, file := range map[string][]byte{
		"new new": slices.Concat(one, two), "new old": slices.Concat(two, old), "old new": slices.Concat(old, two),
		"foreign inside": slices.Concat(one, later), "foreign before": slices.Concat(foreign, old, two),
	} {
		if got, word, err := verdict(t, file); word != "whole" || len(got) != 2 {
			t.Errorf("%s: %d frames, %s, %v", name, len(got), word, err)
		}
	}
}

func TestWhatIsNoCapture(t *testing.T) {
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("hello, this is text"), "short": []byte("hi"), "packed text": packed(t, []byte("hello, this is text")),
		"zeros": make([]byte, 100),
	} {
		if _, word, err := verdict(t, file); word != "none" {
			t.Errorf("%s: %s, %v", name, word, err)
		}
	}
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte("hello, this is text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the path is not named: %v", err)
	}
}

func TestLaterVersionsAreNamed(t *testing.T) {
	_, file := recordBlocks(t, 3, ten(t)...)
	binary.LittleEndian.PutUint32(file[block.HeadSize:], 2)
	binary.LittleEndian.PutUint32(file[block.HeaderSize-4:], block.Sum(file[block.HeadSize:block.HeaderSize-4]))
	if _, word, err := verdict(t, file); word != "newer" || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("%s, %v", word, err)
	}
}

func TestEmptyCaptureIsWhole(t *testing.T) {
	path, file := recordBlocks(t, 1)
	if got, word, err := verdict(t, file); word != "whole" || len(got) != 0 {
		t.Fatalf("%s, %v", word, err)
	}
	l, err := OpenLog(LogConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := l.Next(t.Context(), 0); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

// A seq is found by the index: what is before its block is not read.
func TestSeekUsesTheIndex(t *testing.T) {
	var frames [][]byte
	for seq := event.Seq(1); seq <= 3000; seq++ {
		frames = append(frames, made(t, seq*10))
		if seq%100 == 0 {
			frames = append(frames, made(t, 5)) // late ones do not mislead
		}
	}
	path, file := recordBlocks(t, 50, frames...)
	for _, after := range []event.Seq{0, 9, 10, 499, 500, 501, 15000, 29990, 30000, 99999} {
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		sought, err := r.SeekAfter(after)
		if err != nil || sought != (after >= 500) {
			t.Errorf("after %d: sought %v, %v", after, sought, err)
		}
		skipped, found := 0, []event.Seq{}
		for data, err := range r.Frames() {
			if err != nil {
				t.Fatalf("after %d: %v", after, err)
			}
			if seq := seqOf(data); seq > after {
				found = append(found, seq)
			} else if len(found) == 0 {
				skipped++
			}
		}
		want := max(0, 3000-int(after)/10)
		if after < 5 {
			want += 30
		}
		if len(found) != want || sought && skipped > 102 {
			t.Errorf("after %d: %d frames, want %d; %d were skipped", after, len(found), want, skipped)
		}
		_ = r.Close()
	}
	// Damage before the place sought is not met.
	file[block.HeaderSize+block.DescriptorSize+5] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLog(LogConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if oldest, newest := l.Bounds(); oldest != 10 || newest != 30000 {
		t.Errorf("bounds %d to %d", oldest, newest)
	}
	if seq, _, err := l.Next(t.Context(), 20000); seq != 20010 || err != nil {
		t.Errorf("%d, %v", seq, err)
	}
	if _, _, err := l.Next(t.Context(), 0); fault.ClassOf(err) != fault.Data {
		t.Errorf("at the damage: %v", err)
	}
}

func seqOf(data []byte) event.Seq { return firstSeq(framed(data)) }

// An index that leads astray is noticed where it leads.
func TestIndexThatLiesIsNoticed(t *testing.T) {
	path, file := recordBlocks(t, 3, ten(t)...)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	index, end, err := tail(f, int64(len(file)))
	_ = f.Close()
	if err != nil || end == nil {
		t.Fatal(err)
	}
	for i := range index.Entries {
		index.Entries[i].After = event.Seq(i)
	}
	lying := end.Append(index.Append(slices.Clone(file[:end.Index])))
	if err := os.WriteFile(path, lying, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if sought, err := r.SeekAfter(2); !sought || err != nil {
		t.Fatal(sought, err)
	}
	if _, err := r.Next(); fault.ClassOf(err) != fault.Data {
		t.Errorf("it was believed: %v", err)
	}
}

func TestIndexIsBounded(t *testing.T) {
	var x block.Index
	b := block.Block{Number: -1, Before: -1, Last: -2}
	for i := range int64(5 * block.MaxEntries) {
		next := block.Block{Number: b.Number + 1, Before: b.Before + 1, After: b.Last, Last: b.Last + 2, Frames: 1}
		x.Add(&next, 100+i)
		b = next
	}
	if n := len(x.Entries); n > block.MaxEntries || n < block.MaxEntries/2 {
		t.Errorf("%d entries", n)
	}
	for i, e := range x.Entries {
		if e.Before != x.Entries[1].Before*int64(i) {
			t.Fatalf("entry %d stands for frame %d", i, e.Before)
		}
	}
}

// A recording goes on behind what is whole, wherever its file was cut.
func TestResumeAfterACut(t *testing.T) {
	want := ten(t)
	base := filepath.Join(t.TempDir(), "run.fhz")
	w, err := CreatePartial(base)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range want {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	size, err := w.Suspend()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(PartialName(base))
	if err != nil || int64(len(file)) != size {
		t.Fatalf("%d bytes, %v", len(file), err)
	}
	for n := 0; n <= len(file); n = min(n+7, max(n+1, len(file))) {
		path := filepath.Join(t.TempDir(), "run.fhz")
		if err := os.WriteFile(PartialName(path), file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := Resume(path, size)
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		kept, frames, last := w.Kept()
		if int64(last) != frames || kept > max(int64(n), block.HeaderSize) {
			t.Errorf("cut at %d: kept %d bytes, %d frames, up to %d", n, kept, frames, last)
		}
		for _, f := range want[frames:] {
			if err := w.Write(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("cut at %d: %d frames in the end", n, len(got))
		}
	}
	// What a crash left behind the checkpoint is dropped.
	path := filepath.Join(t.TempDir(), "run.fhz")
	if err := os.WriteFile(PartialName(path), append(slices.Clone(file), make([]byte, 10_000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if w, err = Resume(path, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%d frames behind a crash", len(got))
	}
	// What is damaged is not gone on with.
	file[len(file)/2] ^= 4
	if err := os.WriteFile(PartialName(base), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(base, size); fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), "damaged after") {
		t.Errorf("damaged: %v", err)
	}
}

// What an earlier version began is gone on with as it was begun.
func TestResumeOfAnEarlierVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.fhz")
	old := packed(t, framed(made(t, 1), made(t, 2)))
	if err := os.WriteFile(PartialName(path), append(slices.Clone(old), "torn"...), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Resume(path, int64(len(old)))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(made(t, 3)), w.Close()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); len(got) != 3 {
		t.Errorf("%d frames", len(got))
	}
}

// A full disk is an error, not a shorter capture.
func TestFullDiskIsTold(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	w, err := Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	_ = w.file.Close()
	w.file = full
	if err := w.Write(made(t, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Checkpoint(); err == nil {
		t.Error("a checkpoint was made")
	}
	if err := w.Write(made(t, 2)); err == nil {
		t.Error("writing goes on")
	}
	if err := w.Close(); err == nil {
		t.Error("it was completed")
	}
}

func FuzzReader(f *testing.F) {
	whole := packed(f, framed(made(f, 1), made(f, 2), nil))
	_, blocks := recordBlocks(f, 2, ten(f)...)
	f.Add(blocks)
	f.Add(slices.Concat(blocks, whole))
	f.Add(blocks[:len(blocks)-block.EndSize])
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(packed(f, []byte{0xff, 0xff, 0xff, 0xff}))
	f.Add(packed(f, make([]byte, 1<<16)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			if fault.ClassOf(err) != fault.Unreachable {
				t.Fatalf("unclassed: %v", err)
			}
			return
		}
		defer r.Close()
		n := 0
		for frame, err := range r.Frames() {
			if err != nil && fault.ClassOf(err) == fault.Internal {
				t.Fatalf("unclassed: %v", err)
			}
			if n += len(frame) + 4; n > 8<<20 {
				return // a small file that unpacks to a large one is legal
			}
		}
		x, _, _ := tail(bytes.NewReader(file), int64(len(file)))
		if x != nil && len(x.Entries) > block.MaxEntries {
			t.Fatal(fmt.Sprint(len(x.Entries), " entries"))
		}
	})
}

// hostile is a capture of one block whose checksums are right and whose numbers
// are not.
func TestHostileSizesTakeLittleMemory(t *testing.T) {
	bomb := packed(t, make([]byte, 64<<20)) // 3 KiB
	head := block.AppendHeader(nil)
	for name, raw := range map[string]int{"honest": 64 << 20, "lying": 100} {
		d := block.Block{Frames: 1, Raw: raw, Packed: len(bomb), Sum: block.Sum(bomb)}
		file := slices.Concat(head, d.Append(nil), bomb)
		before := heap()
		_, word, err := verdict(t, file)
		if grown := int64(heap()) - int64(before); word != "damaged" || grown > 24<<20 {
			t.Errorf("%s: %s, %v, %d MiB more", name, word, err, grown>>20)
		}
	}
}

// heap is how many bytes were ever allocated.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// Blocks are small at the beginning and large in a large capture.
func TestBlocksGrowWithTheCapture(t *testing.T) {
	p := block.NewPacker(0)
	var sizes []int
	for range 4000 {
		if err := p.Add(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
		if p.Full() {
			_, _, b := p.Pack()
			sizes = append(sizes, b.Raw)
			p.Commit()
		}
	}
	if first, last := sizes[0], sizes[len(sizes)-1]; first > block.Size+10_004 || last < block.MaxSize || last > block.MaxSize+10_004 || !slices.IsSorted(sizes) {
		t.Errorf("blocks of %d to %d bytes", first, last)
	}
}

// A large frame has a block of its own, which costs no copy of it; what is around it
// stays in order, is found by the index, and survives a cut.
func TestLargeFramesHaveTheirOwnBlocks(t *testing.T) {
	large := func(seq event.Seq, size int) []byte {
		return relaytest.Frame("#identity", map[string]any{"seq": int64(seq), "did": "did:plc:large", "pad": bytes.Repeat([]byte{byte(seq)}, size)})
	}
	frames := [][]byte{relaytest.Identity(1), large(2, 3<<20), relaytest.Identity(3), large(4, 2<<20), large(5, 4<<20), relaytest.Identity(6)}
	path := filepath.Join(t.TempDir(), "run.fhz")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range frames {
		if err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if w.pack.Size() > 1<<20 {
		t.Errorf("%d bytes wait", w.pack.Size())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(path string, after event.Seq, want [][]byte, cut bool) {
		t.Helper()
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.SeekAfter(after); err != nil {
			t.Fatal(err)
		}
		n := 0
		for data, err := range r.Frames() {
			if damage, ok := errors.AsType[*Damage](err); cut && ok && damage.Cut {
				break
			}
			if err != nil {
				t.Fatalf("after seq %s, frame %d: %v", after, n, err)
			}
			if after > 0 && relaytest.Seq(data) <= after {
				continue
			}
			if n >= len(want) || !bytes.Equal(data, want[n]) {
				t.Fatalf("after seq %s, frame %d: %d bytes, not what was written", after, n, len(data))
			}
			n++
		}
		if n != len(want) && !cut || cut && n > len(want) {
			t.Errorf("after seq %s: %d frames, want %d", after, n, len(want))
		}
	}
	for after := event.Seq(0); after < 6; after++ {
		check(path, after, frames[after:], false)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := len(whole) - 1; at > 64; at -= max(1, len(whole)/40) {
		cut := filepath.Join(t.TempDir(), "cut.fhz")
		if err := os.WriteFile(cut, whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		check(cut, 0, frames, true)
	}
}
