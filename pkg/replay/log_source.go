package replay

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// LogConfig says what of a log is read.
type LogConfig struct {
	// Log is what a relay would serve. Close closes it; nil does nothing.
	Log   relayserver.Log
	Close func() error
	// From and Until bound the range, both included.
	From, Until place.Place
	// Follow goes on past what the log holds now.
	Follow bool
	// Whole reads a log from its beginning where From is live: a recording has no
	// present.
	Whole bool
}

// LogSource reads a log in a relay's place: the simulator, or a recording. No socket
// lies between, so that its end is known.
type LogSource struct {
	cfg         LogConfig
	first, last atomic.Int64
	at          atomic.Int64
}

// NewLog makes a source of a log.
func NewLog(cfg LogConfig) *LogSource { return &LogSource{cfg: cfg} }

// Pieces yields the frames of the log.
func (o *LogSource) Pieces(ctx context.Context, after event.Seq) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		oldest, newest := o.cfg.Log.Bounds()
		o.first.Store(max(1, int64(oldest), int64(after)))
		if !o.cfg.Follow && o.cfg.Until.Open() {
			o.last.Store(int64(newest)) // the window, as it is now
		}
		if after == 0 {
			after = o.begin(newest)
		}
		for {
			seq, raw, err := o.cfg.Log.Next(ctx, after)
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return
			}
			if last := event.Seq(o.last.Load()); last > 0 && seq > last {
				return
			}
			after = seq
			o.at.Store(int64(seq))
			if !yield(Piece{Frame: raw}, err) || err != nil {
				return
			}
		}
	}
}

func (o *LogSource) begin(newest event.Seq) event.Seq {
	switch from := o.cfg.From; {
	case from.Kind == place.Live && !o.cfg.Whole:
		return newest
	case from.Kind == place.Seq:
		return max(0, from.Seq-1)
	}
	return 0
}

// Nature is a relay's. It is endless while it is followed without an end.
func (o *LogSource) Nature() Nature {
	return Nature{Rising: true, Endless: o.cfg.Follow && o.cfg.Until.Open()}
}

// State goes by the seqs.
func (o *LogSource) State() State {
	last := o.last.Load()
	if o.cfg.Until.Kind == place.Seq {
		last = int64(o.cfg.Until.Seq)
	}
	return State{Done: partDone(o.first.Load(), o.at.Load(), last)}
}

// Close closes the log.
func (o *LogSource) Close() error {
	if o.cfg.Close == nil {
		return nil
	}
	return o.cfg.Close()
}
