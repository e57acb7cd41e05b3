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
	weight int64        // what it takes of the room
	portion
	done chan struct{} // a portion is ready
	// more is set when another portion follows. It is made once the sequencer
	// has taken this one and said so through again: true wants the rest.
	more  bool
	again chan bool
	// queued: the sequencer will come to it. turn: it has.
	queued, turn bool
	keep         bool // a mark points into the chunk, which stays until the end
	// barrier, when set, makes this no work at all but a question to the
	// sequencer: where are we, once everything before is accounted for, and where is
	// the relay asked from?
	barrier chan [2]event.Position
}

// portion is what was made of frames of a chunk, usually of all of them. A chunk
// whose entries take more than portionBytes is decoded in portions, so that memory
// is bounded by what comes out, whatever went in.
type portion struct {
	marks []mark // one per frame
	data  []byte // the entries' JSON, back to back; of a fixed size
	times []byte // of the events, back to back
	ops   []op   // of all marks, back to back
	large bool   // a mark holds the large entry
}

// portionBytes is how much JSON one chunk may become before the sequencer takes
// it. Chunks of ordinary events stay far below.
const portionBytes = 128 << 10

func (p *portion) reset() {
	clear(p.marks) // a rejected frame may be large
	p.marks, p.data, p.times, p.ops, p.large = p.marks[:0], p.data[:0], p.times[:0], p.ops[:0], false
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
	if g.room.Acquire(ctx, w.weight) != nil {
		return false
	}
	g.queuedFrames.Add(int64(w.frames))
	g.queuedBytes.Add(w.bytes)
	if here {
		// The source rests after this one, so there is time to decode it
		// here: on a quiet stream waking a decoder costs more than that. And
		// a single decoder works best where the frames are in the cache.
		g.decoding.work(ctx, g, w)
		return g.queue(ctx, w) // after which the chunk is no longer ours to look at
	}
	if !g.queue(ctx, w) {
		return false
	}
	select {
	case g.todo <- w:
		return true
	case <-ctx.Done():
		w.finish() // the sequencer will wait for this chunk: it has nothing
		return false
	}
}

// queue makes sure that the sequencer comes to the work; false means ctx ended.
func (g *generation) queue(ctx context.Context, w *work) bool {
	if w.queued {
		return ctx.Err() == nil
	}
	w.queued = true
	select {
	case g.ordered <- w:
		return true
	case <-ctx.Done():
		return false
	}
}

// weigh is what a work takes of the room, as if its frames or what they become,
// whichever is larger, were kept until they are sequenced; one chunk always fits.
// The least is what a usual chunk of frames takes.
func (g *generation) weigh(chunk *event.Chunk) int64 {
	size := max(int64(cap(chunk.Buf)), 2*portionBytes)
	if size > keepBytes { // grown for one large message: the next waits with the reader
		size = max(size, 8<<20)
	}
	return min(size, g.cfg.QueueBytes)
}

func (g *generation) newWork(chunk *event.Chunk) (w *work) {
	select {
	case w = <-g.spare:
	default:
		w = &work{done: make(chan struct{}, 1), again: make(chan bool, 1)}
	}
	w.chunk, w.from, w.frames, w.bytes, w.weight = chunk, *chunk, len(chunk.Frames), int64(len(chunk.Buf)), g.weigh(chunk)
	w.from.Frames, w.from.Buf = nil, nil
	w.more, w.queued, w.turn, w.keep = false, false, false, false
	return w
}

// finish says that all portions are made, and gives the chunk back to its source
// unless a mark needs it.
func (w *work) finish() {
	if !w.keep {
		w.letGo()
	}
	w.more = false
	select {
	case w.done <- struct{}{}:
	default: // nobody has taken the last portion, and nobody will
	}
}

func (w *work) letGo() {
	w.chunk.Release()
	w.chunk = nil
}

// recycle gives the room back and keeps the work's memory.
func (g *generation) recycle(w *work) {
	if w.chunk != nil {
		w.letGo()
	}
	g.queuedFrames.Add(-int64(w.frames))
	g.queuedBytes.Add(-w.bytes)
	g.room.Release(w.weight)
	w.reset()
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
	w := &work{barrier: make(chan [2]event.Position, 1)}
	select {
	case g.ordered <- w:
	case <-ctx.Done():
		return event.Position{}, ctx.Err()
	}
	select {
	case at := <-w.barrier:
		return at[1], g.waitHeld(ctx, at[0])
	case <-ctx.Done():
		return event.Position{}, ctx.Err()
	}
}
