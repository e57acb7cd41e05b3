package spill

import (
	"context"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

const (
	// nearly is how little on disk is worth waiting for, so that a stream
	// that never rests finds its way past the disk again.
	nearly = 1 << 20
	// retryDisk is how often a disk that failed is tried again.
	retryDisk = time.Second
)

// pump brings what the upstream sends, until that or ctx ends.
func (f *flow) pump(ctx context.Context) {
	for again := true; again; {
		var err error
		again, err = f.iterate(ctx)
		f.mu.Lock()
		f.done, f.err = !again, err
		f.changed.Broadcast()
		f.mu.Unlock()
	}
}

// iterate ranges over the upstream once; again says that it was ended in order
// to be begun anew.
func (f *flow) iterate(ctx context.Context) (again bool, err error) {
	once, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(once, f.wake)()
	f.mu.Lock()
	f.again = end
	f.mu.Unlock()
	for chunk, err := range f.cfg.Source.Frames(once, f.dial) {
		if err != nil {
			return once.Err() != nil && ctx.Err() == nil, err
		}
		if !f.put(once, chunk) {
			chunk.Release()
		}
	}
	return once.Err() != nil && ctx.Err() == nil, nil
}

// dial answers the upstream's question where to connect: behind the last frame
// it brought. While the receiver is finding its place, that is not known.
func (f *flow) dial(ctx context.Context) (event.Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asking = true
	for f.moving && ctx.Err() == nil {
		f.changed.Wait()
	}
	f.asking = false
	f.reopen()
	f.askUnsure()
	f.dialled, f.hangup = f.epoch, nil
	if line := &f.judge.line; line.Position() == f.pumpAt {
		return line.Resume(), ctx.Err()
	}
	return f.pumpAt, ctx.Err()
}

// put keeps a chunk, in memory or on disk; false means that it is of no use.
// Waiting here is backpressure: the relay notices.
func (f *flow) put(ctx context.Context, chunk *event.Chunk) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangup = chunk.Hangup
	if f.moving || f.dialled != f.epoch {
		f.hangUpPump(errMoved)
		return false
	}
	defer f.fallBack()
	prev, epoch := f.high, f.epoch
	caught := f.advance(chunk)
	f.checkWindow(chunk, prev)
	if len(chunk.Frames) == 0 {
		f.caughtUp(caught)
		return false
	}
	kept := f.keep(ctx, chunk, prev, epoch)
	f.caughtUp(kept && caught)
	return kept && f.remembered(chunk)
}

// checkWindow judges the first events of a connection whose beginning the receiver
// does not see, since what came before it is on disk (Q5). The pipeline judges so
// itself where it sees where connections begin. After is the last seq before the
// chunk.
func (f *flow) checkWindow(chunk *event.Chunk, after event.Seq) {
	begins := chunk.Conn != f.claims.conn
	f.claims.conn = chunk.Conn
	if begins && f.claims.seam.Open() {
		f.windowFound(f.claims.seam.Judge(true, false))
	}
	if begins && f.relay == 0 && f.catch == 0 && !f.claims.seam.Open() && after > 0 {
		seq, _ := bounds(chunk)
		if _, last, known := f.claims.times.Middle(); known && seq > after+1 {
			usual, sure := f.judge.line.Usual()
			f.claims.seam.Begin(after, seq, int64(seq-after-1), last, usual, sure)
		}
	}
	for i := 0; i < len(chunk.Frames) && f.claims.seam.Open(); i++ {
		if seq, sent := f.timeOf(chunk.Frames[i].Data); seq > 0 {
			f.claims.seam.Note(seq, sent)
			f.windowFound(f.claims.seam.Judge(false, false))
		}
	}
	if n := len(chunk.Frames); n > 0 {
		if seq, sent := f.timeOf(chunk.Frames[n-1].Data); seq > 0 {
			f.claims.times.Note(sent)
		}
	}
}

func (f *flow) windowFound(found event.Finding, by time.Duration) {
	if found == event.Exceeded {
		f.cfg.Alarm(event.AlarmWindow, f.claims.seam.First, fmt.Sprintf(
			"the first events after seq %s are %s later: the relay no longer held what lies between", f.claims.seam.After, by.Round(time.Second)))
	}
}

// timeOf is a frame's seq and the time it claims, good until the next frame; zero
// where it has none. Giant frames are not asked: that may take a copy.
func (f *flow) timeOf(data []byte) (event.Seq, []byte) {
	if len(data) > block.MaxSize || f.claims.decoder.Decode(data, &f.claims.decoded) != nil {
		return 0, nil
	}
	return f.claims.decoded.Seq, f.claims.decoded.Time
}

// remembered reports whether the chunk itself is needed: on disk it is a copy.
func (f *flow) remembered(chunk *event.Chunk) bool {
	n := len(f.mem)
	return n > 0 && f.mem[n-1] == chunk
}

// advance notes how far the chunk comes. What the disk has already is cut off;
// caught says that this is where the disk begins.
func (f *flow) advance(chunk *event.Chunk) (caught bool) {
	f.keepSound(chunk)
	for i := range chunk.Frames {
		seq, ok := frame.PeekSeq(chunk.Frames[i].Data)
		if !ok || seq == f.judge.bogus || chunk.Frames[i].Fault != event.ReasonNone {
			continue
		}
		if f.catch > 0 && seq > f.catch {
			chunk.Frames = chunk.Frames[:i]
			return true
		}
		f.high = max(f.high, seq)
		if f.catch > 0 && seq == f.catch {
			chunk.Frames = chunk.Frames[:i+1]
			caught = true
			break
		}
	}
	f.pumpAt = f.behind(f.high)
	return caught
}

// behind is the position behind a seq; before the first, where we are.
func (f *flow) behind(seq event.Seq) event.Position {
	if seq == 0 {
		return f.pumpAt
	}
	return event.AfterSeq(seq)
}

// caughtUp turns to the disk, and the pump behind it.
func (f *flow) caughtUp(yes bool) {
	if !yes || f.catch == 0 {
		return
	}
	f.epoch++
	if f.disk.pending() {
		f.disk.segments[f.disk.next].joined = true
		f.behindDisk()
	} else {
		f.catch = 0
	}
	f.hangUpPump(errOnDisk)
	f.changed.Broadcast()
}

func (f *flow) hangUpPump(cause error) {
	if f.hangup != nil {
		f.hangup(cause)
	}
}

// keep finds room for a chunk: in memory while nothing waits on disk, else on
// disk. It waits a little for memory, and for as long as it takes for the disk.
func (f *flow) keep(ctx context.Context, chunk *event.Chunk, prev event.Seq, epoch int) bool {
	arrived := time.Now()
	var retry time.Time
	for ctx.Err() == nil && f.epoch == epoch && !f.moving {
		now := time.Now()
		straight := f.catch > 0 || !f.disk.pending()
		patient := arrived.Add(f.cfg.Patience)
		if idle := f.took.Add(f.cfg.Patience); !straight && idle.Before(patient) {
			patient = idle // the receiver takes nothing: what is on disk will not get less
		}
		switch {
		case straight && f.inMemory(chunk):
			f.told.over = false
			f.changed.Broadcast()
			return true
		case f.catch > 0:
			f.changed.Wait()
		case now.Before(patient) && (straight || f.disk.waiting() <= nearly):
			f.waitUntil(patient)
		case f.disk.used()+int64(len(chunk.Buf)) > f.cfg.MaxBytes:
			f.over("the limit of spill-max-bytes is reached")
			f.changed.Wait()
		case now.Before(retry):
			f.waitUntil(retry)
		default:
			if f.spill(chunk, prev) {
				return true
			}
			retry = now.Add(retryDisk)
		}
	}
	return false
}

// inMemory takes a chunk into memory, if there is room. The memory of a giant frame stays
// with the source, which needs it for the next one, however long this one takes.
func (f *flow) inMemory(chunk *event.Chunk) bool {
	if len(f.mem) > 0 && f.memBytes+int64(cap(chunk.Buf)) > f.cfg.Memory {
		return false
	}
	if n := cap(chunk.Buf); n <= giantChunk || len(chunk.Buf) > block.MaxUnpacked {
		f.free.passed()
	} else if chunk = f.free.copied(chunk); chunk == nil {
		return false
	}
	f.mem = append(f.mem, chunk)
	f.memBytes += int64(cap(chunk.Buf))
	return true
}

// spill writes a chunk to disk.
func (f *flow) spill(chunk *event.Chunk, prev event.Seq) bool {
	f.say(true)
	if f.takeNotices(chunk); len(chunk.Frames) == 0 {
		return true
	}
	if first, highest := bounds(chunk); highest > 0 && highest <= prev {
		prev = first - 1 // numbers that go down are the receiver's to judge
	} else if prev == 0 {
		prev = max(first, 1) - 1
	}
	if err := f.disk.append(chunk.Frames, prev, f.cfg.SegmentBytes); err != nil {
		f.over(err.Error())
		return false
	}
	f.told.over = false
	f.spilled += int64(len(chunk.Frames))
	f.changed.Broadcast()
	return true
}

// bounds is a chunk's first seq and its highest; 0 where it has none.
func bounds(chunk *event.Chunk) (first, highest event.Seq) {
	for _, fr := range chunk.Frames {
		if seq, ok := frame.PeekSeq(fr.Data); ok {
			if first == 0 {
				first = seq
			}
			highest = max(highest, seq)
		}
	}
	return first, highest
}

// waitUntil waits for a change, but no longer than until then.
func (f *flow) waitUntil(then time.Time) {
	timer := time.AfterFunc(time.Until(then), f.wake)
	defer timer.Stop()
	f.changed.Wait()
}
