package follow

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// loop is one call of Events at work. One goroutine has all of it.
type loop struct {
	Options
	yield func(*Item, error) bool

	tracker event.Tracker
	judge   Judge
	opening event.Opening
	start   event.Position
	begun   bool        // an event was taken since the start
	chunk   event.Chunk // of the present frames, for its connection
	closed  bool        // the present connection, by us: what it still sends is dropped
	doubted uint64      // the connection that showed a leap last
	// overlaps: the connection was asked from before what was taken
	overlaps bool
	asked    event.Seq // the first event of a live start, which another connection shall show

	waiting waiting
	yielded remembered
	decoder frame.Decoder // of what is no event
	event   event.Event
	item    Item // in hand

	watch *time.Timer // fires when a connection has shown nothing but a leap for long enough
	due   *time.Timer // fires when what waits has waited long enough
	stray *time.Timer // fires when nothing but repeats came for the judge's patience
	quiet silence

	up   bool // a connection has succeeded
	left bool // the caller wants no more
	err  error
}

func newLoop(o Options, yield func(*Item, error) bool) *loop {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &loop{Options: o, yield: yield, watch: stopped(), due: stopped(), stray: stopped(), quiet: newSilence(o.Quiet)}
	l.decoder.Raw = true
	l.yielded.seed = maphash.MakeSeed()
	l.begin(o.From)
	return l
}

// begin starts at a position, with what is known of the relay's numbers forgotten.
func (l *loop) begin(at event.Position) {
	l.tracker, l.doubted, l.asked, l.begun, l.start = *event.NewTracker(at), 0, 0, false, at
	l.opening.Begin(at)
	l.waiting.drop(0)
	l.yielded.behind = nil
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (l *loop) stopTimers() {
	for _, t := range []*time.Timer{l.watch, l.due, l.stray, l.quiet.timer} {
		t.Stop()
	}
}

// asks is a source's question where to read on.
type asks chan event.Position

// run follows the source until something ends it.
func (l *loop) run(ctx context.Context, open Open) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	links := make(chan event.Link)
	source, err := open(func(link event.Link) {
		select {
		case links <- link:
		case <-reading.Done():
		}
	})
	if err != nil {
		return err
	}
	chunks, resume := make(chan *event.Chunk), make(chan asks)
	var ended error
	go func() {
		defer close(chunks)
		ended = pump(reading, source, chunks, resume)
	}()
	defer func() {
		stop()
		for c := range chunks { // until the source has gone
			c.Release()
		}
	}()
	for l.err == nil && !l.left {
		if l.Pause != nil {
			l.Pause()
		}
		select {
		case c, ok := <-chunks:
			if !ok {
				l.end(ctx)
				return ended
			}
			l.take(c)
		case question := <-resume:
			question <- l.reconnect()
		case link := <-links:
			l.linked(link)
		case <-l.due.C:
			l.waited()
		case <-l.watch.C:
			l.watched()
		case <-l.stray.C:
			l.strayTooLong()
		case <-l.quiet.timer.C:
			return nil
		case <-ctx.Done():
			l.end(ctx)
			return nil
		}
	}
	return l.err
}

// end yields what nothing has confirmed, where nothing more will come or the caller wants
// it all the same.
func (l *loop) end(ctx context.Context) {
	if l.Rest || ctx.Err() == nil {
		l.release()
	}
}

// pump passes chunks and questions of the source on.
func pump(ctx context.Context, source Source, chunks chan<- *event.Chunk, resume chan<- asks) error {
	ask := func(ctx context.Context) (at event.Position, err error) {
		question := make(asks, 1)
		select {
		case resume <- question:
		case <-ctx.Done():
			return at, ctx.Err()
		}
		select {
		case at = <-question:
			return at, nil
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
	for chunk, err := range source.Frames(ctx, ask) {
		if err != nil {
			return err
		}
		select {
		case chunks <- chunk:
		case <-ctx.Done():
			chunk.Release()
			return nil
		}
	}
	return nil
}

// linked acts on a change of the connection.
func (l *loop) linked(link event.Link) {
	switch {
	case link.State == event.LinkUp:
		l.up = true
		l.quiet.start()
	case link.State == event.LinkDown && link.Err != nil && !l.up && !l.Patient:
		l.err = unreached(link)
	default:
		l.quiet.stop()
	}
}

// take accounts for a chunk.
func (l *loop) take(c *event.Chunk) {
	l.quiet.stop()
	before := l.tracker.Last()
	l.chunk = event.Chunk{Conn: c.Conn, Arrived: c.Arrived, Hangup: c.Hangup}
	if l.judge.Enter(c.Conn) {
		l.closed = false
		l.stray.Stop()
	}
	for i := range c.Frames {
		if l.closed || l.left || l.err != nil {
			break // the source will bring these again
		}
		l.frame(&c.Frames[i])
	}
	l.waiting.keep()
	c.Release()
	l.item = Item{}
	l.arm()
	switch {
	case l.tracker.Last() != before:
		l.quiet.anew(0)
	case l.judge.Overdue() == Restarted: // what the relay counts anew may be all there is
		l.quiet.anew(StrayTime)
	}
	l.quiet.start()
}

// frame takes one message.
func (l *loop) frame(f *event.Frame) {
	l.item = Item{Frame: f.Data, Fault: f.Fault, Arrived: l.chunk.Arrived}
	if f.Fault == event.ReasonNone {
		seq, ok := frame.PeekEvent(f.Data)
		if !ok {
			seq = l.look(f.Data)
		}
		if l.item.Seq = seq; seq > 0 {
			l.number(seq)
			return
		}
	}
	if n := l.item.Notice; n != nil && l.event.Kind == event.KindError {
		l.reported(n)
		return
	}
	l.give(&l.item)
}

// look reads a message that is no event of a usual kind. It gives the seq that the
// message counts by, usually 0.
func (l *loop) look(data []byte) event.Seq {
	ev := &l.event
	if err := l.decoder.Decode(data, ev); err != nil {
		reject, _ := errors.AsType[*event.Reject](err)
		if reject == nil {
			return 0
		}
		return reject.Seq
	}
	if ev.Kind == event.KindInfo || ev.Kind == event.KindError {
		l.item.Notice = &ev.Notice
		return 0
	}
	return ev.Seq
}

// reported acts on an error frame. A relay may leave the socket open behind it (F4).
func (l *loop) reported(n *event.Notice) {
	name := clip(n.Name)
	if name != "FutureCursor" {
		l.give(&l.item)
		l.hangup(fmt.Errorf("the relay reported %q", name))
		return
	}
	if l.asked > 0 {
		l.forget()
		l.hangup(event.ErrLeap)
		return
	}
	l.err = &PositionError{Err: ErrFuture, Asked: l.tracker.Position(), Message: clip(n.Message)}
}

// clip bounds what a relay can put into an error.
func clip(text []byte) string { return string(text[:min(len(text), 200)]) }

// give yields an item, unless it was yielded before reading went back.
func (l *loop) give(i *Item) {
	if l.left || i.Seq > 0 && l.yielded.again(i) {
		return
	}
	l.left = !l.yield(i, nil)
}

// hangup closes the connection; what it still sends is dropped.
func (l *loop) hangup(why error) {
	l.closed = true
	l.watch.Stop()
	l.stray.Stop()
	l.quiet.anew(0) // the next connection is asked something
	if l.chunk.Hangup != nil {
		l.chunk.Hangup(why)
	}
}
