package atproto

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/relay"
)

// The words of an event. They are those of package event.
type (
	// Event is one decoded frame. The payload that Kind names is meaningful.
	Event = event.Event
	// Op is one change of a commit: a record created, updated or deleted. Ops with a
	// Skip reason are damaged and must not be used.
	Op = event.Op
	// Seq numbers the events of one relay. Numbers are not without gaps.
	Seq = event.Seq
	// Kind tells events apart.
	Kind = event.Kind
	// Reject is the error of one frame that cannot be used.
	Reject = event.Reject
	// Decoder decodes frames without allocating; see [frame.Decoder].
	Decoder = frame.Decoder
)

// The kinds of events.
const (
	KindUnknown  = event.KindUnknown
	KindCommit   = event.KindCommit
	KindSync     = event.KindSync
	KindIdentity = event.KindIdentity
	KindAccount  = event.KindAccount
	KindInfo     = event.KindInfo
	KindError    = event.KindError
)

// Errors that end [Events], besides those of an address that cannot be used or of a
// relay that refuses for good.
var (
	// ErrFuture: the relay knows no seq as high as After.
	ErrFuture = errors.New("the relay knows no event as late as the one to go on behind")
	// ErrRestarted: the relay counts anew, below After. What was missed meanwhile cannot
	// be known from its numbers.
	ErrRestarted = errors.New("the relay's numbering restarted below the event to go on behind")
)

// Options says what Events reads. Only Relay is required.
type Options struct {
	// Relay is the address: wss://HOST, or a host alone. ws:// is for loopback only,
	// unless Cleartext is set.
	Relay     string
	Cleartext bool
	// After is the seq of the last event that the program has; reading goes on behind
	// it. With 0 reading begins with what happens from now on or, with Oldest, with the
	// oldest event that the relay holds.
	After  Seq
	Oldest bool
	// Raw leaves records as blocks: [Op.Record] is nil, and decoding is faster.
	Raw bool
	// IdleTimeout is after how long without a new event the connection is made anew;
	// 0 is a minute.
	IdleTimeout time.Duration
	// UserAgent names the program to the relay's operators.
	UserAgent string
	// Logger hears of connections and of numbers that cannot be; nil is silent.
	Logger *slog.Logger
}

// position is where reading begins.
func (o *Options) position() event.Position {
	switch {
	case o.After > 0:
		return event.AfterSeq(o.After)
	case o.Oldest:
		return event.Position{Start: event.Oldest}
	}
	return event.Position{Start: event.Live}
}

// Events reads from a relay until ctx ends, which is no error, or the loop does. An
// error that is a *[Reject] tells of one frame that could not be used, and the loop
// goes on; any other is the last. Notices of the relay come as events of [KindInfo].
// A connection that breaks is made again, with growing pauses, for as long as it
// takes.
//
// The event and all it points to are valid until the next one.
func Events(ctx context.Context, o Options) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		r, err := newReader(o, yield)
		if err == nil {
			err = r.run(ctx)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// Decode decodes one frame into memory of its own. A program that decodes many uses a
// [Decoder].
func Decode(data []byte) (*Event, error) {
	var d Decoder
	ev := new(Event)
	if err := d.Decode(data, ev); err != nil {
		return nil, err
	}
	return ev, nil
}

// reader is one loop at work.
type reader struct {
	source  *relay.Source
	seen    *follow.Follower
	yield   func(*Event, error) bool
	decoder Decoder
	event   Event
	ended   bool  // nothing more is to be read
	err     error // why, where the loop does not know
}

func newReader(o Options, yield func(*Event, error) bool) (*reader, error) {
	endpoint, err := relay.ParseURL(o.Relay, o.Cleartext)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = relay.DefaultIdleTimeout
	}
	r := &reader{yield: yield, seen: follow.New(o.position(), o.IdleTimeout, o.Logger)}
	r.decoder.Raw = o.Raw
	r.source = relay.New(relay.Config{Endpoint: endpoint, IdleTimeout: o.IdleTimeout, UserAgent: o.UserAgent, Logger: o.Logger})
	return r, nil
}

func (r *reader) run(ctx context.Context) error {
	defer r.seen.Close()
	for chunk, err := range r.source.Frames(ctx, r.resume) {
		if err != nil {
			return err
		}
		r.chunk(chunk)
		chunk.Release()
		if r.ended {
			return r.err
		}
	}
	return nil
}

// resume is where the next connection goes on.
func (r *reader) resume(context.Context) (event.Position, error) {
	at, restarted, first := r.seen.Resume()
	if restarted {
		return at, fault.New(fault.Cursor, fmt.Errorf("%w: it begins with seq %s, and seq %s was asked for", ErrRestarted, first, at),
			"begin with the oldest event, or live")
	}
	return at, nil
}

func (r *reader) chunk(chunk *event.Chunk) {
	r.seen.Enter(chunk)
	for i := range chunk.Frames {
		if r.ended {
			return
		}
		r.frame(chunk, &chunk.Frames[i])
	}
}

// frame gives the event of a frame to the loop, if it is a new one.
func (r *reader) frame(chunk *event.Chunk, f *event.Frame) {
	if f.Fault != event.ReasonNone {
		r.give(nil, &Reject{Reason: f.Fault, Detail: "the message could not be read whole"})
		return
	}
	ev := &r.event
	if err := r.decoder.Decode(f.Data, ev); err != nil {
		if reject, ok := errors.AsType[*Reject](err); ok && reject.Seq > 0 && r.seen.Take(reject.Seq) != event.Fresh {
			return
		}
		r.give(nil, err)
		return
	}
	switch {
	case ev.Kind == KindError && string(ev.Notice.Name) == "FutureCursor":
		r.ended = true
		r.err = fault.New(fault.Cursor, fmt.Errorf("%w: seq %s", ErrFuture, r.seen.At()), "begin with the oldest event, or live")
	case ev.Kind == KindError:
		chunk.Hangup(fmt.Errorf("the relay reported %q", clip(ev.Notice.Name)))
	case ev.Seq == 0 || r.seen.Take(ev.Seq) == event.Fresh:
		r.give(ev, nil)
	}
}

func (r *reader) give(ev *Event, err error) { r.ended = !r.yield(ev, err) }

// clip bounds what a relay can put into an error.
func clip(text []byte) []byte { return text[:min(len(text), 100)] }
