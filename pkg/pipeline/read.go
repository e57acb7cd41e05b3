package pipeline

import (
	"context"

	"github.com/fhctl/fhctl/pkg/event"
)

// work is one chunk on its way through the decoders, and what they made of it.
// It is reused, so that steady flow allocates nothing.
type work struct {
	chunk *event.Chunk
	marks []mark // one per frame
	data  []byte // the entries' JSON, back to back
	ops   []op   // of all marks, back to back
	done  chan struct{}
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
	if g.room.Acquire(ctx, g.weight(chunk)) != nil {
		return false
	}
	g.queuedFrames.Add(int64(len(chunk.Frames)))
	g.queuedBytes.Add(int64(len(chunk.Buf)))
	w, here := g.newWork(chunk), chunk.Lull || g.cfg.Decoders == 1
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
		w.marks = w.marks[:0]
		w.done <- struct{}{}
		return false
	}
}

// weight is what the chunk takes of the room; one chunk always fits.
func (g *generation) weight(chunk *event.Chunk) int64 {
	return min(int64(len(chunk.Buf)), g.cfg.QueueBytes)
}

func (g *generation) newWork(chunk *event.Chunk) *work {
	select {
	case w := <-g.spare:
		w.chunk, w.marks, w.data, w.ops = chunk, w.marks[:0], w.data[:0], w.ops[:0]
		return w
	default:
		return &work{chunk: chunk, done: make(chan struct{}, 1)}
	}
}

// recycle gives the chunk back to the source and keeps the work's memory,
// unless a giant frame swelled it.
func (g *generation) recycle(w *work) {
	g.queuedFrames.Add(-int64(len(w.chunk.Frames)))
	g.queuedBytes.Add(-int64(len(w.chunk.Buf)))
	g.room.Release(g.weight(w.chunk))
	w.chunk.Release()
	w.chunk = nil
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
