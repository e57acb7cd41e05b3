package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// leadEach is how often a shared sink is asked who leads. With the time a lease
// lasts it makes how long nobody stores after a leader's death.
const leadEach = 250 * time.Millisecond

// lead starts the flow once this process leads, and then goes on asking until
// the last batch is written. It ends the generation when another leads.
func (g *generation) lead(reading, writing context.Context, sink Shared) error {
	tick := time.NewTicker(leadEach)
	defer tick.Stop()
	leads, err := g.stand(reading, sink, tick)
	if !leads {
		close(g.flowing) // nothing flows, and nobody need wait for it
		return err
	}
	for {
		select {
		case <-tick.C:
		case <-writing.Done():
			return nil
		}
		if _, err := sink.Lead(writing); err != nil && writing.Err() == nil {
			return fmt.Errorf("keep the lead: %w", err)
		}
	}
}

// stand stands by until this process leads, and then starts the flow behind
// what others have stored; false means that the generation ended before.
func (g *generation) stand(ctx context.Context, sink Shared, tick *time.Ticker) (leads bool, err error) {
	for stood := false; ; stood = true {
		lead, err := sink.Lead(ctx)
		switch {
		case ctx.Err() != nil:
			return false, nil
		case err != nil:
			return false, fmt.Errorf("ask who leads: %w", err)
		case lead.Leading:
			return g.takeLead(ctx, stood)
		}
		g.follow(lead)
		if g.covered(lead.Cursor) {
			g.stopReading()
			return false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// follow notes that another leads, and how far it has come.
func (g *generation) follow(lead event.Lead) {
	g.standby.stored(lead.Cursor)
	if g.told != lead.By {
		g.told = lead.By
		g.cfg.Logger.Info("Standing by: another process leads", "leader", lead.By, "cursor", lead.Cursor.String())
	}
	g.cfg.Observer.Role(event.Role{By: lead.By, Cursor: lead.Cursor})
}

// takeLead starts the flow: where this generation was to begin or, if others
// have stored meanwhile, behind that.
func (g *generation) takeLead(ctx context.Context, stood bool) (leads bool, err error) {
	at := g.at
	if stood {
		if at, err = g.begin(ctx); ctx.Err() != nil {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("find where to take over: %w", err)
		}
		if at.Position.Start == event.After && g.covered(at.Position.Seq) {
			g.stopReading() // the former leader's last batch: no event need ever follow it
			return false, nil
		}
	}
	if g.told != leadingSelf {
		g.told = leadingSelf
		g.cfg.Logger.Info("Leading", "from", at.Position.String())
	}
	g.start(ctx, at)
	return true, nil
}

// start lets the pipeline run from a position, and says so.
func (g *generation) start(ctx context.Context, at event.Resume) {
	g.cfg.Observer.Role(event.Role{Leading: true, Cursor: at.Position.Seq})
	g.flow(ctx, at)
}

// leadingSelf stands in Pipeline.told for this process.
const leadingSelf = "this process"
