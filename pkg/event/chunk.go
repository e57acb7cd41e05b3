package event

import "time"

// Frame is one WebSocket message as it arrived.
type Frame struct {
	Data []byte
	// Fault is set by a source that could not deliver the message whole:
	// ReasonText, ReasonOversize (Data is then a prefix), else ReasonNone.
	Fault Reason
}

// Chunk is a run of consecutive frames of one connection, handed from a source
// to a pipeline as a unit so that a frame costs no channel operation of its
// own. The receiver owns the chunk until it calls Release.
type Chunk struct {
	Frames []Frame
	// Buf is the memory Frames point into; the source manages it.
	Buf []byte
	// Arrived is when the first frame was read.
	Arrived time.Time
	// Lull: nothing more had come, and the source looks again only after a
	// while. What is here need not wait for company.
	Lull bool
	// Conn numbers the connection, rising by one each time a source
	// connects. All frames of a chunk came on one connection.
	Conn uint64
	// Judged: the source has doubted leaps of the numbers itself (Tracker), and no
	// frame here is in doubt any more.
	Judged bool
	// Hangup closes that connection with a cause, so that the source
	// reconnects from the position it is then given. It may be called from
	// any goroutine, more than once, and after the connection is gone.
	Hangup func(cause error)
	// Recycle takes the chunk back; set by the source, may be nil.
	Recycle func(*Chunk)
}

// Reset empties the chunk and keeps its memory.
func (c *Chunk) Reset() {
	c.Frames, c.Buf = c.Frames[:0], c.Buf[:0]
	c.Lull, c.Judged, c.Conn, c.Hangup = false, false, 0, nil
}

// Release returns the chunk to its source. Frames must not be read after it.
func (c *Chunk) Release() {
	if c.Recycle != nil {
		c.Recycle(c)
	}
}
