package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/files"
	"github.com/klauspost/compress/zstd"
)

// MaxFrame is the largest frame a capture holds, in bytes: the message limit
// of the protocol (C9).
const MaxFrame = 5_000_000

// maxWindow bounds the decoder's memory, in bytes. It is what the zstd format
// asks every decoder to support.
const maxWindow = 8 << 20

// Damage is a capture that cannot be read further: cut short, not zstd, or a
// length that no frame has. The frames before it are good. It comes classed as
// fault.Data.
type Damage struct {
	Frames int64 // whole frames before the damage
	Err    error
}

// Error says where the damage is.
func (d *Damage) Error() string {
	return fmt.Sprintf("read capture after %d whole frames: %v", d.Frames, d.Err)
}

// Unwrap gives the cause; io.ErrUnexpectedEOF when the file was cut short.
func (d *Damage) Unwrap() error { return d.Err }

// Reader reads the frames of one capture in order. It is not safe for
// concurrent use.
type Reader struct {
	file   *os.File // nil when reading from elsewhere
	size   int64    // of file
	taken  int64    // bytes of file that were read
	zst    *zstd.Decoder
	buf    []byte
	frames int64
	err    error
}

// Open reads the capture at path. A file that is missing or no regular file is
// a fault.Usage error, one that may not be read fault.Refused.
func Open(path string) (*Reader, error) {
	file, err := files.Open(path)
	if err != nil {
		return nil, openFault(err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, openFault(err)
	}
	r := &Reader{file: file, size: info.Size()}
	if err := r.decode(counted{file, &r.taken}); err != nil {
		_ = file.Close()
		return nil, err
	}
	return r, nil
}

// counted counts what is read.
type counted struct {
	in io.Reader
	n  *int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	*c.n += int64(n)
	return n, err
}

// Fraction is how much of the file that Open opened has been read, from 0 to
// 1; -1 when there is no file to measure. The decoder reads a little ahead.
func (r *Reader) Fraction() float64 {
	if r.size <= 0 {
		return -1
	}
	return min(1, float64(r.taken)/float64(r.size))
}

// openFault classes what kept a capture from being opened.
func openFault(err error) error {
	class, hint := fault.Usage, "name a file that was recorded as a capture"
	switch {
	case errors.Is(err, fs.ErrPermission):
		class, hint = fault.Refused, "let this user read the file, or run as its owner: captures are private to who recorded them"
	case errors.Is(err, fs.ErrNotExist):
		hint = "check the path"
	case errors.As(err, new(*files.NotRegular)):
		hint = "a capture is read more than once: write it to a file first"
	}
	return fault.New(class, fmt.Errorf("open capture: %w", err), hint)
}

// NewReader reads a capture from in, which the caller closes after the Reader.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{}
	return r, r.decode(in)
}

func (r *Reader) decode(in io.Reader) (err error) {
	r.zst, err = zstd.NewReader(in,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return fmt.Errorf("open capture: %w", err)
	}
	return nil
}

// Next is the next frame. Its bytes are the Reader's and are overwritten by
// the following call. The end is io.EOF; damage is a *Damage in fault.Data. An
// error repeats.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	var frame []byte
	if frame, r.err = r.next(); r.err == nil {
		r.frames++
	}
	return frame, r.err
}

func (r *Reader) next() ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(r.zst, prefix[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, r.broken(err)
	}
	size := binary.LittleEndian.Uint32(prefix[:])
	if size > MaxFrame {
		return nil, r.broken(fmt.Errorf("a frame of %d bytes is announced, the limit is %d", size, MaxFrame))
	}
	if err := r.fill(int(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, r.broken(err)
	}
	return r.buf, nil
}

// growth is how much memory a declared length earns before bytes of that
// frame have been seen.
const growth = 64 << 10

// fill reads size bytes into buf, taking memory as they come.
func (r *Reader) fill(size int) error {
	r.buf = r.buf[:0]
	for len(r.buf) < size {
		have := len(r.buf)
		want := min(size, max(cap(r.buf), 2*have, growth))
		if want > cap(r.buf) {
			grown := make([]byte, have, want)
			copy(grown, r.buf)
			r.buf = grown
		}
		r.buf = r.buf[:want]
		if _, err := io.ReadFull(r.zst, r.buf[have:]); err != nil {
			return err
		}
	}
	return nil
}

// broken classes what went wrong: a disk that fails is not a damaged capture.
func (r *Reader) broken(err error) error {
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return fmt.Errorf("read capture: %w", err)
	}
	return fault.New(fault.Data, &Damage{Frames: r.frames, Err: err},
		"the frames before the damage are good; record the capture again for the rest")
}

// Frames ranges over the frames that are left. Each may be read until the next
// iteration. The last pair carries the error, if there was one; io.EOF is not
// one.
func (r *Reader) Frames() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for {
			frame, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(frame, err) || err != nil {
				return
			}
		}
	}
}

// Close frees the decoder and the file that Open opened.
func (r *Reader) Close() error {
	r.zst.Close()
	if r.err == nil {
		r.err = fs.ErrClosed
	}
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return file.Close()
}
