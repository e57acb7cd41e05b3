package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// Source yields chunks of frames in relay order. It connects, and connects again after
// passing troubles, from the position that resume gives it each time. An error is the
// last thing it yields.
type Source interface {
	Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error]
}

// Open makes the source. It has each change of the connection passed to link, from the
// goroutine of Frames; a source that never calls link is taken for one that is connected.
type Open func(link func(event.Link)) (Source, error)

// Options says what Events reads, and when it ends. The zero Options reads live, without
// end.
type Options struct {
	// From is where reading begins.
	From event.Position
	// IdleTimeout is after how long without a new event the source ends a connection; 0
	// is never.
	IdleTimeout time.Duration
	// Quiet ends the loop once a connected relay has sent no new event for that long, and
	// nothing is left to be confirmed; 0 never does. Time that the loop's body takes does
	// not count.
	Quiet time.Duration
	// Patient makes a first connection that fails be tried again, as later ones are. Else
	// it ends the loop with a *DialError: somebody waits.
	Patient bool
	// Anew follows a relay that counts anew from the seq that it begins with, with a
	// warning. Else that ends the loop with ErrRestarted.
	Anew bool
	// Rest yields, when ctx ends, the events that nothing has confirmed by then. A reader
	// that keeps its position must not set it.
	Rest bool
	// Repeated hears of each event that was dropped as a repeat; it may be nil.
	Repeated func()
	// Pause is called when the loop has nothing more at hand and is about to wait; it may
	// be nil.
	Pause func()
	// Logger hears of numbers that cannot be true; nil is silent.
	Logger *slog.Logger
}

// Item is one message of a relay, or that reading went back.
type Item struct {
	// Frame is the message. It is valid until the next item; see Own.
	Frame []byte
	// Seq is the event's; 0 of a notice and of what cannot be read.
	Seq event.Seq
	// Fault is why the message did not arrive whole.
	Fault event.Reason
	// Notice is what the relay says of itself, in an #info or an error frame; nil of
	// others. It is valid as long as Frame.
	Notice *event.Notice
	// Arrived is about when the message came.
	Arrived time.Time
	// Back is set, of an item without a frame, when reading went back behind this seq:
	// an event that was yielded above it was false, although others had confirmed it.
	// What follows may lie below what was yielded. Nothing is yielded twice.
	Back event.Seq

	own bool // Frame is memory of its own
}

// Own is the frame in memory that the caller may keep.
func (i *Item) Own() []byte {
	if i.own {
		return i.Frame
	}
	return bytes.Clone(i.Frame)
}

// Errors that end Events, as a *PositionError.
var (
	// ErrFuture: the relay says that it knows no seq as high as the one asked for.
	ErrFuture = errors.New("the relay knows no event as late as the one to go on behind")
	// ErrRestarted: the relay sends only events below the one asked for.
	ErrRestarted = errors.New("the relay's numbering restarted below the event to go on behind")
)

// PositionError tells that what was asked for is not a place in the relay's numbers.
type PositionError struct {
	Err     error // ErrFuture or ErrRestarted
	Asked   event.Position
	First   event.Seq // that the relay sends instead, of ErrRestarted
	Message string    // the relay's own words, of ErrFuture; bounded
}

// Error names both numbers.
func (e *PositionError) Error() string {
	if e.First > 0 {
		return fmt.Sprintf("%s: it begins with seq %s, and seq %s was asked for", e.Err, e.First, e.Asked)
	}
	return fmt.Sprintf("%s: seq %s", e.Err, e.Asked)
}

// Unwrap is Err.
func (e *PositionError) Unwrap() error { return e.Err }

// DialError is the error of a relay that could not be reached at all.
type DialError struct {
	URL string
	Err error
}

// Error names the relay.
func (e *DialError) Error() string { return fmt.Sprintf("connect to relay %s: %s", e.URL, e.Err) }

// Unwrap is Err.
func (e *DialError) Unwrap() error { return e.Err }

// unreached is why waiting is given up, with what to do.
func unreached(l event.Link) error {
	class, hint := fault.ClassOf(l.Err), fault.HintOf(l.Err)
	if class == fault.Internal {
		class, hint = fault.Unreachable, "check the address ("+l.URL+") and the network; is it a relay that answers there?"
	}
	return fault.New(class, &DialError{URL: l.URL, Err: l.Err}, hint)
}

// Events yields what a relay sends until ctx ends, which is no error, or the loop does.
// An error is the last thing it yields: Open's, the source's, a *DialError or a
// *PositionError.
//
// Each event comes once, and only when something confirms its number: the event that
// follows it, or another connection that shows it as well. One frame may hold any number,
// and to believe it would make all events up to that number repeats. So an event behind a
// gap that is unusual for the relay, and the first one of a start that is live or from the
// oldest event, waits for the next event; where none comes within event.LeapWait another
// connection is asked. An event far above the others waits for two more connections. What
// waits takes little memory, and when ctx ends it is dropped, unless Options.Rest is set.
//
// Two false events in a row may confirm each other. When the true ones come, reading goes
// back and an Item says so.
//
// The source runs in a goroutine of its own, which has ended when the loop has.
func Events(ctx context.Context, open Open, o Options) iter.Seq2[*Item, error] {
	return func(yield func(*Item, error) bool) {
		l := newLoop(o, yield)
		defer l.stopTimers()
		if err := l.run(ctx, open); err != nil && !l.left {
			yield(nil, err)
		}
	}
}
