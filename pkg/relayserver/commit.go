package relayserver

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	codec "github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/wait"
)

// commit does what the fault asks; an error ends the connection.
func (c *client) commit(ctx context.Context, f *strike, frame []byte) error {
	switch f.Kind {
	case "drop":
		return errEnded
	case "reset":
		if tcp, ok := rawConn(c.ws).(interface{ SetLinger(int) error }); ok {
			_ = tcp.SetLinger(0)
		}
		return errEnded
	case "cut":
		return c.cut(frame)
	case "stall":
		c.stalled.Store(true)
		_ = c.ws.SetReadDeadline(time.Time{})
		_ = wait.For(ctx, f.wait)
		c.stalled.Store(false)
		c.live()
	case "mute":
		return c.every(ctx, 100*time.Millisecond, f.wait, func() error { return c.write(infoFrame("Mute")) })
	case "endless":
		return c.endless(ctx, f.wait)
	case "slow":
		c.slow = f.wait
	case "time":
		c.retimed = f.name
	case "leap", "ahead":
		return c.leap(frame, f.number)
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
		_ = c.ws.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout))
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
		return c.fail(ctx, f.name, "a message a relay could send")
	}
	return errEnded
}

// leap sends a copy of the frame whose seq is higher by so much, or the highest.
func (c *client) leap(frame []byte, by int64) error {
	seq, _ := codec.PeekSeq(frame)
	if seq += event.Seq(by); by == 0 || seq > event.MaxSeq {
		seq = event.MaxSeq
	}
	copied, ok := codec.SetSeq(nil, frame, seq)
	if !ok {
		return nil // it has no seq that could leap
	}
	return c.write(copied)
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

// endless sends the beginning of a message and then parts of it that are empty.
func (c *client) endless(ctx context.Context, wait time.Duration) error {
	const binaryMessage, continuation = 0x02, 0x00
	if _, err := c.ws.NetConn().Write([]byte{binaryMessage, 1, 0xa1}); err != nil {
		return err
	}
	_ = c.every(ctx, 10*time.Millisecond, wait, func() error {
		_, err := c.ws.NetConn().Write([]byte{continuation, 0})
		return err
	})
	return errEnded
}

// every does something again and again for a time, or until it fails.
func (c *client) every(ctx context.Context, step, patience time.Duration, do func() error) error {
	for until := time.Now().Add(patience); time.Now().Before(until) && ctx.Err() == nil; _ = wait.For(ctx, step) {
		if err := do(); err != nil {
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
	return typedFrame("#info", map[string]any{"name": name, "message": "a message a relay could send"})
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
