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
	ErrFuture = follow.ErrFuture
	// ErrRestarted: the relay counts anew, below After. What was missed meanwhile cannot
	// be known from its numbers.
	ErrRestarted = follow.ErrRestarted
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
// Each event comes once, in the order of its seq. One whose number nothing confirms yet
// waits for the next event, or for another connection that shows it as well; see
// [follow.Events]. Should two false numbers have confirmed each other, the true events
// below them come behind them.
//
// The event and all it points to are valid until the next one.
func Events(ctx context.Context, o Options) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		r, err := newReader(ctx, o)
		if err == nil {
			err = r.run(yield)
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
	items   iter.Seq2[*follow.Item, error]
	decoder Decoder
	event   Event
}

func newReader(ctx context.Context, o Options) (*reader, error) {
	endpoint, err := relay.ParseURL(o.Relay, o.Cleartext)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = relay.DefaultIdleTimeout
	}
	open := func(link func(event.Link)) (follow.Source, error) {
		return relay.New(relay.Config{Endpoint: endpoint, IdleTimeout: o.IdleTimeout, UserAgent: o.UserAgent, Logger: o.Logger, Notify: link}), nil
	}
	r := &reader{items: follow.Events(ctx, open, follow.Options{From: o.position(), IdleTimeout: o.IdleTimeout, Patient: true, Logger: o.Logger})}
	r.decoder.Raw = o.Raw
	return r, nil
}

func (r *reader) run(yield func(*Event, error) bool) error {
	for item, err := range r.items {
		more := true
		switch {
		case err != nil:
			return explained(err)
		case item.Back > 0:
		case item.Fault != event.ReasonNone:
			more = yield(nil, &Reject{Reason: item.Fault, Detail: "the message could not be read whole"})
		default:
			ev := &r.event
			if err := r.decoder.Decode(item.Frame, ev); err != nil {
				ev = nil
				more = yield(nil, err)
			} else if ev.Kind != KindError { // the connection is made anew
				more = yield(ev, nil)
			}
		}
		if !more {
			return nil
		}
	}
	return nil
}

// explained says what to do about what ended the loop.
func explained(err error) error {
	if lost, ok := errors.AsType[*follow.PositionError](err); ok {
		return fault.New(fault.Cursor, lost, "begin with the oldest event, or live")
	}
	return err
}
