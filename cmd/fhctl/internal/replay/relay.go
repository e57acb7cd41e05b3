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

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/observe"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/relay"
)

// windowQuiet is how long a relay that plays its window may be silent before
// the window counts as played: it comes from a disk, without a pause.
const windowQuiet = 5 * time.Second

// relayPlayer follows a relay. It drops repeats, so that what it yields rises
// whatever happens to the connection.
type relayPlayer struct {
	source      *relay.Source
	log         *slog.Logger
	idle        time.Duration // of the source
	from, until place.Place
	follow      bool                    // past the end of the window
	fail        context.CancelCauseFunc // ends the iteration with an error; set by pieces

	seen     *follow.Follower
	repeated atomic.Int64
	up       atomic.Bool
	first    atomic.Int64
	at       atomic.Int64
}

func openRelayOrigin(env *shell.Env, cfg *config.Config, p *replayPlan) (*origin, error) {
	raw := cfg.Relay.URL
	if p.source.Url != "" {
		raw = p.source.Url
	}
	end, err := endpoint.ParseRelay(raw, cfg.Relay.Cleartext)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if end.Kind != endpoint.Real {
		return openLogOrigin(end, p)
	}
	o := &relayPlayer{log: env.Log, idle: cfg.Ingest.IdleTimeout, from: p.sel.from, until: p.sel.until, follow: p.follow}
	up := endpoint.Upstream{Endpoint: end.Endpoint}
	if o.source, err = up.Source(env, cfg, relayListener{player: o}); err != nil {
		return nil, err
	}
	return &origin{player: o, kind: endpoint.EndRelay, name: end.Name, identity: end.Identity}, nil
}

// relayListener hears of the connection.
type relayListener struct {
	observe.Silent
	player *relayPlayer
}

// Link gives up when the relay cannot be reached at all: a person is waiting.
// Once it was reached, a break is waited out.
func (l relayListener) Link(link event.Link) {
	o := l.player
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
func (l relayListener) Alarm(a event.Alarm, _ event.Seq, detail string) {
	l.player.log.Warn("Relay alarm", "alarm", a.String(), "err", detail)
}

func (o *relayPlayer) begin(after event.Seq) event.Position {
	switch {
	case after > 0:
		return event.AfterSeq(after)
	case o.from.Kind == place.Live:
		return event.Position{Start: event.Live}
	case o.from.Kind == place.Seq && o.from.Seq > 1:
		return event.AfterSeq(o.from.Seq - 1)
	}
	return event.Position{Start: event.Oldest}
}

func (o *relayPlayer) pieces(ctx context.Context, after event.Seq) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		var reading context.Context
		reading, o.fail = context.WithCancelCause(ctx)
		defer o.fail(nil)
		o.seen = follow.New(o.begin(after), o.idle, o.log)
		defer o.seen.Close()
		where := func(context.Context) (event.Position, error) { return o.resume() }
		for chunk, err := range o.source.Frames(reading, where) {
			if err != nil {
				yield(piece{}, err)
				return
			}
			more := o.chunk(reading, chunk, yield)
			chunk.Release()
			if !more {
				return
			}
		}
		if err := context.Cause(reading); err != nil && !errors.Is(err, context.Cause(ctx)) {
			yield(piece{}, err)
		}
	}
}

// resume is where to read on, unless the relay counts anew: nobody can say where in
// its new numbers the range lies.
func (o *relayPlayer) resume() (event.Position, error) {
	at, restarted, first := o.seen.Resume()
	if restarted {
		return at, fault.New(fault.Cursor, fmt.Errorf("the relay sends events from seq %s, below the position %s: its numbering restarted, or the position is another relay's", first, at),
			"begin with --from oldest or --from live, into a new target")
	}
	return at, nil
}

// chunk yields what is new; false ends the iteration.
func (o *relayPlayer) chunk(ctx context.Context, chunk *event.Chunk, yield func(piece, error) bool) bool {
	o.seen.Enter(chunk)
	for _, f := range chunk.Frames {
		if ctx.Err() != nil {
			return true // Frames is about to end
		}
		if f.Fault != event.ReasonNone {
			if !yield(piece{fault: f.Fault}, nil) {
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
		if !yield(piece{frame: slices.Clone(f.Data)}, nil) {
			return false
		}
	}
	return true
}

func (o *relayPlayer) fresh(seq event.Seq) bool {
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
func (o *relayPlayer) notice(chunk *event.Chunk, raw []byte) {
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
			"begin with --from oldest or --from live; a seq belongs to one relay"))
	case ev.Kind == event.KindError:
		chunk.Hangup(errors.New("the relay reported " + name))
	}
}

// windowed reports whether the relay's window is played, up to its end.
func (o *relayPlayer) windowed() bool { return !o.follow && o.until.Open() }

func (o *relayPlayer) done() float64 {
	if o.until.Kind != place.Seq {
		return -1
	}
	return partDone(o.first.Load(), o.at.Load(), int64(o.until.Seq))
}

func (o *relayPlayer) quiet() time.Duration {
	if o.windowed() && o.up.Load() {
		return windowQuiet
	}
	return 0
}

func (o *relayPlayer) endless() bool { return o.follow && o.until.Open() }
func (o *relayPlayer) close()        {} // what pieces opened, it closes

// seqAbove reports whether a frame has a seq above after.
func seqAbove(raw []byte, after event.Seq) bool {
	seq, ok := frame.PeekSeq(raw)
	return ok && seq > after
}
