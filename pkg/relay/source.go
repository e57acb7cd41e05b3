package relay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Source follows one relay. It may be ranged over again after an iterator has
// ended, but by one goroutine at a time.
type Source struct {
	cfg     Config
	dialTCP func(ctx context.Context, network, addr string) (net.Conn, error)
	conns   atomic.Uint64
	free    chan *event.Chunk
	kept    atomic.Int64 // bytes of memory in free
	// large is memory in which any message has room, medium half of that. There is one
	// of each, whatever comes, and whoever needs it waits until the chunk that has it was
	// released. since counts the usual chunks since one was.
	large, medium lot
	since         atomic.Int64

	// Only the ranging goroutine touches these.
	succeeded bool // some dial did
	refusals  int  // final answers since the last one that did
}

// New makes a source; it dials nothing yet.
func New(cfg Config) *Source {
	cfg = cfg.withDefaults()
	return &Source{
		cfg:     cfg,
		dialTCP: cfg.Dial,
		free:    make(chan *event.Chunk, maxFree),
		large:   newLot(),
		medium:  newLot(),
	}
}

// Frames yields what the relay sends until ctx ends, the caller stops ranging
// or an error occurs that no retry repairs; that error is the last value yielded
// and its chunk is nil. Ending ctx is not an error.
//
// Before every dial Frames calls resume, which may block until the frames
// already yielded are accounted for, and dials from the position it returns.
// Its error ends the iterator.
//
// The caller owns each chunk and gives it back with Release. Until it has, no second
// message of some megabytes is read: there is memory for one. Chunk.Conn rises
// by one per connection, also across iterators. Messages that are empty arrive
// as empty frames; text messages and, from the third meeting at one position
// on, oversized ones as frames with a Fault.
func (s *Source) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		f := &following{Source: s, resume: resume, yield: yield}
		if err := f.run(ctx); err != nil {
			yield(nil, err)
		}
	}
}

// following is one iterator at work.
type following struct {
	*Source
	resume   func(context.Context) (event.Position, error)
	yield    func(*event.Chunk, error) bool
	progress progress
	enough   bool // yield returned false
}

func (f *following) run(ctx context.Context) error {
	var last *breach
	for {
		pos, err := f.nextPosition(ctx, last)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		jitter := f.cfg.Jitter()
		last = f.connect(ctx, pos)
		if f.enough || fault.Ended(ctx) != nil {
			f.notify(event.Link{State: event.LinkDown, From: pos, Cause: causeStopped, URL: f.cfg.Endpoint.String()})
			return nil
		}
		f.survive(last, pos)
		attempt := f.progress.attempt
		if last.brought || last.cause == causeIdle { // which took its time already
			attempt = 1
		}
		delay := max(last.wait, backoff(attempt, f.cfg.BackoffMin, f.cfg.BackoffMax, jitter))
		if last.final || errors.Is(last.err, event.ErrTakeOver) {
			delay = 0
		}
		f.notify(event.Link{State: event.LinkDown, URL: f.cfg.Endpoint.String(), From: pos, Err: last.err, Cause: last.cause, Retry: delay})
		if last.final {
			return last.err
		}
		_ = wait.For(ctx, delay)
	}
}

// survive makes a final breach a passing one when this source was connected
// before: what served the stream once is probably being repaired, and ending
// would make a supervisor start us into the same answer again and again. It is
// asked again slowly, and an operator hears of it once.
func (f *following) survive(b *breach, pos event.Position) {
	if !b.final || !f.succeeded {
		return
	}
	b.final = false
	b.wait = min(refusedWaitMin<<min(f.refusals, 8), refusedWaitMax)
	if f.refusals++; f.refusals == 1 {
		f.cfg.Alarm(event.AlarmRefused, pos.Seq, b.err.Error())
	}
}

// nextPosition asks where to go on, after the delay that the last breach
// called for: the position may have moved meanwhile.
func (f *following) nextPosition(ctx context.Context, last *breach) (event.Position, error) {
	pos, err := f.resume(ctx)
	if err != nil {
		return pos, fmt.Errorf("resume relay: %w", err)
	}
	before := f.progress.attempt
	advanced := f.progress.dialing(pos, last)
	if last == nil {
		return pos, nil
	}
	if f.progress.stuck(last) {
		f.cfg.Alarm(event.AlarmRepeatedClose, pos.Seq, last.err.Error())
	}
	// Frames came but moved nothing, so the short delay was too kind.
	if last.brought && !advanced && last.cause != causeIdle {
		full := backoff(before, f.cfg.BackoffMin, f.cfg.BackoffMax, f.cfg.Jitter())
		_ = wait.For(ctx, full-f.cfg.BackoffMin)
	}
	return pos, nil
}

// connect dials and reads until the connection ends; it never returns nil.
func (f *following) connect(ctx context.Context, pos event.Position) *breach {
	state := event.Link{State: event.LinkDialing, URL: f.cfg.Endpoint.String(), From: pos}
	f.notify(state)
	l, b := f.dial(ctx, pos)
	if b != nil {
		return b
	}
	f.succeeded, f.refusals = true, 0
	state.State, state.URL, state.Via = event.LinkUp, l.url, l.via
	f.notify(state)
	c := newConnection(f, l, pos)
	defer context.AfterFunc(ctx, func() { l.wire.interrupt(&breach{cause: causeStopped, err: context.Cause(ctx)}) })()
	return c.follow()
}

// notify fills in what every report carries.
func (f *following) notify(link event.Link) {
	link.Attempt = f.progress.attempt
	f.cfg.Notify(link)
}

const (
	refusedWaitMin = 10 * time.Second
	refusedWaitMax = time.Minute
	// maxPooled is the memory a chunk may keep for reuse, in bytes.
	maxPooled = 1 << 20
	// maxFree is how many released chunks are kept: more than decoders have in
	// hand at a time. A chunk is released once it is decoded, so that what is
	// kept here comes on top of what the queue holds. They are of the usual size,
	// or fewer.
	maxFree = 12
	// largeKept is after how many chunks of usual messages the memory of a
	// large one is given up.
	largeKept = 100
)

func (s *Source) newChunk() *event.Chunk {
	select {
	case c := <-s.free:
		s.kept.Add(-int64(cap(c.Buf)))
		return c
	default:
		return &event.Chunk{Recycle: s.recycle}
	}
}

func (s *Source) recycle(c *event.Chunk) {
	if cap(c.Buf) > maxPooled {
		return
	}
	if s.since.Add(1) == largeKept {
		s.large.forget()
		s.medium.forget()
	}
	// A frame may point into memory that Buf has outgrown.
	clear(c.Frames)
	c.Reset()
	size := int64(cap(c.Buf))
	if s.kept.Add(size) <= int64(maxFree*(s.cfg.ChunkBytes+chunkRoom)) {
		select {
		case s.free <- c:
			return
		default:
		}
	}
	s.kept.Add(-size)
}

// recycleLarge takes back a chunk that has the large memory.
func (s *Source) recycleLarge(c *event.Chunk) {
	s.since.Store(0)
	s.large.give(c.Buf)
}

// recycleMedium takes back a chunk that has the medium memory.
func (s *Source) recycleMedium(c *event.Chunk) {
	s.since.Store(0)
	s.medium.give(c.Buf)
}

var errEnough = errors.New("the receiver wants no more")
