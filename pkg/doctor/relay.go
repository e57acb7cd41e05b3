package doctor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/text"
)

// glance is what a relay showed in a short look.
type glance struct {
	stop     context.CancelCauseFunc
	err      error // why it could not be reached
	url      string
	via      string // the proxy between; empty without one
	answered time.Duration
	began    time.Time
	frames   int64
	odd      int64 // that are no events
	seqs     []event.Seq
	newest   event.Seq   // the highest of them that the others bear out
	times    event.Times // of the last events, as they say
	first    time.Time
	last     time.Time
}

// link ends the look when the first dial fails: somebody waits.
func (g *glance) link(l event.Link) {
	switch {
	case l.State == event.LinkUp:
		g.url, g.via, g.answered = l.URL, l.Via, time.Since(g.began)
	case l.State == event.LinkDown && l.Err != nil:
		if g.url == "" {
			g.err = l.Err
		}
		g.stop(errSeen)
	}
}

// relay connects live, as a newcomer, and watches for Options.Wait or until it has
// seen enough.
func (e *examination) relay(ctx context.Context) error {
	looking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := &glance{stop: stop, began: time.Now()}
	source, err := e.targets.Relay.Open(g.link)
	if err != nil {
		return err
	}
	timer := time.AfterFunc(e.Wait, func() { stop(errSeen) })
	defer timer.Stop()
	from := event.Position{}
	if e.targets.Relay.Whole {
		from.Start = event.Oldest // a recording has nothing live
	}
	resume := func(context.Context) (event.Position, error) { return from, nil }
	decoder := frame.Decoder{Raw: true}
	for chunk, err := range source.Frames(looking, resume) {
		if err != nil {
			g.err = err
			break
		}
		g.look(chunk, &decoder)
		chunk.Release()
		if g.frames >= enoughFrames {
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.judgeRelay(g)
	return nil
}

// enoughFrames is how many frames are enough to see a relay advance.
const enoughFrames = 20

func (g *glance) look(chunk *event.Chunk, decoder *frame.Decoder) {
	var ev event.Event
	if g.first.IsZero() {
		g.first = chunk.Arrived
	}
	g.last = chunk.Arrived
	for _, f := range chunk.Frames {
		g.frames++
		if f.Fault != event.ReasonNone || decoder.Decode(f.Data, &ev) != nil {
			g.odd++
			continue
		}
		if ev.Seq > 0 {
			g.seqs = append(g.seqs, ev.Seq)
			g.times.Note(ev.Time)
		}
	}
	g.newest = highest(g.seqs)
}

// highest is the highest seq, but for those that lie far above most others: one
// frame may hold any number.
func highest(seqs []event.Seq) (high event.Seq) {
	if len(seqs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(seqs))
	middle := sorted[(len(sorted)-1)/2]
	for _, seq := range sorted {
		if seq <= middle || !event.FarAhead(middle, seq) {
			high = seq
		}
	}
	return high
}

func (e *examination) judgeRelay(g *glance) {
	e.newest = g.newest
	if g.url == "" {
		err := g.err
		if err == nil {
			err = errors.New("the relay did not answer within " + e.Wait.String())
		}
		fix := fault.HintOf(err)
		if fix == "" {
			fix = "check relay-url and the network, or wait longer with " + fault.To("wait", "")
		}
		e.fail("relay", fix, "%s: %s", e.targets.Relay.Name, err)
		e.unknown("relay.events", "the relay was not reached")
		e.unknown("relay.clock", "the relay was not reached")
		return
	}
	through := ""
	if g.via != "" {
		through = " via proxy " + g.via
	}
	e.ok("relay", "%s answers within %s%s", e.targets.Relay.Name, g.answered.Round(time.Millisecond), through)
	switch {
	case g.newest == 0 && g.frames > 0:
		e.fail("relay.events", "is it a relay? Look with: "+watch.With("limit", "3"), "none of %d frames is an event", g.odd)
	case g.newest == 0:
		e.fail("relay.events", "wait longer with "+fault.To("wait", "")+", or look at the relay's own status: it may be stuck", "nothing came within %s", e.Wait)
	case g.odd*10 > g.frames:
		e.warn("relay.events", "look with: "+watch.String(), "%d of %d frames are no events; newest seq %s", g.odd, g.frames, g.newest)
	default:
		e.ok("relay.events", "%s events seen, newest seq %s", text.Thousands(g.frames-g.odd), g.newest)
	}
	e.judgeRelayClock(g)
}

// The times in events are hearsay, so that only a large difference says
// anything.
const (
	clockAhead  = 10 * time.Second
	clockBehind = 10 * time.Minute
)

func (e *examination) judgeRelayClock(g *glance) {
	_, at, ok := g.times.Middle()
	if !ok {
		e.unknown("relay.clock", "no event told its time")
		return
	}
	lag := g.last.Sub(at)
	const fix = "compare with: date -u; set this machine's clock with NTP"
	switch {
	case e.targets.Relay.Bundled:
		e.ok("relay.clock", "not compared: a bundled relay tells made-up times")
	case lag < -clockAhead:
		e.warn("relay.clock", fix, "the newest event is %s in the future: this machine's clock is slow, or its host's is fast", text.Span(-lag))
	case lag > clockBehind:
		e.warn("relay.clock", fix, "the newest event is %s old: the relay lags, or this machine's clock is fast", text.Span(lag))
	default:
		e.ok("relay.clock", "the newest event is %s old", text.Span(max(0, lag)))
	}
}

// errSeen ends a look at a relay that has shown enough.
var errSeen = errors.New("enough was seen")
