package relayserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/fhctl/fhctl/pkg/event"
)

// Log is what a Server serves. It must be safe for concurrent use: each
// connection reads at its own pace.
type Log interface {
	// Bounds is the lowest and the highest seq held now; both 0 when none
	// was ever held. A log that dropped everything keeps newest.
	Bounds() (oldest, newest event.Seq)
	// Next is the frame with the lowest seq above after. It waits for one
	// until ctx ends. io.EOF means that no more will come. The bytes must
	// stay unchanged.
	Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error)
}

// Reacher is a Log that makes its frames as they are read. Before a cursor is
// compared with Bounds the log is asked to reach it, so that a client resumes
// behind what an earlier run of the log had already made.
type Reacher interface{ Reach(event.Seq) }

// MemoryLog is a Log in memory.
type MemoryLog struct {
	limit int

	mu     sync.Mutex
	seqs   []event.Seq
	frames [][]byte
	newest event.Seq
	ended  bool
	grown  chan struct{} // closed and replaced at each change
}

// NewMemoryLog makes an empty log that keeps the newest limit frames; 0 keeps
// all.
func NewMemoryLog(limit int) *MemoryLog {
	return &MemoryLog{limit: limit, grown: make(chan struct{})}
}

// Append adds a frame, whose bytes the log keeps. Seqs must rise.
func (l *MemoryLog) Append(seq event.Seq, frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return errors.New("append to log: the log has ended")
	case seq <= l.newest:
		return fmt.Errorf("append to log: seq %d is not above %d", seq, l.newest)
	}
	l.seqs, l.frames, l.newest = append(l.seqs, seq), append(l.frames, frame), seq
	if extra := len(l.seqs) - l.limit; l.limit > 0 && extra > 0 {
		clear(l.frames[:extra])
		l.seqs, l.frames = l.seqs[extra:], l.frames[extra:]
	}
	l.wake()
	return nil
}

// End says that no more frames will come.
func (l *MemoryLog) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

func (l *MemoryLog) wake() {
	close(l.grown)
	l.grown = make(chan struct{})
}

// Bounds implements Log.
func (l *MemoryLog) Bounds() (oldest, newest event.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seqs) == 0 {
		return 0, l.newest
	}
	return l.seqs[0], l.newest
}

// Next implements Log.
func (l *MemoryLog) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	for {
		seq, frame, grown, err := l.find(after)
		if seq > 0 || err != nil {
			return seq, frame, err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

func (l *MemoryLog) find(after event.Seq) (event.Seq, []byte, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.seqs), func(i int) bool { return l.seqs[i] > after })
	switch {
	case i < len(l.seqs):
		return l.seqs[i], l.frames[i], nil, nil
	case l.ended:
		return 0, nil, nil, io.EOF
	}
	return 0, nil, l.grown, nil
}
