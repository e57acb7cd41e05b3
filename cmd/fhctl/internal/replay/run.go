package replay

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/wait"
)

// replayRun is one replay.
type replayRun struct {
	app        *shell.Env
	cfg        *config.Config
	plan       *replayPlan
	origin     *origin
	target     receiver
	targetName string
	count      replayCount

	line      *output.Line
	flushed   time.Time           // when a paced target was flushed last
	passed    replayCount         // counted by the reader
	readErr   error               // of the reader, once items is closed
	readWhole bool                // it came to the source's end
	items     chan *played        // reader → writer
	room      *semaphore.Weighted // bytes of items
	within    ranges.Frames       // what of a recording was seen; its range
	looked    atomic.Int64        // pieces the reader has seen
	came      atomic.Int64        // of them, those that are events
	reading   atomic.Uint64       // the seq the reader stands at
}

// itemsAhead is how many events may be read before they are written.
const itemsAhead = 256

// itemsBytes is how much they may hold.
const itemsBytes = 4 << 20

// weight is what an item takes of the room; one always fits.
func (p *played) weight() int64 { return min(int64(len(p.frame)+len(p.data)), itemsBytes) }

// errReplayed ends reading because everything wanted was replayed.
var errReplayed = errors.New("replayed what was asked for")

func runReplay(ctx context.Context, env *shell.Env, cfg *config.Config, o *replayOptions, args []string) error {
	p, err := o.plan(env, cfg, args)
	if err != nil {
		return err
	}
	shell.BoundReading()
	if p.target.Kind == endpoint.EndServe {
		return serveReplay(ctx, env, cfg, p)
	}
	r := &replayRun{app: env, cfg: cfg, plan: p, items: make(chan *played, itemsAhead), room: semaphore.NewWeighted(itemsBytes), within: ranges.Frames{From: p.sel.from, To: p.sel.until}}
	r.count.kinds = map[string]int64{}
	if r.origin, err = openOrigin(ctx, env, cfg, p); err != nil {
		return err
	}
	defer r.origin.close()
	if err := r.openTarget(ctx); err != nil {
		return err
	}
	if p.dryRun && p.target.Kind == endpoint.EndStdout {
		r.target = nowhere{entries: p.sel.entries}
	}
	restore := r.showProgress()
	complete, err := r.run(ctx)
	finished := r.target.finish(ctx, complete || isDamage(err))
	restore()
	return r.outcome(ctx, complete && finished == nil, errors.Join(err, finished))
}

// isDamage reports whether a capture ended in damage: what was read before is
// all there is, and stands.
func isDamage(err error) bool {
	_, ok := errors.AsType[*capture.Damage](err)
	return ok
}

// openTarget opens what the plan writes to.
func (r *replayRun) openTarget(ctx context.Context) (err error) {
	p := r.plan
	switch p.target.Kind {
	case endpoint.EndStdout:
		r.targetName, r.target = "standard output", newPrinter(r.app.Out, p)
	case endpoint.CaptureEnd:
		r.targetName = p.target.Path
		if p.dryRun {
			state, err := loadState(p.target.Path)
			from := event.Seq(0)
			if state != nil && p.resume {
				from, _ = event.ParseSeq(state.Seq)
			}
			r.target = nowhere{from: from}
			return err
		}
		t, err := openRecorder(p.target.Path, r.origin.identity, p.sel.keep.Fingerprint(), p.resume)
		if err != nil {
			return err
		}
		if r.target = t; t.cut != "" {
			r.app.Log.Warn("The unfinished capture was cut", "what", t.cut)
		}
		return nil
	case endpoint.EndStream:
		r.targetName = "stream " + p.toStream
		r.target, err = openAppender(ctx, r.app, r.cfg, p, r.origin, &r.count)
		return err
	}
	return nil
}

// shell.Run reads and writes until the source or the plan ends; complete says which
// it was, or that an endless source was stopped.
func (r *replayRun) run(ctx context.Context) (complete bool, err error) {
	reading, stop := context.WithCancelCause(ctx)
	if r.plan.last > 0 {
		timer := time.AfterFunc(r.plan.last, func() { stop(errReplayed) })
		defer timer.Stop()
	}
	var reader sync.WaitGroup
	reader.Go(func() { r.read(reading) })
	storing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopDrain, giveUp) })()
	err = r.Write(reading, storing, stop)
	stop(errReplayed)
	for range r.items { // until the reader has gone
	}
	reader.Wait()
	if err == nil {
		err = r.readErr
	}
	stopped := ctx.Err() != nil
	return err == nil && (!stopped || r.origin.endless()), err
}

// read judges what the source holds and passes on what is wanted.
func (r *replayRun) read(ctx context.Context) {
	defer close(r.items)
	after := r.target.after()
	if after > 0 {
		r.app.Log.Info("Resuming", "after", after.String(), "target", r.targetName)
	}
	for pc, err := range r.origin.pieces(ctx, after) {
		if err != nil {
			if context.Cause(ctx) != errReplayed { // else reading was cut off on purpose
				r.readErr = err
			}
			return
		}
		r.looked.Add(1)
		if _, ok := frame.PeekEvent(pc.frame); ok {
			r.came.Add(1)
		}
		p := &played{}
		v, reject := r.judge(pc, p)
		r.within.Saw(p.seq, p.at)
		r.passed.Saw(p.seq)
		r.reading.Store(uint64(p.seq))
		if v == beyond || v == deliver && r.windowOver(p) {
			return
		}
		if v != deliver {
			r.pass(v, p, reject)
		} else if !r.send(ctx, p) {
			return
		}
		if r.endReached(p) {
			return
		}
	}
	r.readWhole = ctx.Err() == nil
}

func (r *replayRun) send(ctx context.Context, p *played) bool {
	if r.room.Acquire(ctx, p.weight()) != nil {
		return false
	}
	weight := p.weight()
	select {
	case r.items <- p:
	case <-ctx.Done():
		return false
	}
	if weight < itemsBytes {
		return true
	}
	// It is written before another is read, which may be as large.
	if r.room.Acquire(ctx, itemsBytes) != nil {
		return false
	}
	r.room.Release(itemsBytes)
	return true
}

// endReached reports whether the last seq that is wanted has come. A relay's
// seqs rise, and its next event may be far away.
func (r *replayRun) endReached(p *played) bool {
	until := r.plan.sel.until
	return r.origin.kind == endpoint.EndRelay && until.Kind == place.Seq && p.seq >= until.Seq
}

func (r *replayRun) judge(pc piece, p *played) (verdict, *event.Reject) {
	switch {
	case pc.fault != event.ReasonNone:
		return broken, &event.Reject{Reason: pc.fault}
	case pc.frame == nil:
		return r.plan.sel.stored(pc.stored, p)
	}
	v, reject := r.plan.sel.frame(pc.frame, p)
	// An event that this version cannot use is still part of a recording.
	if v == broken && p.seq > 0 && !reject.Reason.Framing() && !r.plan.sel.entries && r.plan.sel.whole() {
		return deliver, nil
	}
	return v, reject
}

// windowOver reports whether the relay's window has been played: the event
// happened after this run began.
func (r *replayRun) windowOver(p *played) bool {
	o, ok := r.origin.player.(*relayPlayer)
	return ok && o.windowed() && p.at.After(r.plan.started)
}

// pass counts what is not delivered, and says what a person should know.
func (r *replayRun) pass(v verdict, p *played, reject *event.Reject) {
	c := &r.passed
	switch v {
	case unwanted:
		c.unwanted++
	case notice:
		c.notices++
		r.app.Log.Debug("Relay notice", "name", p.notice)
	case broken:
		if c.rejected++; c.reasons[reject.Reason] == 0 {
			r.app.Log.Warn("An event cannot be read and is left out; further ones of its kind are counted only", "seq", p.seq.String(), "reason", reject.Reason.String(), "err", reject.Detail)
		}
		c.reasons[reject.Reason]++
	}
}

// write gives events to the target, when they are due. What the target has
// begun to store may outlast ctx.
func (r *replayRun) Write(ctx, storing context.Context, stop context.CancelCauseFunc) error {
	for {
		p, err := r.next(ctx, storing)
		if p == nil || err != nil {
			return err
		}
		if err := r.hold(ctx, storing, p); err != nil || ctx.Err() != nil {
			return err
		}
		weight := p.weight()
		if p.size = len(p.frame); p.frame == nil {
			p.size = len(p.data)
		}
		taken, err := r.target.put(storing, p)
		r.room.Release(weight)
		if err != nil {
			return err
		}
		r.account(p, taken)
		if r.plan.limit > 0 && r.count.stored >= r.plan.limit {
			stop(errReplayed)
			return nil
		}
	}
}

// tick is how often progress is drawn and a target's age looked at while
// nothing comes.
const tick = 500 * time.Millisecond

// verify.next is the next event; nil when there are no more. Before it waits, the
// target passes on what it has.
func (r *replayRun) next(ctx, storing context.Context) (*played, error) {
	select {
	case p := <-r.items:
		return p, nil
	default:
	}
	if err := r.target.flush(storing); err != nil {
		return nil, err
	}
	timer := time.NewTicker(tick)
	defer timer.Stop()
	began, came := time.Now(), r.came.Load()
	for {
		select {
		case p := <-r.items:
			return p, nil
		case <-ctx.Done():
			return nil, nil
		case <-timer.C:
		}
		if now := r.came.Load(); now != came { // a notice is silence too
			began, came = time.Now(), now
		}
		if quiet := r.origin.quiet(); quiet > 0 && time.Since(began) >= quiet {
			return nil, nil
		}
		r.draw(event.Seq(r.reading.Load()))
		if err := r.target.flush(storing); err != nil {
			return nil, err
		}
	}
}

// hold waits until the event is due.
func (r *replayRun) hold(ctx, storing context.Context, p *played) error {
	pause := r.plan.pace.due(p.at)
	if pause <= 2*time.Millisecond || r.plan.dryRun {
		return nil // timers are coarser than fast rates: sleep in runs
	}
	if now := time.Now(); pause > 20*time.Millisecond || now.Sub(r.flushed) > 100*time.Millisecond {
		r.flushed = now
		if err := r.target.flush(storing); err != nil {
			return err
		}
	}
	r.draw(p.seq)
	_ = wait.For(ctx, pause)
	return nil
}
