package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// maxReaders is how many places of the file a Log keeps open. A consumer
// beyond that costs a read from the start, not an error.
const maxReaders = 4

// LogConfig says what a Log plays.
type LogConfig struct {
	Path string
	// SeqOf reads the seq of a frame; false when it has none or is not
	// readable. Nil means frame.PeekSeq.
	SeqOf func(frame []byte) (event.Seq, bool)
}

// Log plays a capture as a relay plays its window: from any seq, to several
// consumers, each at its own pace. It is safe for concurrent use.
//
// Frames go forward only: one whose seq is not above its predecessors' is
// passed over. A frame without a seq (an info, garbage) follows its
// predecessor: Next returns it with that one's seq, 0 at the start of the file,
// and the call after goes on behind it. Who asks for that seq afresh does not
// get it.
type Log struct {
	cfg            LogConfig
	indexed        bool // places are found without reading what is before them
	oldest, newest event.Seq
	damage         error

	mu      sync.Mutex
	readers []*logReader // most recently used last
	closed  bool
}

type logReader struct {
	*Reader
	last    event.Seq // what the caller has: nothing up to it comes again
	flowing bool      // false while skipping to the first frame after last
}

// OpenLog learns the bounds of a capture: from its end, or by reading it once
// where it has none. Damage is no error here: the frames before it are played,
// then Next returns it; Damage tells of what is known already.
func OpenLog(cfg LogConfig) (*Log, error) {
	l := &Log{cfg: cfg, indexed: cfg.SeqOf == nil}
	if cfg.SeqOf == nil {
		l.cfg.SeqOf = frame.PeekSeq
	}
	r, err := Open(cfg.Path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if l.indexed {
		_, end, err := tail(r.file, r.size)
		if err != nil {
			return nil, fmt.Errorf("open capture: %w", err)
		}
		if end != nil {
			l.oldest, l.newest = end.First, end.Last
			return l, nil
		}
		l.indexed = false
	}
	return l, l.scan(r)
}

// scan reads the whole file.
func (l *Log) scan(r *Reader) error {
	for data, err := range r.Frames() {
		var damage *Damage
		if errors.As(err, &damage) {
			l.damage = err
			break
		}
		if err != nil {
			return err
		}
		if seq, ok := l.cfg.SeqOf(data); ok && seq > l.newest {
			if l.oldest == 0 {
				l.oldest = seq
			}
			l.newest = seq
		}
	}
	return nil
}

// Damage is what keeps the file from being played to its end, as far as OpenLog
// has seen it; nil when it has seen none.
func (l *Log) Damage() error { return l.damage }

// Bounds is the lowest and the highest seq in the file; both 0 when no frame
// has one.
func (l *Log) Bounds() (oldest, newest event.Seq) { return l.oldest, l.newest }

// Next is a fresh copy of the frame that follows after, and its seq. io.EOF
// means that the file has no more; damage comes as Reader.Next returns it.
func (l *Log) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := l.at(after)
	if err != nil {
		return 0, nil, err
	}
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return 0, nil, ctx.Err()
		}
		data, err := r.Next()
		if err != nil {
			return 0, nil, err
		}
		seq, ok := l.cfg.SeqOf(data)
		switch {
		case ok && seq > after:
			r.last, r.flowing = seq, true
			return seq, slices.Clone(data), nil
		case !ok && r.flowing:
			return after, slices.Clone(data), nil
		}
	}
}

// at is the reader whose last seq is after, or a fresh one: a reader that
// stands elsewhere is another consumer's, until it falls off the list.
func (l *Log) at(after event.Seq) (*logReader, error) {
	if l.closed {
		return nil, fmt.Errorf("play capture: %w", fs.ErrClosed)
	}
	for i, r := range l.readers {
		if r.last == after {
			return l.use(i), nil
		}
	}
	file, err := Open(l.cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("play capture: %w", err)
	}
	if l.indexed && after > 0 {
		if _, err := file.SeekAfter(after); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	if len(l.readers) == maxReaders {
		_ = l.readers[0].Close()
		l.readers = slices.Delete(l.readers, 0, 1)
	}
	r := &logReader{Reader: file, last: after, flowing: after == 0}
	l.readers = append(l.readers, r)
	return r, nil
}

func (l *Log) use(i int) *logReader {
	r := l.readers[i]
	l.readers = append(slices.Delete(l.readers, i, i+1), r)
	return r
}

// Close closes the file. Later calls of Next fail.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var errs []error
	for _, r := range l.readers {
		errs = append(errs, r.Close())
	}
	l.readers = nil
	return errors.Join(errs...)
}
