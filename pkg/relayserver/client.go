package relayserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/event"
	codec "github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/wait"
)

// remembered is how many sent frames repeat and regress can go back.
const remembered = 64

// rememberedBytes bounds them where no fault is expected.
const rememberedBytes = 1 << 20

// controlPatience bounds the write of a ping, pong or close message.
const controlPatience = time.Second

// errEnded ends a connection as a fault or the log's end wants it.
var errEnded = errors.New("the connection has ended")

// client is one connection. Its run goroutine alone writes messages.
type client struct {
	*Server
	id uint64
	ws *websocket.Conn // set by open, under mu

	stalled  atomic.Bool  // no pings, no pongs
	wrote    atomic.Bool  // since the last look
	lastRead atomic.Int64 // when something came from the client last, in Unix nanoseconds
	closing  atomic.Bool  // the server said goodbye first
	pace     pace
	spacing  pace
	slow     time.Duration
	skip     int64
	retimed  string   // what the next frame says of its time; empty is what it says
	past     [][]byte // the last frames sent, oldest first
}

func (c *client) open(ws *websocket.Conn) {
	c.mu.Lock()
	c.ws = ws
	late := c.closed
	c.mu.Unlock()
	if late {
		c.end(0)
	}
}

// end closes the connection, with a close message unless code is 0. It may be
// called from any goroutine.
func (c *client) end(code int) {
	c.mu.Lock()
	ws := c.ws
	c.mu.Unlock()
	if ws == nil {
		return
	}
	if code != 0 {
		c.closing.Store(true)
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(controlPatience))
	}
	_ = rawConn(ws).Close()
}

func rawConn(ws *websocket.Conn) net.Conn {
	if secure, ok := ws.NetConn().(*tls.Conn); ok {
		return secure.NetConn()
	}
	return ws.NetConn()
}

// run serves the connection until it ends.
func (c *client) run(hasCursor bool, cursor event.Seq) {
	ctx, cancel := context.WithCancel(c.ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		defer cancel()
		c.listen()
	})
	after, err := c.begin(ctx, hasCursor, cursor)
	if err == nil {
		beside.Go(func() { c.keepAlive(ctx) })
		c.stream(ctx, after)
	}
	cancel()
	c.end(0)
	beside.Wait()
}

// listen reads what clients send: control messages.
func (c *client) listen() {
	answer := c.ws.PingHandler()
	c.ws.SetReadLimit(maxMessage)
	c.live()
	c.ws.SetPingHandler(func(data string) error {
		c.pings.Add(1)
		c.live()
		if c.stalled.Load() {
			return nil
		}
		return answer(data)
	})
	c.ws.SetPongHandler(func(string) error { c.pongs.Add(1); c.live(); return nil })
	var err error
	for err == nil {
		if _, _, err = c.ws.NextReader(); err == nil {
			c.live()
		}
	}
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) && !c.closing.Load() {
		c.goodbyes.Add(1)
	}
}

// live gives the client another IdleTimeout. A stalled connection stays, since
// its client cannot be heard.
func (c *client) live() {
	c.lastRead.Store(time.Now().UnixNano())
	if !c.stalled.Load() {
		_ = c.ws.SetReadDeadline(time.Now().Add(c.cfg.IdleTimeout))
	}
}

func (c *client) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(min(c.cfg.PingEvery, c.cfg.IdleTimeout/3))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		silent := time.Since(time.Unix(0, c.lastRead.Load())) >= c.cfg.IdleTimeout/3
		if (!c.wrote.Swap(false) || silent) && !c.stalled.Load() {
			_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(controlPatience))
		}
	}
}

// begin turns the cursor into the seq to stream after, saying what the
// dialect wants said (Q3 to Q6).
func (c *client) begin(ctx context.Context, hasCursor bool, cursor event.Seq) (event.Seq, error) {
	if log, ok := c.cfg.Log.(Reacher); ok && hasCursor {
		log.Reach(cursor)
	}
	oldest, newest := c.cfg.Log.Bounds()
	switch {
	case !hasCursor && c.cfg.Whole:
		return 0, nil
	case !hasCursor:
		return newest, nil
	case cursor == 0:
		return 0, nil
	case cursor > newest && c.cfg.FutureGoesLive:
		return newest, nil
	case cursor > newest:
		return 0, c.fail(ctx, "FutureCursor", "Cursor in the future.")
	case cursor+1 < oldest && !c.cfg.OutdatedIsSilent:
		if err := c.write(infoFrame("OutdatedCursor")); err != nil {
			return 0, err
		}
	}
	if c.cfg.Inclusive {
		return cursor - 1, nil
	}
	return cursor, nil
}

// stream sends the log's frames above after, and faults as they fall due.
func (c *client) stream(ctx context.Context, after event.Seq) {
	for {
		seq, frame, err := c.cfg.Log.Next(ctx, after)
		if errors.Is(err, io.EOF) && !c.cfg.EndOnEOF {
			<-ctx.Done()
			return
		}
		if errors.Is(err, io.EOF) {
			c.finish(ctx, websocket.CloseNormalClosure, "")
			return
		}
		if err != nil {
			if ctx.Err() == nil && c.cfg.Failed != nil {
				c.failure.Do(func() { c.cfg.Failed(err) })
				if !c.cfg.EndOnFailure {
					<-ctx.Done()
					return
				}
				c.finish(ctx, websocket.CloseInternalServerErr, "")
			}
			return
		}
		if c.deliver(ctx, seq, frame) != nil {
			return
		}
		after = seq
	}
}

// finish sends a close message and gives the client a moment to answer:
// closing at once could take back what is still on its way.
func (c *client) finish(ctx context.Context, code int, text string) {
	c.closing.Store(true)
	message := websocket.FormatCloseMessage(code, text)
	_ = c.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(controlPatience))
	_ = wait.For(ctx, controlPatience)
}

func (c *client) deliver(ctx context.Context, seq event.Seq, frame []byte) error {
	for _, fault := range c.due(c.id) {
		if err := c.commit(ctx, fault, frame); err != nil {
			return err
		}
	}
	if c.skip > 0 {
		c.skip--
		c.mu.Lock()
		c.skipped = append(c.skipped, seq)
		c.mu.Unlock()
		return nil
	}
	if c.retimed != "" {
		if changed, ok := codec.SetTime(nil, frame, c.retimed); ok {
			frame = changed
		}
		c.retimed = ""
	}
	_ = wait.For(ctx, max(c.slow+c.pace.wait(c.cfg.Rate), c.spaced(frame)))
	if err := c.write(frame); err != nil {
		return err
	}
	c.mu.Lock()
	c.sent++
	c.mu.Unlock()
	c.remember(frame)
	return nil
}

// remember keeps the frames sent last, for faults that tests commit and for Delay. Where
// neither needs them, large ones are let go: each client would keep up to 64 messages of
// five megabytes.
func (c *client) remember(frame []byte) {
	least := 0
	switch {
	case c.faulty():
		least = remembered
	case c.cfg.Delay != nil:
		least = 1
	}
	c.past = append(c.past, frame)
	size, from := 0, len(c.past)
	for from > 0 && len(c.past)-from < remembered && (len(c.past)-from < least || size+len(c.past[from-1]) <= rememberedBytes) {
		from--
		size += len(c.past[from])
	}
	c.past = slices.Delete(c.past, 0, from)
}

// faulty reports whether any fault may still fall due.
func (c *client) faulty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.strikes) > 0
}

// spaced is how long the frame must wait behind the one sent last.
func (c *client) spaced(frame []byte) time.Duration {
	if c.cfg.Delay == nil || len(c.past) == 0 {
		return 0
	}
	return c.spacing.after(c.cfg.Delay(c.past[len(c.past)-1], frame))
}

func (c *client) write(frame []byte) error {
	c.wrote.Store(true)
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout))
	return c.ws.WriteMessage(websocket.BinaryMessage, frame)
}

// pace spreads frames evenly. A pause longer than maxBehind is not made up for.
type pace struct{ next time.Time }

const maxBehind = 100 * time.Millisecond

func (p *pace) wait(rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return p.after(time.Duration(float64(time.Second) / rate))
}

// after is how long to wait so that step lies between this frame and the last.
func (p *pace) after(step time.Duration) time.Duration {
	now := time.Now()
	if p.next.Before(now.Add(-maxBehind)) {
		p.next = now
	}
	p.next = p.next.Add(step)
	// Timers are coarser than fast rates: sleep in runs.
	if early := p.next.Sub(now); early > 2*time.Millisecond {
		return early
	}
	return 0
}
