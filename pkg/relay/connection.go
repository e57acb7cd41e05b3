package relay

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
)

const (
	// hardLimit bounds an oversized message that is read only to be passed
	// over (C9): it costs time, not memory.
	hardLimit = 64 << 20
	// oversizeKept is how much of such a message is delivered.
	oversizeKept = 64 << 10
	// chunkRoom is how far a usual message reaches beyond the size of a chunk.
	chunkRoom = 64 << 10
	// minRead is the least room worth a read.
	minRead = 4 << 10
	// controlPatience bounds the write of a ping or pong.
	controlPatience = 5 * time.Second
	// goodbyePatience bounds the write of the close message.
	goodbyePatience = 250 * time.Millisecond
)

// connection reads one websocket connection on the ranging goroutine.
type connection struct {
	*following
	*line
	number     uint64
	hangup     func(error)
	discard    bool // pass oversized messages over
	chunk      *event.Chunk
	hasLarge   bool      // chunk has the large memory
	within     bool      // between the header and the end of a message
	overdue    time.Time // when whole frames are handed over although more of the next one is to come; zero while none wait
	alive      liveness
	brought    bool        // any message arrived whole
	handedOver atomic.Bool // the receiver has control, so nothing is read
}

func newConnection(f *following, l *line, from event.Position) *connection {
	c := &connection{following: f, line: l, number: f.conns.Add(1), discard: f.progress.discard()}
	c.alive = newLiveness(f.cfg.IdleTimeout, f.cfg.PingEvery, from)
	c.hangup = func(cause error) { l.wire.interrupt(&breach{cause: causeHangup, err: cause}) }
	c.wire.waiting = c.beforeWait
	limit := int64(f.cfg.MaxMessage)
	if c.discard {
		limit = hardLimit
	}
	c.ws.SetReadLimit(limit)
	return c
}

// follow reads until the connection ends, hands over what had arrived whole,
// and leaves neither goroutine nor socket behind.
func (c *connection) follow() *breach {
	var pinging sync.WaitGroup
	done := make(chan struct{})
	pinging.Go(func() { c.keepAlive(done) })
	// Deferred, because the receiver's loop body runs below and may panic.
	defer func() {
		close(done)
		c.sayGoodbye()
		pinging.Wait()
	}()

	b := c.breachOf(c.read())
	b.unfinished = c.within
	if b.cause != causeHangup && b.cause != causeStopped && !c.enough {
		_ = c.handOver()
	}
	c.recycleChunk()
	b.brought = c.brought
	return b
}

func (c *connection) breachOf(err error) *breach {
	if b := c.wire.interrupted(); b != nil {
		return &breach{cause: b.cause, err: b.err}
	}
	return broken(err)
}

// sayGoodbye closes the socket below TLS: the websocket close message has said
// what TLS would say, and TLS might wait for a peer that is gone.
func (c *connection) sayGoodbye() {
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(goodbyePatience))
	_ = c.wire.Close()
}

// read fills and hands over chunks until something fails.
func (c *connection) read() error {
	for c.wire.interrupted() == nil {
		c.within = false
		kind, message, err := c.ws.NextReader()
		if err != nil {
			return err
		}
		c.within = true
		if err := c.message(kind, message); err != nil {
			return err
		}
		if len(c.chunk.Frames) >= c.cfg.ChunkFrames || len(c.chunk.Buf) >= c.cfg.ChunkBytes {
			if err := c.handOver(); err != nil {
				return err
			}
		}
	}
	return errEnough // never seen: the interruption is the reason
}

// message appends one message to the chunk as a frame; a message that does not
// arrive whole leaves no trace.
func (c *connection) message(kind int, from io.Reader) error {
	c.openChunk()
	start := len(c.chunk.Buf)
	fault := event.ReasonNone
	if kind == websocket.TextMessage {
		fault = event.ReasonText
	}
	for {
		if !c.makeRoom(start) {
			return errEnough // never seen: the interruption is the reason
		}
		end := len(c.chunk.Buf)
		n, err := from.Read(c.chunk.Buf[end:cap(c.chunk.Buf)])
		c.chunk.Buf = c.chunk.Buf[:end+n]
		if c.discard && end+n-start > c.cfg.MaxMessage {
			fault = event.ReasonOversize
			c.chunk.Buf = c.chunk.Buf[:start+min(oversizeKept, c.cfg.MaxMessage)]
			_, err = io.Copy(io.Discard, from)
			if err == nil {
				err = io.EOF
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.chunk.Buf = c.chunk.Buf[:start]
			return err
		}
	}
	data := c.chunk.Buf[start:len(c.chunk.Buf):len(c.chunk.Buf)]
	c.chunk.Frames = append(c.chunk.Frames, event.Frame{Data: data, Fault: fault})
	c.brought = true
	return nil
}

// makeRoom grows the chunk's memory when it is nearly full; the message that is being
// read begins at start. Growth follows the bytes that came and never a declared length;
// frames already cut keep the old array. False means that the connection ended.
func (c *connection) makeRoom(start int) bool {
	buf := c.chunk.Buf
	if cap(buf)-len(buf) >= minRead {
		return true
	}
	// Once past a full chunk, one message is usually all that follows.
	if usual := c.cfg.ChunkBytes + chunkRoom; cap(buf) < usual {
		c.chunk.Buf = slices.Grow(buf, min(max(2*cap(buf), 16<<10), usual)-len(buf)+minRead)
		return true
	}
	// A large message gets what any may need, once: by doubling, what was outgrown
	// would take as much again. What precedes it is less than a chunk, so that every
	// large message fits.
	large, ok := c.await(c.large, max(c.cfg.largeMessage(), start+c.cfg.MaxMessage+minRead))
	if !ok {
		return false
	}
	c.chunk.Buf, c.chunk.Recycle, c.hasLarge = append(large, buf...), c.recycleLarge, true
	return true
}

// await takes memory of a lot, which may take as long as the receiver needs for the
// chunk that has it. False means that the connection ended.
func (c *connection) await(from lot, size int) (buf []byte, ok bool) {
	c.handedOver.Store(true)
	began := time.Now()
	buf, ok = from.take(size, c.wire.ended)
	c.alive.paused(time.Since(began))
	c.handedOver.Store(false)
	return buf, ok
}

// fitted is the chunk itself, or a copy of it where it would hand over far more
// memory than its frames need: whoever keeps it would keep that as well, and the next
// large message would wait for it. Nil means that the connection ended.
func (c *connection) fitted(chunk *event.Chunk) *event.Chunk {
	medium := c.cfg.largeMessage() / 2
	if !c.hasLarge || len(chunk.Buf) > max(medium, maxPooled) {
		return chunk
	}
	defer chunk.Release()
	var small *event.Chunk
	if len(chunk.Buf) <= maxPooled {
		small = c.newChunk()
		small.Buf = slices.Grow(small.Buf, len(chunk.Buf))
	} else if buf, ok := c.await(c.medium, medium); ok {
		small = &event.Chunk{Buf: buf, Recycle: c.recycleMedium}
	} else {
		return nil
	}
	small.Conn, small.Hangup, small.Arrived, small.Lull = chunk.Conn, chunk.Hangup, chunk.Arrived, chunk.Lull
	copyFrames(small, chunk.Frames)
	return small
}

// copyFrames appends frames to a chunk, which owns the copies.
func copyFrames(to *event.Chunk, frames []event.Frame) {
	for _, f := range frames {
		start := len(to.Buf)
		to.Buf = append(to.Buf, f.Data...)
		to.Frames = append(to.Frames, event.Frame{Data: to.Buf[start:len(to.Buf):len(to.Buf)], Fault: f.Fault})
	}
}

func (c *connection) openChunk() {
	if c.chunk != nil {
		if len(c.chunk.Frames) == 0 {
			c.chunk.Arrived = time.Now()
		}
		return
	}
	c.chunk = c.newChunk()
	c.chunk.Conn, c.chunk.Hangup, c.chunk.Arrived = c.number, c.hangup, time.Now()
}

// beforeWait runs when the reader is about to wait for the socket, and says until
// when it may. Between two messages that may take long, so what is there goes
// out first; within a message the rest is probably on its way, so what is there
// waits a moment for it.
func (c *connection) beforeWait() (until time.Time, err error) {
	now := time.Now()
	if c.wire.came {
		c.wire.came, c.alive.bytes = false, now
	}
	switch {
	case c.chunk == nil || len(c.chunk.Frames) == 0:
	case !c.within:
		c.chunk.Lull = c.cfg.Linger > 0
		if err := c.handOver(); err != nil {
			return until, err
		}
		c.wire.gather(c.cfg.Linger)
		now = time.Now()
	case c.overdue.IsZero():
		c.overdue = now.Add(partTime)
	case !now.Before(c.overdue):
		if err := c.handOverWhole(); err != nil {
			return until, err
		}
		now = time.Now()
	}
	if err := c.alive.expired(now); err != nil {
		return until, err
	}
	until = c.alive.deadline()
	if !c.overdue.IsZero() && (until.IsZero() || c.overdue.Before(until)) {
		until = c.overdue
	}
	return until, nil
}

// handOver yields the chunk if it holds frames.
func (c *connection) handOver() error {
	if c.chunk == nil || len(c.chunk.Frames) == 0 || c.wire.interrupted() != nil {
		return nil
	}
	chunk := c.fitted(c.chunk)
	c.chunk, c.hasLarge = nil, false
	if chunk == nil {
		return nil
	}
	return c.give(chunk)
}

// handOverWhole yields the frames in front of a message that is still arriving.
// They are copied, since the reader goes on writing into their chunk.
func (c *connection) handOverWhole() error {
	if c.wire.interrupted() != nil {
		return nil
	}
	whole, part := c.newChunk(), c.chunk
	whole.Conn, whole.Hangup, whole.Arrived = part.Conn, part.Hangup, part.Arrived
	copyFrames(whole, part.Frames)
	clear(part.Frames)
	part.Frames, part.Arrived = part.Frames[:0], time.Now()
	return c.give(whole)
}

// give yields the chunk and notes what it says of the relay's life.
func (c *connection) give(chunk *event.Chunk) error {
	c.overdue = time.Time{}
	c.alive.received(chunk.Frames)
	c.handedOver.Store(true)
	began := time.Now()
	more := c.yield(chunk, nil)
	c.alive.paused(time.Since(began))
	c.handedOver.Store(false)
	if !more {
		c.enough = true
		return errEnough
	}
	return nil
}

func (c *connection) recycleChunk() {
	if c.chunk != nil {
		c.chunk.Release()
		c.chunk, c.hasLarge = nil, false
	}
}

// keepAlive pings until done. While the receiver holds the reader, pings from
// the relay go unanswered, so it sends pongs of its own accord (C6). A failed
// write is left for the reader to notice.
func (c *connection) keepAlive(done <-chan struct{}) {
	ticker := time.NewTicker(c.cfg.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(controlPatience))
		if c.handedOver.Load() {
			_ = c.ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(controlPatience))
		}
	}
}
