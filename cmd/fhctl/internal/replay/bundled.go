package replay

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// logPlayer reads a relay that is bundled: the simulator, or a capture in a
// relay's place. No socket lies between, so that its end is known.
type logPlayer struct {
	relayserver.Log
	from, until place.Place
	follow      bool // past the end of the window
	whole       bool // live means from its beginning
	first, last atomic.Int64
	at          atomic.Int64
	shut        func()
}

func openLogOrigin(e endpoint.Relay, p *replayPlan) (*origin, error) {
	log, shut, err := e.Open()
	if err != nil {
		return nil, err
	}
	o := &logPlayer{Log: log, shut: shut, from: p.sel.from, until: p.sel.until, follow: p.follow, whole: e.Kind == endpoint.Capture}
	return &origin{player: o, kind: endpoint.EndRelay, name: e.Name, identity: e.Identity, log: log}, nil
}

func (o *logPlayer) pieces(ctx context.Context, after event.Seq) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		oldest, newest := o.Bounds()
		o.first.Store(max(1, int64(oldest), int64(after)))
		if !o.follow && o.until.Open() {
			o.last.Store(int64(newest)) // the window, as it is now
		}
		if after == 0 {
			after = o.begin(newest)
		}
		for {
			seq, raw, err := o.Next(ctx, after)
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return
			}
			if last := event.Seq(o.last.Load()); last > 0 && seq > last {
				return
			}
			after = seq
			o.at.Store(int64(seq))
			if !yield(piece{frame: raw}, err) || err != nil {
				return
			}
		}
	}
}

func (o *logPlayer) begin(newest event.Seq) event.Seq {
	switch {
	case o.from.Kind == place.Live && !o.whole:
		return newest
	case o.from.Kind == place.Seq:
		return max(0, o.from.Seq-1)
	}
	return 0
}

func (o *logPlayer) done() float64 {
	last := o.last.Load()
	if o.until.Kind == place.Seq {
		last = int64(o.until.Seq)
	}
	return partDone(o.first.Load(), o.at.Load(), last)
}

// partDone is how much of a range of seqs lies behind at; -1 when unknown.
func partDone(first, at, last int64) float64 {
	if first == 0 || last <= first {
		return -1
	}
	return max(0, min(1, float64(at-first+1)/float64(last-first+1)))
}

func (o *logPlayer) quiet() time.Duration { return 0 }
func (o *logPlayer) endless() bool        { return o.follow && o.until.Open() }
func (o *logPlayer) close()               { o.shut() }
