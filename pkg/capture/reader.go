package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/files"
)

// MaxFrame is the largest frame a capture holds, in bytes: the message limit
// of the protocol (C9).
const MaxFrame = block.MaxFrame

// Damage is a capture that cannot be read further. The frames before it are good.
// It comes classed as fault.Data.
type Damage struct {
	Frames int64 // whole frames before the damage
	// Cut says that the file ends too early and is sound up to there: its
	// recording did not finish, or somebody copied a part of it.
	Cut bool
	Err error
}

// Error says what is wrong, and where.
func (d *Damage) Error() string {
	what := "it is damaged"
	if d.Cut {
		what = "it is cut short"
	}
	return fmt.Sprintf("read capture: %s after %d whole frames: %v", what, d.Frames, d.Err)
}

// Unwrap gives the cause; io.ErrUnexpectedEOF when the file was cut short.
func (d *Damage) Unwrap() error { return d.Err }

// NotCapture is a file that is something else: nothing in it can be a frame. It
// comes classed as fault.Unreachable.
type NotCapture struct {
	Name string // as it was opened; empty for what has no name
	Err  error
}

// Error says why it is none.
func (e *NotCapture) Error() string {
	name := e.Name
	if name == "" {
		name = "this"
	}
	return name + " is not a capture: " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *NotCapture) Unwrap() error { return e.Err }

// source is one way in which frames are kept. Its errors are io.EOF, a read
// error of the system, or what is wrong with the file; io.ErrUnexpectedEOF is a
// file that ends too early.
type source interface {
	next() ([]byte, error)
	close()
}

// Reader reads the frames of one capture in order. It is not safe for
// concurrent use.
type Reader struct {
	file   *os.File // nil when reading from elsewhere
	name   string
	size   int64 // of file
	taken  int64 // bytes of file that were read
	in     source
	frames int64
	err    error
}

// Open reads the capture at path. A file that is missing or no regular file is
// a fault.Usage error, one that may not be read fault.Refused, one that is no
// capture a *NotCapture in fault.Unreachable.
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
	r := &Reader{file: file, name: path, size: info.Size()}
	if err := r.begin(counted{file, &r.taken}); err != nil {
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
// Errors are those of in, *NotCapture and *Damage.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{}
	return r, r.begin(in)
}

// begin looks at the first bytes and chooses how to read the rest.
func (r *Reader) begin(in io.Reader) error {
	head := make([]byte, 12)
	n, err := io.ReadFull(in, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("open capture: %w", err)
	}
	in = io.MultiReader(bytes.NewReader(head), in)
	switch {
	case n == 0:
		return r.not(errors.New("it is empty"))
	case bytes.HasPrefix(block.AppendHeader(nil), head):
		r.in = newBlocks(in)
	case n < 8:
		return r.not(fmt.Errorf("it begins with %q", head))
	case block.Begins(head) == block.Ours, block.LooksOurs(head):
		r.in = newBlocks(in) // which tells what is wrong with it
	case block.Begins(head) == block.Garbage:
		return r.not(fmt.Errorf("it begins with %q", head[:8]))
	default:
		if r.in, err = newPlain(in); err != nil {
			return fmt.Errorf("open capture: %w", err)
		}
	}
	return nil
}

func (r *Reader) not(err error) error {
	return fault.New(fault.Unreachable, &NotCapture{Name: r.name, Err: err}, "name a file that was recorded as a capture")
}

// Next is the next frame. Its bytes are the Reader's and are overwritten by
// the following call. The end is io.EOF; damage is a *Damage in fault.Data. An
// error repeats.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	frame, err := r.in.next()
	if err != nil {
		r.err = r.broken(err)
		return nil, r.err
	}
	r.frames++
	return frame, nil
}

// broken classes what went wrong: a disk that fails is not a damaged capture.
func (r *Reader) broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return fmt.Errorf("read capture: %w", err)
	}
	if newer, ok := errors.AsType[*block.Newer](err); ok {
		return fault.New(fault.Usage, fmt.Errorf("read capture: %w", newer), "read it with a newer version of this program")
	}
	if _, old := r.in.(*plain); old && r.frames == 0 && errors.Is(err, errNoFrame) {
		return r.not(err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Data, &Damage{Frames: r.frames, Cut: true, Err: err},
			"the frames before the cut are good; go on with its recording if that did not finish, or record again for the rest")
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

// SeekAfter goes to a place from which every frame with a seq above after is
// still to come, and only few before it. It reports whether it did: only a whole
// capture with an index allows that, and only before the first Next. What it
// passes over is not checked.
func (r *Reader) SeekAfter(after event.Seq) (ok bool, err error) {
	if _, blocks := r.in.(*blocks); !blocks || r.file == nil || r.frames > 0 || r.err != nil {
		return false, nil
	}
	index, _, err := tail(r.file, r.size)
	if index == nil || err != nil {
		return false, err
	}
	entry, found := index.Find(after)
	if !found || entry.Offset == block.HeaderSize {
		return false, nil
	}
	if _, err := r.file.Seek(entry.Offset, io.SeekStart); err != nil {
		return false, fmt.Errorf("read capture: %w", err)
	}
	r.in.close()
	b := newBlocks(counted{r.file, &r.taken})
	b.expect(entry)
	r.in, r.frames, r.taken = b, entry.Before, entry.Offset
	return true, nil
}

// Close frees the decoder and the file that Open opened.
func (r *Reader) Close() error {
	r.in.close()
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
