package followtest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// Relay is a relay in memory, for tests with a clock of their own: it makes an event each
// Every, and holds Before of them when it is first asked. It may lie about numbers.
type Relay struct {
	First  event.Seq // of the oldest event
	Before event.Seq // the newest one when it begins
	Most   event.Seq // the last one of all
	Every  time.Duration

	// Lies are false seqs that come behind a true one; of 0 they come before all that the
	// first connection sends. Each has every connection lie that gets there, else one.
	Lies map[event.Seq][]event.Seq
	Each bool
	// Cut closes the connection behind a lie. Silent sends nothing more behind one.
	Cut, Silent bool
	// Live answers a position above the newest event with what comes live, and not with
	// FutureCursor.
	Live bool
	// Chunk is how many frames come together; 1 where it is 0.
	Chunk int
	// Backoff is the pause between connections; a second where it is 0.
	Backoff time.Duration

	mu    sync.Mutex
	began time.Time
	told  map[event.Seq]bool
	asked []event.Position
}

// Open is what follow.Events is given.
func (r *Relay) Open(link func(event.Link)) (follow.Source, error) {
	return &source{Relay: r, link: link}, nil
}

// Asked are the positions that it was asked from.
func (r *Relay) Asked() []event.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// newest is the newest event now.
func (r *Relay) newest() event.Seq {
	if r.Every == 0 {
		return r.Most
	}
	return min(r.Most, r.Before+event.Seq(time.Since(r.began)/r.Every))
}

var errBroke = errors.New("the relay closed the connection")

type source struct {
	*Relay
	link func(event.Link)
}

func (s *source) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		for n := uint64(1); ctx.Err() == nil; n++ {
			from, err := resume(ctx)
			if err != nil {
				return
			}
			s.mu.Lock()
			if s.began.IsZero() {
				s.began, s.told = time.Now(), map[event.Seq]bool{}
			}
			s.asked = append(s.asked, from)
			s.mu.Unlock()
			s.link(event.Link{State: event.LinkUp, From: from})
			conn, hangup := context.WithCancelCause(ctx)
			c := &connection{source: s, n: n, closed: conn.Done(), hangup: hangup, yield: yield, going: true}
			c.play(from)
			hangup(errBroke)
			if !c.going {
				return
			}
			s.link(event.Link{State: event.LinkDown, Err: context.Cause(conn)})
			pause := s.Backoff
			if pause == 0 {
				pause = time.Second
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// connection is one that is open.
type connection struct {
	*source
	n      uint64
	closed <-chan struct{}
	hangup context.CancelCauseFunc
	yield  func(*event.Chunk, error) bool
	going  bool
	frames [][]byte
}

func (c *connection) play(from event.Position) {
	next := c.First
	switch newest := c.newest(); {
	case from.Start == event.Live:
		next = newest + 1
	case from.Start == event.After && from.Seq > newest && c.Live:
		next = newest + 1
	case from.Start == event.After && from.Seq > newest:
		c.add(errorFrame)
		c.flush()
		return
	case from.Start == event.After:
		next = max(next, from.Seq+1)
	}
	if c.lie(0) {
		return
	}
	for c.open() {
		for ; next <= c.newest(); next++ {
			if !c.open() {
				return
			}
			c.add(relaytest.Identity(next))
			if c.lie(next) {
				return
			}
		}
		c.flush()
		if next > c.Most {
			c.rest()
			return
		}
		select {
		case <-time.After(max(c.Every/2, time.Millisecond)):
		case <-c.closed:
		}
	}
}

// idle is after how long without an event a connection ends, as the source's do.
const idle = 3 * time.Second

// rest sends nothing more.
func (c *connection) rest() {
	select {
	case <-time.After(idle):
	case <-c.closed:
	}
}

// lie sends what is false behind a seq; true when the connection ends with it.
func (c *connection) lie(behind event.Seq) (ends bool) {
	lies := c.Lies[behind]
	if len(lies) == 0 || c.told[behind] && !c.Each {
		return false
	}
	c.told[behind] = true
	for _, seq := range lies {
		c.add(relaytest.Identity(seq))
	}
	if c.Cut || c.Silent {
		c.flush()
	}
	if c.Silent {
		c.rest()
	}
	return c.Cut || c.Silent
}

// open reports whether nobody has closed the connection.
func (c *connection) open() bool {
	select {
	case <-c.closed:
		return false
	default:
		return c.going
	}
}

func (c *connection) add(frame []byte) {
	if c.frames = append(c.frames, frame); len(c.frames) >= max(c.Chunk, 1) {
		c.flush()
	}
}

// flush hands over a chunk, whose memory is written over when it is released.
func (c *connection) flush() {
	if len(c.frames) == 0 || !c.open() {
		return
	}
	chunk := &event.Chunk{Arrived: time.Now(), Conn: c.n, Hangup: c.hangup, Buf: slices.Concat(c.frames...)}
	at := 0
	for _, data := range c.frames {
		chunk.Frames = append(chunk.Frames, event.Frame{Data: chunk.Buf[at : at+len(data)]})
		at += len(data)
	}
	chunk.Recycle = func(chunk *event.Chunk) {
		for i := range chunk.Buf {
			chunk.Buf[i] = 0xff
		}
	}
	c.frames = nil
	c.going = c.yield(chunk, nil)
}

// errorFrame says FutureCursor (F4).
var errorFrame = []byte("\xa1\x62op\x20\xa1\x65error\x6cFutureCursor")
