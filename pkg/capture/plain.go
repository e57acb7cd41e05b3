package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the decoder's memory, in bytes. It is what the zstd format
// asks every decoder to support.
const maxWindow = 8 << 20

// errNoFrame is a length that no frame has.
var errNoFrame = errors.New("no frame is this long")

// plain reads captures without blocks: zstd streams of frames, each behind its
// length, as earlier versions recorded them. They have no end mark, so that one
// cut between two streams looks whole.
type plain struct {
	zst *zstd.Decoder
	buf []byte
}

func newPlain(in io.Reader) (*plain, error) {
	zst, err := zstd.NewReader(in,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, err
	}
	return &plain{zst: zst}, nil
}

func (p *plain) close() { p.zst.Close() }

func (p *plain) next() ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(p.zst, prefix[:]); err != nil {
		return nil, err // io.EOF is the end
	}
	size := binary.LittleEndian.Uint32(prefix[:])
	if size > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes are announced, the limit is %d", errNoFrame, size, MaxFrame)
	}
	if err := p.fill(int(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return p.buf, nil
}

// growth is how much memory a declared length earns before bytes of that
// frame have been seen.
const growth = 64 << 10

// fill reads size bytes into buf, taking memory as they come.
func (p *plain) fill(size int) (err error) {
	p.buf, err = fill(p.zst, p.buf[:0], size)
	return err
}

// fill appends size bytes of in to buf, taking memory as they come: what a file
// declares is only believed when it is there.
func fill(in io.Reader, buf []byte, size int) ([]byte, error) {
	for have := len(buf); have < size; have = len(buf) {
		want := min(size, max(cap(buf), 2*have, growth))
		if want > cap(buf) {
			grown := make([]byte, have, want)
			copy(grown, buf)
			buf = grown
		}
		buf = buf[:want]
		if _, err := io.ReadFull(in, buf[have:]); err != nil {
			return buf[:have], err
		}
	}
	return buf, nil
}
