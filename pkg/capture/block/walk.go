package block

import (
	"bytes"
	"errors"
	"io"

	"github.com/fhctl/fhctl/pkg/event"
)

var (
	// ErrCut: what follows is no damage, but less than there should be.
	ErrCut = errors.New("the file ends too early")
	// ErrOrder: what is there is a sound part in the wrong place, or no part.
	ErrOrder = errors.New("a block is missing, or another's")
)

// Walker reads checked blocks of a file from an offset on.
type Walker struct {
	File      io.ReaderAt
	Offset    int64     // of the next block, in bytes
	End       int64     // of what may be read
	Prev      event.Seq // the seq that the first block comes after
	*Unpacker           // nil where only descriptors are read

	last *Block // the block before; nil at the beginning
	buf  []byte
}

// Next is the unpacked frames of the next block; io.EOF where the file ends. After
// ErrNoMemory the block can be asked for again.
func (b *Walker) Next() ([]byte, error) {
	if b.Offset >= b.End {
		return nil, io.EOF
	}
	d, err := b.describe(b.Offset)
	if err != nil {
		return nil, err
	}
	if b.last == nil && d.After != b.Prev || b.last != nil && !d.Follows(b.last) {
		return nil, ErrOrder
	}
	raw, err := b.unpack(d)
	if err != nil {
		return nil, err
	}
	b.last = d
	b.Offset += DescriptorSize + int64(d.Packed)
	return raw, nil
}

// unpack unpacks the block at Offset. One with a giant frame is read piece by piece.
func (b *Walker) unpack(d *Block) ([]byte, error) {
	if d.giant() {
		return b.unpackGiant(d, io.NewSectionReader(b.File, b.Offset+DescriptorSize, int64(d.Packed)))
	}
	packed, err := b.packed(d, b.Offset)
	if err != nil {
		return nil, err
	}
	return b.Unpack(d, packed)
}

// At reads the block at offset, whose frames are not checked yet.
func (b *Walker) At(offset int64) (*Block, []byte, error) {
	d, err := b.describe(offset)
	if err != nil {
		return nil, nil, err
	}
	packed, err := b.packed(d, offset)
	return d, packed, err
}

// describe reads the descriptor at offset, whose block lies within the file.
func (b *Walker) describe(offset int64) (*Block, error) {
	var descriptor [DescriptorSize]byte
	if err := b.Fill(descriptor[:], offset); err != nil {
		return nil, err
	}
	d, err := parseDescriptor(descriptor[:])
	if err == nil && int64(d.Packed) > b.End-offset-DescriptorSize {
		err = ErrCut
	}
	return d, err
}

// packed reads the zstd frames of the block at offset.
func (b *Walker) packed(d *Block, offset int64) ([]byte, error) {
	if cap(b.buf) < d.Packed {
		b.buf = make([]byte, d.Packed)
	}
	b.buf = b.buf[:d.Packed]
	return b.buf, b.Fill(b.buf, offset+DescriptorSize)
}

// sound reads the descriptor at offset, and reports whether its block is as it says.
func (b *Walker) sound(offset int64) (*Block, bool) {
	d, err := b.describe(offset)
	if err != nil {
		return d, false
	}
	in := summed{in: io.NewSectionReader(b.File, offset+DescriptorSize, int64(d.Packed))}
	n, err := io.Copy(io.Discard, &in)
	return d, err == nil && n == int64(d.Packed) && in.sum == d.Sum
}

// Fill reads all of data at offset; ErrCut where the file ends before.
func (b *Walker) Fill(data []byte, offset int64) error {
	if offset+int64(len(data)) > b.End {
		return ErrCut
	}
	_, err := b.File.ReadAt(data, offset)
	if errors.Is(err, io.EOF) {
		err = ErrCut
	}
	return err
}

func parseDescriptor(data []byte) (*Block, error) {
	if Begins(data) != Ours {
		return nil, ErrOrder
	}
	tag, size, err := Head(data[:HeadSize])
	if err != nil {
		return nil, err
	}
	if tag != TagBlock {
		return nil, ErrOrder
	}
	d, err := ParseBlock(data[HeadSize : HeadSize+size])
	return &d, err
}

// Beyond finds the next sound block behind damage: its offset and descriptor.
func (b *Walker) Beyond(offset int64) (int64, *Block, bool) {
	const window = 256 << 10
	head := Block{}
	mark := head.Append(nil)[:4]
	buf := make([]byte, window)
	for offset++; offset < b.End-DescriptorSize; {
		n := int(min(int64(len(buf)), b.End-offset))
		if _, err := b.File.ReadAt(buf[:n], offset); err != nil {
			offset += window / 2 // a bad place on the disk
			continue
		}
		i := bytes.Index(buf[:n], mark)
		if i < 0 {
			offset += int64(max(1, n-len(mark)+1))
			continue
		}
		offset += int64(i)
		if d, ok := b.sound(offset); ok && d.After >= b.Prev {
			return offset, d, true
		}
		offset++
	}
	return 0, nil, false
}

// Extent is how far a file reaches, in bytes and in seqs, by all of its sound
// blocks, those behind damage as well.
func Extent(f io.ReaderAt, size int64, prev event.Seq) (end int64, last event.Seq) {
	b := &Walker{File: f, Offset: HeaderSize, End: size, Prev: prev}
	last = prev
	for off := int64(HeaderSize); off < size; {
		d, ok := b.sound(off)
		if !ok {
			if off, d, ok = b.Beyond(off); !ok {
				break
			}
		}
		off += DescriptorSize + int64(d.Packed)
		end, last = off, max(last, d.Last)
	}
	return end, last
}
