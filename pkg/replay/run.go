package replay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Options says what is played, and how fast. The zero Options is everything, as fast as
// the target takes it.
type Options struct {
	Selection
	// Rate is the most events in a second; 0 sets no limit.
	Rate float64
	// Speed is the multiple of the speed at which the events happened, by their own
	// times; 0 does not wait.
	Speed float64
	// Limit ends the run once the target has taken that many events; 0 sets no limit.
	Limit int64
	// For ends the run after that time; 0 sets no limit.
	For time.Duration
	// Progress hears, from the goroutine of Run, about how far it is: with every 64th
	// event that was taken, and twice a second while nothing comes. It may be nil.
	Progress func(Progress)
	// Logger hears of what could not be read, once for each reason; nil is silent.
	Logger *slog.Logger
}

// Progress is how far a run is.
type Progress struct {
	Taken int64
	Seq   event.Seq // of the last event, wanted or not
	// Done is the part of it that is done, from 0 to 1; -1 when it is unknown.
	Done float64
}

// running is one run.
type running struct {
	Options
	source  Source
	nature  Nature
	target  Target
	log     *slog.Logger
	started time.Time
	choose  chooser
	pace    pacer

	items   chan *Selected      // reader → writer
	room    *semaphore.Weighted // bytes of items
	count   Summary             // the writer's part
	flushed time.Time           // when a paced target was flushed last

	passed  Summary // the reader's part
	readErr error   // of the reader, once items is closed

	reading atomic.Uint64 // the seq the reader stands at
}

// itemsAhead is how many events may be read before they are written.
const itemsAhead = 256

// itemsBytes is how much they may hold.
const itemsBytes = 4 << 20

// large is from how many bytes on an event is kept once only, and its buffers are not
// kept for the next.
const large = 1 << 20

// errPlayed ends reading because everything wanted was played.
var errPlayed = errors.New("played what was asked for")

// Run plays what the source holds into the target, from behind what the target has. It
// ends with the source, at the end of the range, at a limit, or with ctx. It finishes the
// target; closing the source is left to the caller.
//
// An error is the source's or the target's. An event that cannot be read is none: it is
// counted. Where a capture is damaged the error is a *capture.Damage, and the target is
// finished as complete with what came before. That ctx ended is no error; a run that it
// ended early is not Complete.
//
// While an event is written others are read, up to 4 MiB of them.
func Run(ctx context.Context, source Source, target Target, o Options) (Summary, error) {
	r := newRun(source, target, o)
	complete, err := r.run(ctx)
	finished := target.Finish(ctx, complete || isDamage(err))
	return r.summary(complete && finished == nil), errors.Join(err, finished)
}

func newRun(source Source, target Target, o Options) *running {
	r := &running{
		Options: o, source: source, nature: source.Nature(), target: target, log: logger(o.Logger), started: time.Now(),
		choose: chooser{Selection: o.Selection}, pace: pacer{rate: o.Rate, speed: o.Speed},
		items: make(chan *Selected, itemsAhead), room: semaphore.NewWeighted(itemsBytes),
	}
	r.count.Kinds = map[string]int64{}
	return r
}

// logger is the logger, or a silent one for nil.
func logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// isDamage reports whether a capture ended in damage: what was read before is
// all there is, and stands.
func isDamage(err error) bool {
	_, ok := errors.AsType[*capture.Damage](err)
	return ok
}

// summary adds what reader and writer have counted, when both have ended.
func (r *running) summary(complete bool) Summary {
	s := r.count
	s.Complete, s.Seen = complete, r.passed.Seen
	s.Unwanted, s.Notices, s.Rejected, s.Reasons = r.passed.Unwanted, r.passed.Notices, r.passed.Rejected, r.passed.Reasons
	present := r.present()
	s.Taken -= present
	s.Repeats = present + r.source.State().Repeats
	return s
}

// present is how many of the events that were taken the target had already.
func (r *running) present() int64 {
	if t, ok := r.target.(PresentCounter); ok {
		return t.Present()
	}
	return 0
}

// run reads and writes until the source or a limit ends it; complete says which
// it was, or that an endless source was stopped.
func (r *running) run(ctx context.Context) (complete bool, err error) {
	reading, stop := context.WithCancelCause(ctx)
	if r.For > 0 {
		timer := time.AfterFunc(r.For, func() { stop(errPlayed) })
		defer timer.Stop()
	}
	var reader sync.WaitGroup
	reader.Go(func() { r.read(reading) })
	storing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopDrain, giveUp) })()
	err = r.write(reading, storing, stop)
	stop(errPlayed)
	for range r.items { // until the reader has gone
	}
	reader.Wait()
	if err == nil {
		err = r.readErr
	}
	return err == nil && (ctx.Err() == nil || r.nature.Endless), err
}

// read judges what the source holds and passes on what is wanted.
func (r *running) read(ctx context.Context) {
	defer close(r.items)
	for piece, err := range r.source.Pieces(ctx, r.target.After()) {
		if err != nil {
			if context.Cause(ctx) != errPlayed { // else reading was cut off on purpose
				r.readErr = err
			}
			return
		}
		if piece.Back > 0 {
			if !r.send(ctx, &Selected{back: piece.Back}) {
				return
			}
			continue
		}
		r.passed.Seen.Pieces++
		e := &Selected{}
		v, reject := r.judge(piece, e)
		r.passed.Seen.Saw(e.Seq, e.At)
		r.reading.Store(uint64(e.Seq))
		if v == beyond || v == deliver && r.nature.Past && e.At.After(r.started) {
			return
		}
		if v != deliver {
			r.pass(v, e, reject)
		} else if !r.send(ctx, e) {
			return
		}
		// Where seqs rise, the next event may be far away.
		if until := r.Until; r.nature.Rising && until.Kind == place.Seq && e.Seq >= until.Seq {
			return
		}
	}
	r.passed.Seen.Whole = ctx.Err() == nil
}

// weight is what an item takes of the room; one always fits.
func weight(e *Selected) int64 { return min(int64(len(e.Frame)+len(e.Data)), itemsBytes) }

func (r *running) send(ctx context.Context, e *Selected) bool {
	taken := weight(e)
	if r.room.Acquire(ctx, taken) != nil {
		return false
	}
	select {
	case r.items <- e:
	case <-ctx.Done():
		return false
	}
	if taken < itemsBytes {
		return true
	}
	// It is written before another is read, which may be as large.
	if r.room.Acquire(ctx, itemsBytes) != nil {
		return false
	}
	r.room.Release(itemsBytes)
	return true
}

func (r *running) judge(piece Piece, e *Selected) (verdict, *event.Reject) {
	switch {
	case piece.Fault != event.ReasonNone:
		return broken, &event.Reject{Reason: piece.Fault}
	case piece.Frame == nil:
		return r.choose.stored(piece.Stored, e)
	}
	v, reject := r.choose.frame(piece.Frame, e)
	// An event that this version cannot use is still part of a recording.
	if v == broken && e.Seq > 0 && !reject.Reason.Framing() && !r.Entries && r.whole() {
		return deliver, nil
	}
	return v, reject
}

// pass counts what is not delivered, and says what a person should know.
func (r *running) pass(v verdict, e *Selected, reject *event.Reject) {
	c := &r.passed
	switch v {
	case unwanted:
		c.Unwanted++
	case notice:
		c.Notices++
		r.log.Debug("Relay notice", "name", e.notice)
	case broken:
		if c.Rejected++; c.Reasons[reject.Reason] == 0 {
			r.log.Warn("An event cannot be read and is left out; further ones of its kind are counted only", "seq", e.Seq.String(), "reason", reject.Reason.String(), "err", reject.Detail)
		}
		c.Reasons[reject.Reason]++
	}
}

// write gives events to the target, when they are due. What the target has
// begun to store may outlast ctx.
func (r *running) write(ctx, storing context.Context, stop context.CancelCauseFunc) error {
	for {
		e, err := r.next(ctx, storing)
		if e == nil || err != nil {
			return err
		}
		if err := r.hold(ctx, storing, e); err != nil || ctx.Err() != nil {
			return err
		}
		if e.back > 0 {
			if err := r.goBack(storing, e.back); err != nil {
				return err
			}
			continue
		}
		room, size := weight(e), len(e.Frame)
		if e.Frame == nil {
			size = len(e.Data)
		}
		taken, err := r.target.Put(storing, e)
		r.room.Release(room)
		if err != nil {
			return err
		}
		if !taken {
			r.count.NotTaken++
			continue
		}
		if r.count.took(e, size); (r.count.Taken-r.present())%64 == 0 {
			r.tell(e.Seq)
		}
		if r.Limit > 0 && r.count.Taken-r.present() >= r.Limit {
			stop(errPlayed)
			return nil
		}
	}
}

// goBack tells the target that the source went back.
func (r *running) goBack(ctx context.Context, to event.Seq) error {
	if t, ok := r.target.(Returner); ok {
		return t.Return(ctx, to)
	}
	return nil
}

// tick is how often progress is told and a target's age looked at while
// nothing comes.
const tick = 500 * time.Millisecond

// next is the next event; nil when there are no more. Before it waits, the
// target passes on what it has.
func (r *running) next(ctx, storing context.Context) (*Selected, error) {
	select {
	case e := <-r.items:
		return e, nil
	default:
	}
	if err := r.target.Flush(storing); err != nil {
		return nil, err
	}
	timer := time.NewTicker(tick)
	defer timer.Stop()
	for {
		select {
		case e := <-r.items:
			return e, nil
		case <-ctx.Done():
			return nil, nil
		case <-timer.C:
		}
		r.tell(event.Seq(r.reading.Load()))
		if err := r.target.Flush(storing); err != nil {
			return nil, err
		}
	}
}

// hold waits until the event is due.
func (r *running) hold(ctx, storing context.Context, e *Selected) error {
	pause := r.pace.due(e.At)
	if pause <= 2*time.Millisecond {
		return nil // timers are coarser than fast rates: sleep in runs
	}
	if now := time.Now(); pause > 20*time.Millisecond || now.Sub(r.flushed) > 100*time.Millisecond {
		r.flushed = now
		if err := r.target.Flush(storing); err != nil {
			return err
		}
	}
	r.tell(e.Seq)
	_ = wait.For(ctx, pause)
	return nil
}

// tell passes progress on.
func (r *running) tell(seq event.Seq) {
	if r.Progress == nil {
		return
	}
	p := Progress{Taken: r.count.Taken - r.present(), Seq: seq, Done: r.source.State().Done}
	if r.Limit > 0 {
		p.Done = max(p.Done, float64(p.Taken)/float64(r.Limit))
	}
	if r.For > 0 {
		p.Done = max(p.Done, float64(time.Since(r.started))/float64(r.For))
	}
	r.Progress(p)
}
