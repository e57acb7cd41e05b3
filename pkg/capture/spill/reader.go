package spill

import (
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

const (
	chunkFrames = 512
	chunkBytes  = 128 << 10
	chunksKept  = 32 // for reuse
)

// chunks are those that were given back.
type chunks chan *event.Chunk

func (free chunks) get() *event.Chunk {
	select {
	case c := <-free:
		return c
	default:
		return &event.Chunk{Recycle: free.put, Buf: make([]byte, 0, chunkBytes+chunkBytes/4)}
	}
}

func (free chunks) put(c *event.Chunk) {
	if cap(c.Buf) > 4*chunkBytes {
		return // swollen by a giant frame
	}
	clear(c.Frames)
	c.Reset()
	select {
	case free <- c:
	default:
	}
}

// segmentReader reads the frames of a segment above a seq.
type segmentReader struct {
	in      *capture.Reader
	after   event.Seq
	flowing bool // a frame above after has come: all that follow do
}

// openSegment begins to read; a file that cannot be read yields nothing.
func openSegment(s *segment, after event.Seq, log *slog.Logger) *segmentReader {
	in, err := capture.Open(s.path)
	if err != nil {
		log.Error("Cannot read spilled frames", "file", s.path, "err", err)
	}
	return &segmentReader{in: in, after: after, flowing: s.prev >= after}
}

// chunk is the next run of frames; nil at the end, or where the file is damaged.
func (r *segmentReader) chunk(free chunks) *event.Chunk {
	if r.in == nil {
		return nil
	}
	c := free.get()
	c.Arrived = time.Now()
	for len(c.Frames) < chunkFrames && len(c.Buf) < chunkBytes {
		data, err := r.in.Next()
		if err != nil {
			break // the end, damage, or a disk that fails: what is missing shows by the seq
		}
		if !r.flowing {
			seq, ok := frame.PeekSeq(data)
			if !ok || seq <= r.after {
				continue
			}
			r.flowing = true
		}
		start := len(c.Buf)
		c.Buf = append(c.Buf, data...)
		c.Frames = append(c.Frames, event.Frame{Data: c.Buf[start:len(c.Buf):len(c.Buf)]})
	}
	if len(c.Frames) == 0 {
		c.Release()
		return nil
	}
	return c
}

func (r *segmentReader) close() {
	if r.in != nil {
		_ = r.in.Close()
		r.in = nil
	}
}
