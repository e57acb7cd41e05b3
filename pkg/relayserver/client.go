package relayserver

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
)

// remembered is how many sent frames repeat and regress can go back.
const remembered = 64

// controlPatience bounds the write of a ping, pong or close message.
const controlPatience = time.Second

// errEnded ends a connection as a fault or the log's end wants it.
var errEnded = errors.New("the connection has ended")

// client is one connection. Its run goroutine alone writes messages.
type client struct {
	*Server
	id uint64
	ws *websocket.Conn // set by open, under mu

	stalled atomic.Bool // no pings, no pongs
	wrote   atomic.Bool // since the last look
	pace    pace
	slow    time.Duration
	skip    int64
	past    [][]byte // the last frames sent, oldest first
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
	c.ws.SetPingHandler(func(data string) error {
		c.pings.Add(1)
		if c.stalled.Load() {
			return nil
		}
		return answer(data)
	})
	c.ws.SetPongHandler(func(string) error { c.pongs.Add(1); return nil })
	for {
		if _, _, err := c.ws.NextReader(); err != nil {
			return
		}
	}
}

func (c *client) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(c.cfg.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !c.wrote.Swap(false) && !c.stalled.Load() {
			_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(controlPatience))
		}
	}
}

// begin turns the cursor into the seq to stream after, saying what the
// dialect wants said (Q3 to Q6).
func (c *client) begin(ctx context.Context, hasCursor bool, cursor event.Seq) (event.Seq, error) {
	oldest, newest := c.cfg.Log.Bounds()
	switch {
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
		if err != nil || c.deliver(ctx, seq, frame) != nil {
			return
		}
		after = seq
	}
}

// finish sends a close message and gives the client a moment to answer:
// closing at once could take back what is still on its way.
func (c *client) finish(ctx context.Context, code int, text string) {
	message := websocket.FormatCloseMessage(code, text)
	_ = c.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(controlPatience))
	pause(ctx, controlPatience)
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
	pause(ctx, c.slow+c.pace.wait(c.cfg.Rate))
	if err := c.write(frame); err != nil {
		return err
	}
	c.mu.Lock()
	c.sent++
	c.mu.Unlock()
	if len(c.past) == remembered {
		c.past = append(c.past[:0], c.past[1:]...)
	}
	c.past = append(c.past, frame)
	return nil
}

func (c *client) write(frame []byte) error {
	c.wrote.Store(true)
	return c.ws.WriteMessage(websocket.BinaryMessage, frame)
}

// commit does what the fault asks; an error ends the connection.
func (c *client) commit(ctx context.Context, f *strike, frame []byte) error {
	switch f.Kind {
	case "drop":
		return errEnded
	case "reset":
		if tcp, ok := rawConn(c.ws).(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return errEnded
	case "cut":
		return c.cut(frame)
	case "stall":
		c.stalled.Store(true)
		pause(ctx, f.wait)
		c.stalled.Store(false)
	case "slow":
		c.slow = f.wait
	case "skip":
		c.skip += f.number
	case "repeat":
		return c.resend(f.number, int(f.number))
	case "regress":
		return c.resend(f.number, 1)
	case "close":
		c.finish(ctx, int(f.number), "")
		return errEnded
	case "http":
		c.Refuse(int(f.number), f.name)
		return errEnded
	default:
		return c.forge(ctx, f)
	}
	return nil
}

// forge sends a message that no log holds.
func (c *client) forge(ctx context.Context, f *strike) error {
	switch f.Kind {
	case "text":
		return c.ws.WriteMessage(websocket.TextMessage, []byte("this is not a frame"))
	case "empty":
		return c.write(nil)
	case "garbage":
		return c.write(garbage(f.number))
	case "oversize":
		return c.write(make([]byte, f.number))
	case "unknown":
		return c.write(typedFrame(f.name, map[string]any{}))
	case "info":
		return c.write(infoFrame(f.name))
	case "error":
		return c.fail(ctx, f.name, "Injected.")
	}
	return errEnded
}

// garbage is reproducible, and no CBOR map.
func garbage(n int64) []byte {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	data[0] = 0xff
	return data
}

// resend sends n of the remembered frames again, beginning with the one that
// lies back frames in the past.
func (c *client) resend(back int64, n int) error {
	from := max(0, len(c.past)-int(back))
	for _, frame := range c.past[from:min(from+n, len(c.past))] {
		if err := c.write(frame); err != nil {
			return err
		}
	}
	return nil
}

// cut sends the message's header and half of its bytes.
func (c *client) cut(frame []byte) error {
	const final, binaryMessage, short, medium, long = 0x80, 0x02, 125, 126, 127
	part := []byte{final | binaryMessage}
	switch n := len(frame); {
	case n <= short:
		part = append(part, byte(n))
	case n <= math.MaxUint16:
		part = binary.BigEndian.AppendUint16(append(part, medium), uint16(n))
	default:
		part = binary.BigEndian.AppendUint64(append(part, long), uint64(n))
	}
	_, _ = c.ws.NetConn().Write(append(part, frame[:len(frame)/2]...))
	return errEnded
}

// fail sends an error frame and closes (F4).
func (c *client) fail(ctx context.Context, name, message string) error {
	frame := joined(map[string]any{"op": -1}, map[string]any{"error": name, "message": message})
	if err := c.write(frame); err != nil {
		return err
	}
	c.finish(ctx, websocket.ClosePolicyViolation, name)
	return errEnded
}

func infoFrame(name string) []byte {
	return typedFrame("#info", map[string]any{"name": name, "message": "Injected."})
}

func typedFrame(name string, payload map[string]any) []byte {
	return joined(map[string]any{"op": 1, "t": name}, payload)
}

// joined is one message of two CBOR maps (F1). Marshal fails only on types
// that are not used here.
func joined(header, payload map[string]any) []byte {
	head, _ := dagcbor.Marshal(header)
	body, _ := dagcbor.Marshal(payload)
	return append(head, body...)
}

// pace spreads frames evenly. A pause longer than maxBehind is not made up for.
type pace struct{ next time.Time }

const maxBehind = 100 * time.Millisecond

func (p *pace) wait(rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	now := time.Now()
	if p.next.Before(now.Add(-maxBehind)) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(time.Second) / rate))
	// Timers are coarser than fast rates: sleep in runs.
	if early := p.next.Sub(now); early > 2*time.Millisecond {
		return early
	}
	return 0
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
