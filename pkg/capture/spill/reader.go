package spill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

const (
	chunkFrames = 512
	chunkBytes  = 128 << 10
	chunksKept  = 8 // for reuse
)

// giantChunk is above which memory a chunk holds a giant frame, in bytes.
const giantChunk = 1 << 20

// chunks are those that were given back. A chunk with a giant frame has memory of which
// there is one, from here until the receiver has given it back: what the upstream and the
// disk have more of waits.
type chunks struct {
	usual chan *event.Chunk
	giant chan []byte // holds something while nobody has it; nil until it is made
	wake  func()      // when somebody gave it back
	since int         // chunks without a giant frame since one had it
}

func newChunks(wake func()) chunks {
	free := chunks{usual: make(chan *event.Chunk, chunksKept), giant: make(chan []byte, 1), wake: wake}
	free.giant <- nil
	return free
}

func (free *chunks) get() *event.Chunk {
	select {
	case c := <-free.usual:
		return c
	default:
		return &event.Chunk{Recycle: free.put, Buf: make([]byte, 0, chunkBytes+chunkBytes/4)}
	}
}

func (free *chunks) put(c *event.Chunk) {
	if cap(c.Buf) > 4*chunkBytes {
		return // swollen by a large frame
	}
	clear(c.Frames)
	c.Reset()
	select {
	case free.usual <- c:
	default:
	}
}

// memory is that for a giant frame; nil while somebody has it.
func (free *chunks) memory() []byte {
	select {
	case buf := <-free.giant:
		if free.since = 0; buf == nil {
			buf = make([]byte, 0, block.MaxUnpacked)
		}
		return buf
	default:
		return nil
	}
}

// lent makes a chunk of data in memory, which comes back with it.
func (free *chunks) lent(c *event.Chunk, memory, data []byte) *event.Chunk {
	c.Buf = data[:len(data):len(data)]
	c.Recycle = func(*event.Chunk) {
		free.giant <- memory[:0]
		free.wake()
	}
	return c
}

// copied is a copy of a chunk in memory for a giant frame: what the source used for it is
// needed for the next one. Nil while there is none.
func (free *chunks) copied(from *event.Chunk) *event.Chunk {
	memory := free.memory()
	if memory == nil {
		return nil
	}
	c := *from
	c.Frames, c.Buf = make([]event.Frame, 0, len(from.Frames)), memory
	for _, f := range from.Frames {
		start := len(c.Buf)
		c.Buf = append(c.Buf, f.Data...)
		c.Frames = append(c.Frames, event.Frame{Data: c.Buf[start:len(c.Buf):len(c.Buf)], Fault: f.Fault})
	}
	return free.lent(&c, memory, c.Buf)
}

// giantKept is for how many usual chunks the memory of a giant frame is kept: where one
// came more will.
const giantKept = 100

// passed notes a usual chunk.
func (free *chunks) passed() {
	if free.since++; free.since == giantKept {
		free.forget()
	}
}

// forget lets go of what giant frames needed.
func (free *chunks) forget() {
	select {
	case <-free.giant:
		free.giant <- nil
	default:
	}
}

// isOld reports whether an earlier version wrote the file.
func isOld(f file) bool {
	var head [8]byte
	_, err := f.ReadAt(head[:], 0)
	return err == nil && block.Begins(head[:]) == block.Zstd
}

// segmentReader reads the frames of a segment above a seq, each block after it
// was checked.
type segmentReader struct {
	*block.Walker
	file    file
	first   int64           // where the segment begins
	old     *capture.Reader // of a file without blocks
	after   event.Seq
	flowing bool // a frame above after has come: all that follow do
	rest    []byte
	giant   []byte // a frame that has a chunk of its own, the next one
	err     error  // what is wrong with the file; nil at its end
}

// openSegment begins to read; what keeps it from that is in err.
func openSegment(dir folder, s *segment, after event.Seq) *segmentReader {
	// Frames without a seq at its beginning, such as an error of the relay, are
	// handed on once: they may be why the receiver asked anew, and would be again.
	r := &segmentReader{after: after, flowing: s.prev >= after && !s.begun, first: s.from}
	f, err := dir.open(s.name)
	if err != nil {
		r.err = err
		return r
	}
	r.file, r.Walker = f, &block.Walker{File: f, Offset: s.from, End: s.from - block.HeaderSize + s.size, Prev: s.prev, Unpacker: block.NewUnpacker()}
	if s.from == block.HeaderSize {
		r.err = r.begin(s)
	}
	return r
}

// begin checks the header, or the whole file where it has none.
func (r *segmentReader) begin(s *segment) (err error) {
	if isOld(r.file) {
		if err := checkOld(r.file, s); err != nil {
			return err
		}
		r.old, err = capture.NewReader(io.NewSectionReader(r.file, 0, s.size))
		return err
	}
	var head [block.HeaderSize]byte
	if err := r.Fill(head[:], 0); err != nil {
		return err
	}
	tag, size, err := block.Head(head[:block.HeadSize])
	if block.Begins(head[:]) != block.Ours || err != nil || tag != block.TagHeader {
		return errors.Join(errors.New("its header is damaged"), err)
	}
	return block.ParseHeader(head[block.HeadSize : block.HeadSize+size])
}

// checkOld reads a file of an earlier version to its end, where the one checksum
// is that it has.
func checkOld(f file, s *segment) error {
	in, err := capture.NewReader(io.NewSectionReader(f, 0, s.size))
	if err != nil {
		return err
	}
	defer in.Close()
	last := event.Seq(0)
	for data, err := range in.Frames() {
		if err != nil {
			return err
		}
		if seq, ok := frame.PeekSeq(data); ok {
			last = max(last, seq)
		}
	}
	if last != s.last {
		return fmt.Errorf("it reaches to seq %s, and its name says %s", last, s.last)
	}
	return nil
}

// chunk is the next run of frames; nil at the end, where the file is damaged, and while
// there is no memory for a giant frame: then wait is true.
func (r *segmentReader) chunk(free *chunks) (c *event.Chunk, wait bool) {
	if r.giant == nil && r.err == nil {
		if c, wait = r.usual(free); c != nil || wait {
			return c, wait
		}
	}
	if r.giant == nil {
		return nil, false
	}
	if c = r.alone(r.giant, free); c == nil {
		return nil, true
	}
	r.giant = nil
	return c, false
}

// usual is the next run of frames up to a giant one, nil where there are none.
func (r *segmentReader) usual(free *chunks) (c *event.Chunk, wait bool) {
	c = free.get()
	c.Arrived = time.Now()
	for len(c.Frames) < chunkFrames && len(c.Buf) < chunkBytes {
		data, err := r.frame()
		if wait = errors.Is(err, block.ErrNoMemory); wait {
			break
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			break
		}
		if !r.flowing {
			seq, ok := frame.PeekSeq(data)
			if !ok || seq <= r.after {
				continue
			}
			r.flowing = true
		}
		if len(data) > block.MaxSize {
			r.giant = data
			break
		}
		start := len(c.Buf)
		c.Buf = append(c.Buf, data...)
		c.Frames = append(c.Frames, event.Frame{Data: c.Buf[start:len(c.Buf):len(c.Buf)]})
	}
	if len(c.Frames) == 0 {
		c.Release()
		return nil, wait
	}
	free.passed()
	return c, false
}

// alone is a chunk of one giant frame; nil while there is no memory for it. It is usually
// in that already, the last of its block.
func (r *segmentReader) alone(data []byte, free *chunks) *event.Chunk {
	c := &event.Chunk{Arrived: time.Now()}
	switch unpacked := r.old == nil && r.Unpacker.InGiant(); {
	case unpacked && len(r.rest) == 0:
		free.lent(c, r.Unpacker.Detach(), data)
	case unpacked: // what follows is in it as well
		c.Buf = bytes.Clone(data)
	default:
		memory := free.memory()
		if memory == nil {
			return nil
		}
		free.lent(c, memory, append(memory, data...))
	}
	c.Frames = []event.Frame{{Data: c.Buf}}
	return c
}

// frame is the next frame; it is good until the next call.
func (r *segmentReader) frame() (data []byte, err error) {
	if r.old != nil {
		return r.old.Next()
	}
	for len(r.rest) == 0 {
		if r.rest, err = r.Walker.Next(); err != nil {
			return nil, err
		}
	}
	n := 4 + int(binary.LittleEndian.Uint32(r.rest))
	data, r.rest = r.rest[4:n], r.rest[n:]
	return data, nil
}

// split is the rest of the segment behind damage, if there is a sound block; it
// is a segment of its own.
func (r *segmentReader) split(s *segment) *segment {
	if r.Walker == nil || r.old != nil {
		return nil
	}
	off, d, ok := r.Beyond(r.Offset)
	if !ok {
		return nil
	}
	rest := &segment{number: s.number, prev: d.After, last: s.last, name: s.name, from: off}
	rest.size = r.End - off + block.HeaderSize
	return rest
}

// position is how much of the segment was read, as segments measure it.
func (r *segmentReader) position() int64 {
	if r.Walker == nil {
		return 0
	}
	return r.Offset - r.first + block.HeaderSize
}

func (r *segmentReader) close(free *chunks) {
	if r.Walker == nil {
		return
	}
	if r.old != nil {
		_ = r.old.Close()
	}
	if memory := r.Unpacker.Detach(); memory != nil {
		free.giant <- memory[:0]
	}
	r.Unpacker.Close()
	_ = r.file.Close()
	r.Walker = nil
}
