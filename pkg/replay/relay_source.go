package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/place"
)

// windowQuiet is how long a relay that plays its window may be silent before
// the window counts as played: it comes from a disk, without a pause.
const windowQuiet = 5 * time.Second

// RelayConfig says what of a relay is read.
type RelayConfig struct {
	// Open makes the connection, whose changes it passes to link. Pieces calls it once.
	Open follow.Open
	// From and Until bound the range, both included.
	From, Until place.Place
	// Follow goes on past the end of what the relay holds now.
	Follow bool
	// IdleTimeout is that of the connection; 0 is never.
	IdleTimeout time.Duration
	// Logger hears of connections and of what the relay says; nil is silent.
	Logger *slog.Logger
}

// RelaySource follows a relay. It leaves repeats out, and events that nothing confirms, so
// that what it yields rises but where Piece.Back says otherwise. A relay that cannot be
// reached at all ends it: somebody is waiting. Once it was reached, a break is waited out.
type RelaySource struct {
	cfg RelayConfig
	log *slog.Logger

	stands   event.Position // of Pieces
	repeated atomic.Int64
	up       atomic.Bool
	first    atomic.Int64
	at       atomic.Int64
}

// NewRelay makes a source of a relay, which is dialled by Pieces.
func NewRelay(cfg RelayConfig) *RelaySource {
	return &RelaySource{cfg: cfg, log: logger(cfg.Logger)}
}

// tell logs changes of the connection; of one that never was, the error tells.
func (o *RelaySource) tell(link event.Link) {
	switch {
	case link.State == event.LinkUp:
		o.up.Store(true)
		o.log.Info("Connected to relay", "relay", link.URL, "from", link.From.String())
	case link.State == event.LinkDown && link.Err != nil && o.up.Load():
		o.log.Warn("Relay connection lost, will retry", "relay", link.URL, "cause", link.Cause, "err", link.Err.Error(), "delay", link.Retry.Round(time.Millisecond).String())
	}
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
	open := func(link func(event.Link)) (follow.Source, error) {
		return o.cfg.Open(func(l event.Link) { o.tell(l); link(l) })
	}
	o.stands = o.begin(after)
	options := follow.Options{
		From: o.stands, IdleTimeout: o.cfg.IdleTimeout, Logger: o.log,
		Repeated: func() { o.repeated.Add(1) },
	}
	if o.windowed() {
		options.Quiet = windowQuiet
	}
	return func(yield func(Piece, error) bool) {
		for item, err := range follow.Events(ctx, open, options) {
			if err != nil {
				yield(Piece{}, explained(err))
				return
			}
			if !yield(o.piece(item), nil) {
				return
			}
		}
	}
}

// piece is what an item holds.
func (o *RelaySource) piece(item *follow.Item) Piece {
	switch {
	case item.Back > 0:
		return Piece{Back: item.Back}
	case item.Fault != event.ReasonNone:
		return Piece{Fault: item.Fault}
	case item.Seq > 0:
		o.first.CompareAndSwap(0, int64(item.Seq))
		o.at.Store(int64(item.Seq))
		o.stands = event.AfterSeq(item.Seq)
	case item.Notice != nil && string(item.Notice.Name) == "OutdatedCursor":
		o.log.Warn("The relay no longer holds everything that was asked for; it begins with its oldest event", "from", o.stands.String())
	}
	return Piece{Frame: item.Own()}
}

// explained says what to do where nobody can say where in the relay's numbers the range
// lies.
func explained(err error) error {
	lost, ok := errors.AsType[*follow.PositionError](err)
	switch anew := "begin with " + fault.To("from", "oldest") + " or " + fault.To("from", "live"); {
	case !ok:
		return err
	case lost.Err == follow.ErrFuture:
		return fault.New(fault.Cursor, fmt.Errorf("the relay knows no event as late as seq %s (FutureCursor)", lost.Asked), anew+"; a seq belongs to one relay")
	default:
		return fault.New(fault.Cursor, fmt.Errorf("the relay sends events from seq %s, below the position %s: its numbering restarted, or the position is another relay's", lost.First, lost.Asked),
			anew+", into a new target")
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
	return s
}

// Close does nothing: what Pieces opened, it closes.
func (o *RelaySource) Close() error { return nil }
