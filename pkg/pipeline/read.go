package pipeline

import (
	"context"

	"github.com/fhctl/fhctl/pkg/event"
)

// work is one chunk on its way through the decoders, and what they made of it.
// It is reused, so that steady flow allocates nothing.
type work struct {
	chunk  *event.Chunk // nil once it is decoded: its memory goes back while it is in the cache
	from   event.Chunk  // all of chunk but the frames
	frames int          // in chunk
	bytes  int64        // of them
	marks  []mark       // one per frame
	data   []byte       // the entries' JSON and times, back to back
	ops    []op         // of all marks, back to back
	done   chan struct{}
	// barrier, when set, makes this no work at all but a question to the
	// sequencer: where are we, once everything before is accounted for?
	barrier chan event.Position
}

// read passes chunks from the source to the decoders and, in the same order,
// to the sequencer. Its error waits until what was read has been stored.
func (g *generation) read(ctx context.Context) error {
	defer g.endReading()
	for chunk, err := range g.cfg.Source.Frames(ctx, g.resume) {
		if err != nil {
			g.ended = err
			return nil
		}
		if !g.pass(ctx, chunk) {
			return nil
		}
	}
	select {
	case <-g.flowing: // what is put aside has been passed on
	case <-ctx.Done():
	}
	return nil
}

// submit waits for room and hands the chunk over; false means ctx ended.
func (g *generation) submit(ctx context.Context, chunk *event.Chunk) bool {
	w, here := g.newWork(chunk), chunk.Lull || g.cfg.Decoders == 1
	if g.room.Acquire(ctx, g.weight(w)) != nil {
		return false
	}
	g.queuedFrames.Add(int64(w.frames))
	g.queuedBytes.Add(w.bytes)
	if here {
		// The source rests after this one, so there is time to decode it
		// here: on a quiet stream waking a decoder costs more than that. And
		// a single decoder works best where the frames are in the cache.
		g.decoding.work(w, g.cfg.Filter.Keep)
	}
	select {
	case g.ordered <- w:
	case <-ctx.Done():
		return false
	}
	if here { // and the chunk is no longer ours to look at
		return true
	}
	select {
	case g.todo <- w:
		return true
	case <-ctx.Done():
		// The sequencer will wait for this chunk: say it has nothing.
		w.letGo()
		w.done <- struct{}{}
		return false
	}
}

// weight is what the work takes of the room, as if its frames were kept until
// they are sequenced; one chunk always fits.
func (g *generation) weight(w *work) int64 { return min(w.bytes, g.cfg.QueueBytes) }

func (g *generation) newWork(chunk *event.Chunk) (w *work) {
	select {
	case w = <-g.spare:
	default:
		w = &work{done: make(chan struct{}, 1)}
	}
	w.chunk, w.from, w.frames, w.bytes = chunk, *chunk, len(chunk.Frames), int64(len(chunk.Buf))
	w.from.Frames, w.from.Buf = nil, nil
	w.marks, w.data, w.ops = w.marks[:0], w.data[:0], w.ops[:0]
	return w
}

// letGo gives the chunk back to its source.
func (w *work) letGo() {
	w.chunk.Release()
	w.chunk = nil
}

// recycle gives the room back and keeps the work's memory, unless a giant frame
// swelled it.
func (g *generation) recycle(w *work) {
	g.queuedFrames.Add(-int64(w.frames))
	g.queuedBytes.Add(-w.bytes)
	g.room.Release(g.weight(w))
	if cap(w.data) > keepBytes {
		w.data = nil
	}
	select {
	case g.spare <- w:
	default:
	}
}

// resume answers the source's question where to connect: behind the last frame
// that was sequenced, once all are. While the run is held it waits, and fails
// with *event.Moved when the operator moved the cursor.
func (g *generation) resume(ctx context.Context) (event.Position, error) {
	if at, standing := g.standby.connect(); standing {
		return at, nil
	}
	w := &work{barrier: make(chan event.Position, 1)}
	select {
	case g.ordered <- w:
	case <-ctx.Done():
		return event.Position{}, ctx.Err()
	}
	select {
	case at := <-w.barrier:
		return at, g.waitHeld(ctx, at)
	case <-ctx.Done():
		return event.Position{}, ctx.Err()
	}
}
