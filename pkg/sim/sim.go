package sim

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/mst"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Sim is a log of synthetic frames, safe for concurrent use. It makes frames
// when they are asked for, on the caller's time, and keeps the newest few for
// others that follow.
type Sim struct {
	cfg     Config
	series  *series
	history *mst.Tree
	closed  chan struct{}

	mu       sync.Mutex
	begun    bool
	first    int64 // where reading from the oldest begins
	oldest   int64 // the oldest event of the window
	head     int64 // events that had happened
	headAt   time.Time
	open     []*chapter // places of the series, most recently used last
	chapters map[int64]bool
	newest   ring
}

const (
	// places is how many consumers far apart are served without replaying
	// a chapter for each frame.
	places = 3
	// kept is how many frames are kept for consumers close behind.
	kept = 1024
	// window is how far back cursors reach, in time.
	window = 72 * time.Hour
	// farthest is how many events Reach goes ahead at most: more is a
	// cursor of another relay.
	farthest = 100_000_000
)

// New makes a Sim; no event is made yet. The only errors are values out of
// range (fault.Usage). Close it after use.
func New(cfg Config) (*Sim, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.defaults()
	s := &Sim{cfg: cfg, series: newSeries(&cfg), closed: make(chan struct{}), chapters: map[int64]bool{}}
	var err error
	s.history, err = newHistory(s.series)
	return s, err
}

// begin starts the clock.
func (s *Sim) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.head, s.headAt = int64(s.cfg.Backlog), s.cfg.Now()
	if s.running() {
		s.head = max(s.head, int64(s.headAt.Sub(s.cfg.Epoch)/s.series.spacing))
		s.first = s.head - int64(s.cfg.Backlog)
		s.oldest = max(0, s.head-int64(window/s.series.spacing))
		s.oldest = min(s.oldest, s.first)
	}
}

// running reports whether the relay has been up since the epoch.
func (s *Sim) running() bool { return s.cfg.Rate > 0 && s.cfg.Count == 0 }

// happened is how many events there are by now.
func (s *Sim) happened() int64 {
	n := s.head
	if s.cfg.Rate > 0 {
		n += int64(s.cfg.Now().Sub(s.headAt) / s.series.spacing)
	}
	if s.cfg.Count > 0 {
		n = min(n, s.cfg.Count)
	}
	return n
}

// Bounds is the lowest and the highest seq there is by now; both 0 before the
// first event. Without a Rate the highest is that of the furthest event read.
// Next(0) begins Backlog events before the process did, which in a relay
// running since the epoch is later than the lowest.
func (s *Sim) Bounds() (oldest, newest event.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	n := s.happened()
	if n <= 0 {
		return 0, 0
	}
	return s.series.seq(s.oldest), s.series.seq(n - 1)
}

// Reach makes the series go on from seq at least, when seq is one it will
// come to: a consumer of an earlier process has had it already. A server calls
// it with a client's cursor before it compares that with Bounds. Cursors that
// lie absurdly far ahead are another relay's; they, and those past the Count,
// change nothing.
func (s *Sim) Reach(seq event.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	n, now := s.series.after(seq), s.happened()
	if n <= now || n > now+farthest || s.cfg.Count > 0 && n > s.cfg.Count || s.running() {
		return
	}
	s.head, s.headAt = n, s.cfg.Now()
}

// Next is the frame with the lowest seq above after, in memory that stays
// unchanged. It waits for the event's time, until ctx ends. io.EOF comes after
// Count events. After Close it is fs.ErrClosed.
func (s *Sim) Next(ctx context.Context, after event.Seq) (event.Seq, []byte, error) {
	i, wait := s.due(after)
	if s.cfg.Count > 0 && i >= s.cfg.Count {
		return 0, nil, io.EOF
	}
	if err := s.pause(ctx, wait); err != nil {
		return 0, nil, err
	}
	data, err := s.frame(ctx, i)
	return s.series.seq(i), data, err
}

// due is the event after a seq, and how long until it happens.
func (s *Sim) due(after event.Seq) (i int64, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	if i = s.first; after > 0 {
		i = max(s.series.after(after), s.oldest)
	}
	early := i - s.head
	switch {
	case i > s.happened()+farthest:
		return i, math.MaxInt64 // nobody lives to see it
	case early < 0 || s.cfg.Rate == 0:
		return i, 0
	}
	at := s.headAt.Add(time.Duration(early+1) * s.series.spacing)
	return i, at.Sub(s.cfg.Now())
}

func (s *Sim) pause(ctx context.Context, d time.Duration) error {
	closed, err := wait.Unless(ctx, d, s.closed)
	if closed {
		return fmt.Errorf("read sim: %w", fs.ErrClosed)
	}
	return err
}

// frame is the frame of event i, made now unless it is at hand.
func (s *Sim) frame(ctx context.Context, i int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data := s.newest.get(i); data != nil {
		return data, nil
	}
	c := s.at(i)
	for c.next < i {
		if _, err := c.step(false); err != nil {
			return nil, err
		}
		if c.next%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	data, err := c.step(true)
	if err != nil {
		return nil, err
	}
	s.newest.put(i, data)
	if s.cfg.Rate == 0 {
		s.head = max(s.head, i+1)
	}
	return data, nil
}

// at is the nearest place before event i, or the beginning of its chapter.
func (s *Sim) at(i int64) *chapter {
	number := i / s.series.length
	best := -1
	for n, c := range s.open {
		if c.number == number && c.next <= i && (best < 0 || c.next > s.open[best].next) {
			best = n
		}
	}
	var c *chapter
	if best >= 0 {
		c = s.open[best]
		s.open = slices.Delete(s.open, best, best+1)
	} else {
		c = s.series.open(number, s.history)
		s.chapters[number] = true
		s.open = slices.DeleteFunc(s.open, func(c *chapter) bool { return c.next == c.end })
		if len(s.open) == places {
			s.open = slices.Delete(s.open, 0, 1)
		}
	}
	s.open = append(s.open, c)
	return c
}

// Close ends every Next that waits. Nothing else has to be freed: a Sim has no
// goroutine.
func (s *Sim) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

// ring is the newest frames, of consecutive events.
type ring struct {
	frames [kept][]byte
	end    int64 // the event after the newest
	size   int64
}

func (r *ring) get(i int64) []byte {
	if i >= r.end || i < r.end-r.size {
		return nil
	}
	return r.frames[i%kept]
}

// put adds a frame unless newer ones are kept already.
func (r *ring) put(i int64, data []byte) {
	switch {
	case i < r.end:
		return
	case i > r.end:
		r.size = 0
	}
	r.frames[i%kept] = data
	r.end, r.size = i+1, min(r.size+1, kept)
}
