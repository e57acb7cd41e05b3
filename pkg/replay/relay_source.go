package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/place"
)

// windowQuiet is how long a relay that plays its window may be silent before
// the window counts as played: it comes from a disk, without a pause.
const windowQuiet = 5 * time.Second

// RelayConfig says what of a relay is read.
type RelayConfig struct {
	// Frames makes the connection, whose changes it passes to Link and Alarm of the
	// source. It is called once, by NewRelay.
	Frames func(*RelaySource) (pipeline.FrameSource, error)
	// From and Until bound the range, both included.
	From, Until place.Place
	// Follow goes on past the end of what the relay holds now.
	Follow bool
	// IdleTimeout is that of the connection; 0 is never.
	IdleTimeout time.Duration
	// Logger hears of connections and of what the relay says; nil is silent.
	Logger *slog.Logger
}

// RelaySource follows a relay. It leaves repeats out, so that what it yields rises
// whatever happens to the connection. A relay that cannot be reached at all ends it:
// somebody is waiting. Once it was reached, a break is waited out.
type RelaySource struct {
	cfg    RelayConfig
	frames pipeline.FrameSource
	log    *slog.Logger
	fail   context.CancelCauseFunc // ends Pieces with an error

	seen     *follow.Follower
	repeated atomic.Int64
	up       atomic.Bool
	first    atomic.Int64
	at       atomic.Int64
}

// NewRelay makes a source of a relay, which is dialled by Pieces.
func NewRelay(cfg RelayConfig) (o *RelaySource, err error) {
	o = &RelaySource{cfg: cfg, log: logger(cfg.Logger)}
	if o.frames, err = cfg.Frames(o); err != nil {
		return nil, err
	}
	return o, nil
}

// Link hears of the connection, from the goroutine of Pieces.
func (o *RelaySource) Link(link event.Link) {
	switch {
	case link.State == event.LinkUp:
		o.up.Store(true)
		o.log.Info("Connected to relay", "relay", link.URL, "from", link.From.String())
	case link.State != event.LinkDown || link.Err == nil:
	case !o.up.Load():
		class, hint := fault.ClassOf(link.Err), fault.HintOf(link.Err)
		if class == fault.Internal {
			class, hint = fault.Unreachable, "check the address ("+link.URL+") and the network; is it a relay that answers there?"
		}
		o.fail(fault.New(class, fmt.Errorf("connect to relay %s: %w", link.URL, link.Err), hint))
	default:
		o.log.Warn("Relay connection lost, will retry", "relay", link.URL, "cause", link.Cause, "err", link.Err.Error(), "delay", link.Retry.Round(time.Millisecond).String())
	}
}

// Alarm passes on what the connection noticed.
func (o *RelaySource) Alarm(a event.Alarm, _ event.Seq, detail string) {
	o.log.Warn("Relay alarm", "alarm", a.String(), "err", detail)
}

func (o *RelaySource) begin(after event.Seq) event.Position {
	switch from := o.cfg.From; {
	case after > 0:
		return event.AfterSeq(after)
	case from.Kind == place.Live:
		return event.Position{Start: event.Live}
	case from.Kind == place.Seq && from.Seq > 1:
		return event.AfterSeq(from.Seq - 1)
	}
	return event.Position{Start: event.Oldest}
}

// Pieces yields the messages of the relay. Those that did not arrive whole have a Fault.
func (o *RelaySource) Pieces(ctx context.Context, after event.Seq) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		var reading context.Context
		reading, o.fail = context.WithCancelCause(ctx)
		defer o.fail(nil)
		o.seen = follow.New(o.begin(after), o.cfg.IdleTimeout, o.log)
		defer o.seen.Close()
		where := func(context.Context) (event.Position, error) { return o.resume() }
		for chunk, err := range o.frames.Frames(reading, where) {
			if err != nil {
				yield(Piece{}, err)
				return
			}
			more := o.chunk(reading, chunk, yield)
			chunk.Release()
			if !more {
				return
			}
		}
		if err := context.Cause(reading); err != nil && !errors.Is(err, context.Cause(ctx)) {
			yield(Piece{}, err)
		}
	}
}

// anew is how to begin where the numbers of a relay say nothing.
func anew() string {
	return "begin with " + fault.To("from", "oldest") + " or " + fault.To("from", "live")
}

// resume is where to read on, unless the relay counts anew: nobody can say where in
// its new numbers the range lies.
func (o *RelaySource) resume() (event.Position, error) {
	at, restarted, first := o.seen.Resume()
	if restarted {
		return at, fault.New(fault.Cursor, fmt.Errorf("the relay sends events from seq %s, below the position %s: its numbering restarted, or the position is another relay's", first, at),
			anew()+", into a new target")
	}
	return at, nil
}

// chunk yields what is new; false ends the iteration.
func (o *RelaySource) chunk(ctx context.Context, chunk *event.Chunk, yield func(Piece, error) bool) bool {
	o.seen.Enter(chunk)
	for _, f := range chunk.Frames {
		if ctx.Err() != nil {
			return true // Frames is about to end
		}
		if f.Fault != event.ReasonNone {
			if !yield(Piece{Fault: f.Fault}, nil) {
				return false
			}
			continue
		}
		seq, ok := frame.PeekSeq(f.Data)
		if ok && !o.fresh(seq) {
			continue
		}
		if !ok {
			o.notice(chunk, f.Data)
		}
		if !yield(Piece{Frame: slices.Clone(f.Data)}, nil) {
			return false
		}
	}
	return true
}

func (o *RelaySource) fresh(seq event.Seq) bool {
	switch o.seen.Take(seq) {
	case event.Leap:
		return false
	case event.Repeat:
		o.repeated.Add(1)
		return false
	}
	o.first.CompareAndSwap(0, int64(seq))
	o.at.Store(int64(seq))
	return true
}

// notice acts on what the relay says of itself.
func (o *RelaySource) notice(chunk *event.Chunk, raw []byte) {
	decoder := frame.Decoder{Raw: true}
	var ev event.Event
	if decoder.Decode(raw, &ev) != nil {
		return
	}
	name := string(ev.Notice.Name)
	switch {
	case ev.Kind == event.KindInfo && name == "OutdatedCursor":
		o.log.Warn("The relay no longer holds everything that was asked for; it begins with its oldest event", "from", o.seen.At().String())
	case ev.Kind == event.KindError && name == "FutureCursor":
		o.fail(fault.New(fault.Cursor, fmt.Errorf("the relay knows no event as late as seq %s (FutureCursor)", o.seen.At()),
			anew()+"; a seq belongs to one relay"))
	case ev.Kind == event.KindError:
		chunk.Hangup(errors.New("the relay reported " + name))
	}
}

// windowed reports whether the relay's window is played, up to its end.
func (o *RelaySource) windowed() bool { return !o.cfg.Follow && o.cfg.Until.Open() }

// Nature is a relay's. Without Follow and without an end only its past is read.
func (o *RelaySource) Nature() Nature {
	return Nature{Rising: true, Past: o.windowed(), Endless: o.cfg.Follow && o.cfg.Until.Open()}
}

// State goes by the seqs, where the last one is known.
func (o *RelaySource) State() State {
	s := State{Done: -1, Repeats: o.repeated.Load()}
	if o.cfg.Until.Kind == place.Seq {
		s.Done = partDone(o.first.Load(), o.at.Load(), int64(o.cfg.Until.Seq))
	}
	if o.windowed() && o.up.Load() {
		s.Quiet = windowQuiet
	}
	return s
}

// Close does nothing: what Pieces opened, it closes.
func (o *RelaySource) Close() error { return nil }
