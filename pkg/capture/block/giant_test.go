package block

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/fhctl/fhctl/pkg/relaytest"
)

// noise is what no compressor makes smaller.
func noise(seed uint64, size int) []byte {
	data, rng := make([]byte, size), rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = rng.Read(data)
	return data
}

// fileOf packs frames as the spill does: those above MaxSize alone, unless together.
func fileOf(t testing.TB, frames [][]byte, together bool) []byte {
	t.Helper()
	p, file := NewPacker(0), []byte(nil)
	for _, data := range frames {
		if together || len(data) <= MaxSize {
			if err := p.Add(data); err != nil {
				t.Fatal(err)
			}
			if together && len(data) <= MaxSize {
				continue
			}
			p.Pack()
			file = append(file, p.Whole()...)
			p.Commit()
			continue
		}
		at := len(file)
		file = append(file, make([]byte, DescriptorSize)...)
		descriptor, _, err := p.PackAlone(data, func(piece []byte) error { file = append(file, piece...); return nil })
		if err != nil {
			t.Fatal(err)
		}
		copy(file[at:], descriptor)
		p.Commit()
	}
	return file
}

func walk(file []byte, giant func() []byte) *Walker {
	w := &Walker{File: bytes.NewReader(file), End: int64(len(file)), Unpacker: NewUnpacker()}
	w.Giant = giant
	return w
}

// A giant frame alone in its block, and one behind others as earlier versions wrote it,
// come out as they went in, and each byte of them is checked.
func TestGiantFramesAreWhole(t *testing.T) {
	frames := [][]byte{noise(1, 100), noise(2, MaxFrame), noise(3, 5000), bytes.Repeat([]byte{7}, MaxSize+1), noise(4, 2*MaxSize+9), noise(5, 1)}
	for _, together := range []bool{false, true} {
		if together {
			frames = frames[:5]
		}
		file := fileOf(t, frames, together)
		w := walk(file, nil)
		var got [][]byte
		for {
			raw, err := w.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for data := range Frames(raw) {
				got = append(got, bytes.Clone(data))
			}
		}
		if !slices.EqualFunc(got, frames, bytes.Equal) {
			t.Errorf("together %t: %d frames of %d, or others", together, len(got), len(frames))
		}
		if end, _ := Extent(bytes.NewReader(append(make([]byte, HeaderSize), file...)), int64(HeaderSize+len(file)), 0); end != int64(HeaderSize+len(file)) {
			t.Errorf("together %t: sound up to %d of %d", together, end, HeaderSize+len(file))
		}
		w.Close()
	}
	file := fileOf(t, [][]byte{noise(6, 3*MaxSize)}, false)
	for _, at := range []int{3, DescriptorSize + 2, DescriptorSize + 20, len(file) / 2, len(file) - 1} {
		damaged := bytes.Clone(file)
		damaged[at] ^= 4
		w := walk(damaged, nil)
		if _, err := w.Next(); err == nil {
			t.Errorf("byte %d is not checked", at)
		}
		w.Close()
	}
	d, err := ParseBlock(file[HeadSize:DescriptorSize])
	if err != nil {
		t.Fatal(err)
	}
	d.Sum++ // alone: zstd has a checksum of its own
	w := walk(append(d.Append(nil), file[DescriptorSize:]...), nil)
	if _, err := w.Next(); !errors.Is(err, errSum) {
		t.Errorf("another checksum: %v", err)
	}
	w.Close()
	w = walk(file[:len(file)-1], nil)
	if _, err := w.Next(); !errors.Is(err, ErrCut) {
		t.Errorf("a file without its last byte: %v", err)
	}
	w.Close()
}

// A giant block waits for its memory, and can be asked for again.
func TestGiantFrameWaitsForMemory(t *testing.T) {
	frame := noise(1, 2*MaxSize)
	var memory []byte
	w := walk(fileOf(t, [][]byte{frame, frame}, false), func() []byte { return memory })
	defer w.Close()
	for range 2 {
		memory = nil
		for range 2 {
			if _, err := w.Next(); !errors.Is(err, ErrNoMemory) {
				t.Fatalf("without memory: %v", err)
			}
		}
		memory = make([]byte, 0, MaxUnpacked)
		raw, err := w.Next()
		if err != nil || !bytes.Equal(raw[4:], frame) || &raw[0] != &memory[:1][0] {
			t.Fatalf("with memory: %d bytes, %v", len(raw), err)
		}
		if got := w.Detach(); &got[:1][0] != &raw[0] || w.InGiant() {
			t.Fatal("other memory came back")
		}
	}
}

// G5: of a giant frame, however badly it packs, no second copy is made on the way to disk
// and back.
func TestGiantFramesCostNoMemory(t *testing.T) {
	const most = 2 << 20
	frame := noise(1, MaxFrame)
	file := fileOf(t, [][]byte{frame}, false)
	p, memory := NewPacker(0), make([]byte, 0, MaxUnpacked)
	if took := allocated(func() {
		if _, _, err := p.PackAlone(frame, func([]byte) error { return nil }); err != nil {
			t.Error(err)
		}
	}); took > most {
		t.Errorf("packing took %d bytes, want at most %d", took, most)
	}
	w := walk(file, func() []byte { return memory })
	defer w.Close()
	if took := allocated(func() {
		if _, err := w.Next(); err != nil {
			t.Error(err)
		}
	}); took > most {
		t.Errorf("unpacking took %d bytes, want at most %d", took, most)
	}
}

// A giant frame that is measured, or that the disk refuses, leaves the Packer where it was.
func TestGiantFrameThatIsNotWrittenLeavesNothing(t *testing.T) {
	frame := relaytest.Frame("#identity", map[string]any{"seq": 9, "did": "did:plc:large", "pad": noise(1, 2*MaxSize)})
	p, full := NewPacker(0), errors.New("the disk is full")
	measured, b, err := p.MeasureAlone(frame)
	if err != nil || b.Frames != 1 || b.Last != 9 || b.Raw != 4+len(frame) {
		t.Fatalf("%+v, %v", b, err)
	}
	if _, _, err := p.PackAlone(frame, func([]byte) error { return full }); err != full {
		t.Fatal(err)
	}
	if e := p.End(0); e.First != 0 || e.Blocks != 0 || p.Pending() != 0 {
		t.Errorf("after a refusal: %+v, %d pending", e, p.Pending())
	}
	written, _, err := p.PackAlone(frame, func([]byte) error { return nil })
	if err != nil || !bytes.Equal(written, measured) {
		t.Errorf("it is not what was measured, %v", err)
	}
}

func allocated(what func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	what()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
