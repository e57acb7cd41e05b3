package spill

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/capture/block"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

var (
	errOnDisk = errors.New("what follows is on disk")
	errMoved  = errors.New("reading goes on elsewhere")
)

// flow is one iteration. The receiver's goroutine takes chunks from memory or
// disk and yields them; the pump, a goroutine of its own, brings them from the
// upstream. Source.mu guards what both use.
type flow struct {
	*Source
	resume func(context.Context) (event.Position, error) // the receiver's
	yield  func(*event.Chunk, error) bool                // the receiver's

	mem      []*event.Chunk // what the pump brought and the receiver has not taken
	memBytes int64
	took     time.Time // when the receiver last took a chunk
	relay    uint64    // the connection of the last chunk yielded; 0 when it came from disk
	moving   bool      // the receiver is finding its place: nothing may be brought
	hung     bool      // the receiver's reader asked for a new connection
	done     bool      // the pump has ended
	err      error     // why

	pumpAt  event.Position // where the next dial asks for
	high    event.Seq      // the last seq the pump brought
	catch   event.Seq      // the pump brings frames up to here, then the disk has more; 0 when it need not
	epoch   int            // rises when the pump must dial anew
	dialled int            // the epoch of its last dial
	hangup  func(error)    // of the pump's present connection, once it brought something
	again   func()         // begins the upstream's iteration anew: to end one that brought nothing
	asking  bool           // the pump is about to dial

	judge    judge
	claims   claims
	receiver receiver
}

// judge tells, for the pump, which of the seqs that it brings are sound.
type judge struct {
	line    event.Tracker
	leap    leap
	unsure  unsure
	back    event.Seq      // the pump is to go back to here; 0 when it need not
	start   event.Position // where reading began when the receiver last found its place
	opening event.Opening  // judges the first event since then
	bogus   event.Seq      // such an event that was false
}

// begin starts from a position of the receiver's.
func (j *judge) begin(at event.Position) {
	j.start, j.bogus, j.unsure, j.back = at, 0, unsure{}, 0
	j.opening.Begin(at)
	j.line.Rewind(at)
}

// claims are what frames say beside their seq: times, and notices of the relay. Only the
// pump looks at them.
type claims struct {
	decoder frame.Decoder
	decoded event.Event
	conn    uint64                    // the connection it last saw
	times   event.Times               // the last of some chunks
	seam    event.Seam                // to the connection before
	noticed map[event.Alarm]time.Time // when a notice was last told of
}

// receiver is how far the receiver has come.
type receiver struct {
	placed bool      // its first place was found
	given  event.Seq // the last seq yielded
	seek   bool      // nothing was yielded since its place was found
	reader *segmentReader
}

func (f *flow) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, f.wake)()
	pumping, stop := context.WithCancel(ctx)
	var pump sync.WaitGroup
	defer f.end()
	defer pump.Wait()
	defer stop()
	defer context.AfterFunc(pumping, f.wake)()
	f.claims.decoder.Raw = true // only times are read
	f.moving = true
	pump.Go(func() { f.pump(pumping) })
	for {
		at, err := f.resume(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		f.place(at)
		more, err := f.deliver(ctx)
		if !more || err != nil {
			return err
		}
	}
}

// wake makes whoever waits look again.
func (s *Source) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// end leaves nothing behind but the segments.
func (f *flow) end() {
	f.mu.Lock()
	f.closeReader()
	dropped := f.drop()
	f.disk.roll()
	f.mu.Unlock()
	release(dropped)
}

// drop forgets what waits in memory; it is to be given back once f.mu is not held.
func (f *flow) drop() (dropped []*event.Chunk) {
	dropped, f.mem, f.memBytes = f.mem, nil, 0
	return dropped
}

func release(chunks []*event.Chunk) {
	for _, c := range chunks {
		c.Release()
	}
}

// place goes on from where the receiver is. That is usually where we are
// already. It is not at the beginning, when a new connection was asked for, and
// when the receiver has dropped what it had, as one that stands by does.
func (f *flow) place(at event.Position) {
	release(f.placeAt(at))
}

func (f *flow) placeAt(at event.Position) (dropped []*event.Chunk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.moving && !f.hung && (at.Start == event.Live || at.Seq >= f.receiver.given) {
		return nil
	}
	f.hung, f.relay = false, 0
	f.closeReader()
	dropped = f.drop()
	f.disk.apart()
	f.disk.roll()
	if at.Start == event.Live && !f.started && f.disk.tail() > 0 {
		f.cfg.Logger.Warn("Starting live leaves behind what an earlier run spilled; it is deleted",
			"above", f.disk.segments[0].prev.String(), "upto", f.disk.tail().String())
		f.disk.clear()
	}
	if f.judge.bogus > at.Seq && at.Start == event.After {
		f.disk.clear() // it begins with an event that was false; the relay has what follows
	}
	f.disk.seek(at.Seq)
	if !f.receiver.placed && at.Start == event.After {
		f.disk.acked = at.Seq // an iteration begins at the sink's cursor
		f.disk.sweep()
	}
	f.started, f.receiver.placed, f.receiver.seek = true, true, true
	f.receiver.given = at.Seq
	f.aim(at)
	f.moving = false
	f.changed.Broadcast()
	return dropped
}

// aim tells the pump where to read: behind the disk, or first up to where the
// disk begins. f.mu is held.
func (f *flow) aim(at event.Position) {
	f.epoch++
	f.pumpAt, f.catch, f.high = at, 0, at.Seq
	f.judge.begin(at)
	if f.disk.pending() {
		if next := f.disk.segments[f.disk.next]; next.prev > at.Seq && at.Start != event.Live {
			f.catch = next.prev
		} else {
			f.behindDisk()
		}
	}
	switch {
	case f.hangup != nil:
		f.hangup(errMoved)
	case f.again != nil && !f.asking:
		f.again()
	}
}

// behindDisk makes the pump go on behind the last frame on disk.
func (f *flow) behindDisk() {
	f.catch, f.high = 0, f.disk.tail()
	f.pumpAt, f.judge.unsure = f.behind(f.high), unsure{}
	f.judge.line.Rewind(f.pumpAt)
}

// deliver yields chunks until they come from elsewhere, so that the receiver
// must be asked how far it has come; false means that it wants no more.
func (f *flow) deliver(ctx context.Context) (more bool, err error) {
	f.mu.Lock()
	f.conn++
	number := f.conn
	f.mu.Unlock()
	for first := true; ; first = false {
		chunk, err := f.next(ctx, first)
		if chunk == nil {
			return err == nil && ctx.Err() == nil && !f.ended(), err
		}
		f.receiver.seek = false
		f.mark(chunk, number)
		if !f.yield(chunk, nil) {
			return false, nil
		}
	}
}

func (f *flow) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done && len(f.mem) == 0 && !f.disk.pending() && !f.hung
}

// mark makes a chunk one of the connection that the receiver sees.
func (f *flow) mark(chunk *event.Chunk, number uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range chunk.Frames {
		if seq, ok := frame.PeekSeq(chunk.Frames[i].Data); ok && seq != f.judge.bogus {
			f.receiver.given = max(f.receiver.given, seq)
		}
	}
	chunk.Conn = number
	chunk.Judged = f.receiver.reader == nil || f.receiver.reader.old == nil // an earlier version did not judge what it spilled
	chunk.Hangup = f.hangUp
}

// hangUp is what the receiver's reader calls when it wants to be asked again:
// nothing more is brought before it has been.
func (f *flow) hangUp(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hung, f.moving = true, true
	if f.hangup != nil {
		f.hangup(cause)
	}
	f.changed.Broadcast()
}

// next waits for a chunk: memory is older than the disk. It gives none when ctx
// ended, when a new connection was asked for, or when the chunk came on another
// relay connection than the one before. Between disk and relay the receiver sees
// no seam: what it asks of one connection holds for both.
func (f *flow) next(ctx context.Context, first bool) (*event.Chunk, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ctx.Err() == nil && !f.hung {
		switch {
		case len(f.mem) > 0:
			chunk := f.mem[0]
			if !first && f.relay != 0 && f.relay != chunk.Conn {
				return nil, nil
			}
			f.mem = f.mem[1:]
			f.memBytes -= int64(cap(chunk.Buf))
			f.took = time.Now()
			f.relay = chunk.Conn
			f.changed.Broadcast()
			return chunk, nil
		case f.catch == 0 && f.disk.pending():
			if chunk := f.fromDisk(); chunk != nil {
				f.took, f.relay = time.Now(), 0
				return chunk, nil
			}
		case f.done:
			return nil, f.err
		default:
			f.changed.Wait()
		}
	}
	return nil, nil
}

// fromDisk reads the next chunk of the next segment; without one, look again.
// f.mu is held.
func (f *flow) fromDisk() *event.Chunk {
	s := f.disk.segments[f.disk.next]
	if s.writer != nil {
		f.disk.roll()
		return nil
	}
	if f.receiver.reader == nil {
		if s.prev > f.receiver.given && f.receiver.given > 0 && !s.joined {
			f.aim(event.AfterSeq(f.receiver.given)) // an island: the relay has what lies between
			return nil
		}
		after := f.receiver.given
		if !f.receiver.seek {
			after = 0 // all of it follows what was yielded
		}
		f.receiver.reader = openSegment(f.disk.dir, s, after)
		if f.receiver.reader.Walker != nil {
			f.receiver.reader.Unpacker.Giant = f.free.memory
		}
	}
	chunk, wait := f.receiver.reader.chunk(&f.free)
	switch {
	case wait:
		f.changed.Wait()
		return nil
	case chunk != nil:
		s.begun = true
		return chunk
	}
	if s.last > f.receiver.given {
		f.damaged(s)
		return nil
	}
	f.closeReader()
	f.disk.next++
	f.disk.sweep()
	if !f.disk.pending() {
		f.say(false)
	}
	f.changed.Broadcast()
	return nil
}

// damaged goes on where a segment lacks frames: with the relay, up to the next
// block on disk that is sound. f.mu is held.
func (f *flow) damaged(s *segment) {
	why := f.receiver.reader.err
	if why == nil {
		why = block.ErrCut
	}
	rest, read := f.receiver.reader.split(s), f.receiver.reader.position()
	f.closeReader()
	upto := s.last
	if rest != nil {
		upto = rest.prev
	}
	f.lost(s.name, f.receiver.given, upto, why.Error())
	f.disk.divide(f.receiver.given, read, rest)
	f.aim(event.AfterSeq(f.receiver.given))
	f.changed.Broadcast()
}

func (f *flow) closeReader() {
	if f.receiver.reader != nil {
		f.receiver.reader.close(&f.free)
		f.receiver.reader = nil
	}
}
