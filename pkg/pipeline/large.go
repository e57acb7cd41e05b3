package pipeline

import (
	"context"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
)

// large is the memory of one entry that is larger than a portion. There is one such
// entry at a time in the whole pipeline, from decoding until the sink has stored it:
// any account can make one of a few kilobytes, and as many as it likes. Ordinary
// events do not wait for it but behind it, as order demands.
type large struct {
	free chan struct{} // holds something while nobody has buf
	buf  []byte        // nil until it is needed
	used time.Time
}

// largeKept is how long the memory is kept after its last use.
const largeKept = 10 * time.Second

// takeLarge waits for the memory; false means that the run ended. Only the chunk
// that is first in line may ask.
func (g *generation) takeLarge(ctx context.Context) (buf []byte, ok bool) {
	select {
	case <-g.large.free:
	case <-g.over:
		return nil, false
	case <-ctx.Done():
		return nil, false
	}
	if g.large.buf == nil {
		g.large.buf = make([]byte, 0, event.MaxData+entry.Overrun)
	}
	g.large.used = time.Now()
	return g.large.buf[:0], true
}

// giveLarge lets the next one have it.
func (g *generation) giveLarge() { g.large.free <- struct{}{} }

// shrink gives the memory up when it was not needed for a while.
func (g *generation) shrink() {
	select {
	case <-g.large.free:
		if g.large.buf != nil && time.Since(g.large.used) > largeKept {
			g.large.buf = nil
		}
		g.giveLarge()
	default:
	}
}
