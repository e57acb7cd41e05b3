package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

var (
	errNoHeader = errors.New("a block comes before its header")
	errOrder    = errors.New("a block is missing, or not in its place")
	errPlace    = errors.New("something stands where no part may")
	errTotals   = errors.New("the end mark counts other blocks than there are")
)

// blocks reads a capture of blocks, or several one after the other. A block is
// checked as a whole before its first frame is given.
type blocks struct {
	in     io.Reader
	unpack *block.Unpacker
	part   []byte // of the file
	packed []byte
	rest   []byte // frames of the present block that were not given

	headed  bool         // inside a capture: behind its header, before its end mark
	last    *block.Block // the block before; nil at the beginning
	indexed bool         // the index was passed
	sought  *block.Entry // where a seek went: the next block must be this one
	some    bool         // one capture at least has ended
	older   *plain       // reads the rest, which an earlier version wrote
}

func newBlocks(in io.Reader) *blocks {
	return &blocks{in: in, unpack: block.NewUnpacker()}
}

// expect says that reading begins at a block in the middle.
func (b *blocks) expect(e block.Entry) { b.headed, b.sought = true, &e }

func (b *blocks) close() {
	b.unpack.Close()
	if b.older != nil {
		b.older.close()
	}
}

func (b *blocks) next() ([]byte, error) {
	for len(b.rest) == 0 {
		if b.older != nil {
			return b.older.next()
		}
		if err := b.advance(); err != nil {
			return nil, err
		}
	}
	for data := range block.Frames(b.rest) {
		b.rest = b.rest[4+len(data):]
		return data, nil
	}
	return nil, errOrder // unreachable: a checked block holds whole frames
}

// read reads exactly size bytes, which must be there.
func (b *blocks) read(size int) (data []byte, err error) {
	b.part, err = fill(b.in, b.part[:0], size)
	return b.part, noEnd(err)
}

// advance reads the next part, and unpacks it if it is a block.
func (b *blocks) advance() error {
	var head [block.HeadSize]byte
	if n, err := io.ReadFull(b.in, head[:8]); err != nil {
		if errors.Is(err, io.EOF) && n == 0 && b.some && !b.headed {
			return io.EOF
		}
		return noEnd(err)
	}
	switch block.Begins(head[:8]) {
	case block.Ours:
	case block.Foreign:
		return b.foreign(head[:8])
	case block.Zstd:
		if b.headed || !b.some {
			return errPlace
		}
		var err error
		b.older, err = newPlain(io.MultiReader(bytes.NewReader(bytes.Clone(head[:8])), b.in))
		return err
	default:
		return errPlace
	}
	if _, err := io.ReadFull(b.in, head[8:]); err != nil {
		return noEnd(err)
	}
	tag, size, err := block.Head(head[:])
	if err != nil {
		return err
	}
	body, err := b.read(size)
	if err != nil {
		return err
	}
	return b.take(tag, body)
}

// noEnd is a file that ends where more should follow.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("its end mark is missing: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// foreign passes over what another program put between.
func (b *blocks) foreign(head []byte) error {
	size := block.ForeignSize(head)
	peek, err := b.read(int(min(size, 4)))
	if err != nil {
		return err
	}
	if block.LooksOurs(append(append([]byte(nil), head...), peek...)) {
		return errPlace // a part of ours whose first bytes changed
	}
	_, err = io.CopyN(io.Discard, b.in, size-int64(len(peek)))
	return noEnd(err)
}

func (b *blocks) take(tag string, body []byte) error {
	if tag != block.TagHeader && !b.headed {
		return errNoHeader
	}
	switch tag {
	case block.TagHeader:
		if b.headed {
			return errPlace
		}
		b.headed, b.last, b.indexed, b.sought = true, nil, false, nil
		return block.ParseHeader(body)
	case block.TagBlock:
		return b.takeBlock(body)
	case block.TagIndex:
		if b.indexed {
			return errPlace
		}
		b.indexed = true
		_, err := block.ParseIndex(body, 1<<62)
		return err
	case block.TagEnd:
		return b.takeEnd(body)
	}
	return block.CheckBody(body)
}

func (b *blocks) takeBlock(body []byte) error {
	d, err := block.ParseBlock(body)
	if err != nil {
		return err
	}
	first := &block.Block{Number: -1}
	switch {
	case b.indexed:
		return errPlace
	case b.last == nil && b.sought != nil:
		if d.Before != b.sought.Before || d.After != b.sought.After {
			return errOrder
		}
	case b.last == nil && !d.Follows(first), b.last != nil && !d.Follows(b.last):
		return errOrder
	}
	b.packed, err = fill(b.in, b.packed[:0], d.Packed)
	if err != nil {
		return noEnd(err)
	}
	if b.rest, err = b.unpack.Unpack(&d, b.packed); err != nil {
		return err
	}
	b.last = &d
	return nil
}

func (b *blocks) takeEnd(body []byte) error {
	end, err := block.ParseEnd(body)
	if err != nil {
		return err
	}
	last := b.last
	if last == nil {
		last = &block.Block{Number: -1}
	}
	passed := b.last == nil && b.sought != nil // a seek went behind the last block
	if !b.indexed || !passed && (end.Blocks != last.Number+1 || end.Frames != last.Before+int64(last.Frames) || end.Last != last.Last) {
		return errTotals
	}
	b.headed, b.some, b.sought = false, true, nil
	return nil
}

// tail reads the index and the end mark of a file that is one whole capture; nil
// and no error when it is not.
func tail(file io.ReaderAt, size int64) (*block.Index, *block.End, error) {
	if size < block.HeaderSize+block.HeadSize+block.EndSize {
		return nil, nil, nil
	}
	body, err := partAt(file, size-block.EndSize, block.TagEnd, size)
	if body == nil || err != nil {
		return nil, nil, err
	}
	end, err := block.ParseEnd(body)
	if err != nil || end.Index >= size-block.EndSize {
		return nil, nil, nil
	}
	body, err = partAt(file, end.Index, block.TagIndex, size-block.EndSize)
	if body == nil || err != nil || end.Index+block.HeadSize+int64(len(body)) != size-block.EndSize {
		return nil, nil, err
	}
	index, err := block.ParseIndex(body, end.Index)
	if err != nil {
		return nil, nil, nil
	}
	return index, &end, nil
}

// partAt is the body of the part at offset, with its checksum; nil when none of
// this kind stands there. It ends before limit.
func partAt(file io.ReaderAt, offset int64, tag string, limit int64) ([]byte, error) {
	var head [block.HeadSize]byte
	if _, err := file.ReadAt(head[:], offset); err != nil {
		return nil, diskError(err)
	}
	if block.Begins(head[:]) != block.Ours {
		return nil, nil
	}
	found, size, err := block.Head(head[:])
	if err != nil || found != tag || offset+block.HeadSize+int64(size) > limit {
		return nil, nil
	}
	body := make([]byte, size) // it is there: limit is within the file
	if _, err := file.ReadAt(body, offset+block.HeadSize); err != nil {
		return nil, diskError(err)
	}
	return body, nil
}

// diskError is err if the system reported it, and not the end of a file that
// became shorter.
func diskError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// kept is what of an unfinished capture can be gone on with.
type kept struct {
	size   int64 // bytes up to the end of the last whole block
	plain  bool  // an earlier version wrote it: no blocks
	last   *block.Block
	first  event.Seq
	index  block.Index
	damage error // why it ends there; nil at the end of the file
}

// walk checks a capture that is being written, block by block, up to limit.
func walk(file *os.File, limit int64) (*kept, error) {
	in := io.NewSectionReader(file, 0, limit)
	head := make([]byte, block.HeaderSize)
	n, err := io.ReadFull(in, head)
	if err != nil && diskError(err) != nil {
		return nil, err
	}
	if n >= 8 && block.Begins(head) == block.Zstd {
		return &kept{size: limit, plain: true}, nil
	}
	k := &kept{}
	if !bytes.Equal(head[:n], block.AppendHeader(nil)[:n]) {
		return nil, errNoHeader
	}
	if n < block.HeaderSize {
		return k, nil // nothing is in it yet
	}
	k.size = block.HeaderSize
	b := newBlocks(in)
	defer b.close()
	b.headed = true
	for {
		err := b.advance()
		if err == nil && len(b.rest) == 0 {
			err = errPlace // an index: a capture that ended
		}
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				k.damage = err
			}
			var disk *fs.PathError
			if errors.As(err, &disk) {
				return nil, err
			}
			return k, nil
		}
		if k.first == 0 {
			k.first = firstSeq(b.rest)
		}
		k.last = b.last
		k.index.Add(b.last, k.size)
		k.size += block.DescriptorSize + int64(b.last.Packed)
		b.rest = nil
	}
}

func firstSeq(raw []byte) event.Seq {
	for data := range block.Frames(raw) {
		if seq, ok := frame.PeekSeq(data); ok {
			return seq
		}
	}
	return 0
}
