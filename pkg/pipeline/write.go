package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// write hands batches to the sink until the sequencer is done. When run ends it
// has Config.Drain left to store what was read.
func (g *generation) write(run, alive context.Context) error {
	storing, giveUp := context.WithCancel(alive)
	defer giveUp()
	defer context.AfterFunc(run, func() { time.AfterFunc(g.cfg.Drain, giveUp) })()
	waiting := make([]*event.Batch, 0, g.cfg.InFlight)
	for {
		waiting = g.gather(alive, waiting[:0])
		if len(waiting) == 0 {
			return nil
		}
		receipts, err := g.cfg.Sink.Commit(storing, waiting)
		g.acknowledge(waiting, receipts)
		if err != nil {
			g.reportUnstored(run, len(waiting)-len(receipts))
			return err
		}
	}
}

// gather waits for one batch and takes what else is ready, so that the sink
// can keep several in flight. None means that no more will come.
func (g *generation) gather(ctx context.Context, waiting []*event.Batch) []*event.Batch {
	select {
	case b, ok := <-g.filled:
		if !ok {
			return nil
		}
		waiting = append(waiting, b)
	case <-ctx.Done():
		return nil
	}
	for len(waiting) < g.cfg.InFlight {
		select {
		case b, ok := <-g.filled:
			if !ok {
				return waiting
			}
			waiting = append(waiting, b)
		default:
			return waiting
		}
	}
	return waiting
}

// acknowledge reports what was stored and gives all batches back.
func (g *generation) acknowledge(batches []*event.Batch, receipts []event.Receipt) {
	for i, receipt := range receipts {
		g.stored.Store(true)
		g.acked.Store(int64(batches[i].Upto))
		g.cfg.Observer.Stored(batches[i], receipt)
		g.tellLosses(receipt.Trimmed)
	}
	for _, b := range batches {
		if b.Lent {
			g.giveLarge()
		}
		if b.Cap() > 2*g.cfg.BatchBytes {
			*b = event.Batch{} // swollen by a giant event
		}
		g.empty <- b
	}
}

// lossPause is how long a group must have lost nothing before its next loss is
// an alarm again: one that reads too slowly loses with every batch.
const lossPause = time.Minute

// tellLosses raises an alarm for each group that begins to lose entries (G7).
func (g *generation) tellLosses(lost []event.Trim) {
	for _, trim := range lost {
		now := time.Now()
		if last, known := g.losing[trim.Group]; !known || now.Sub(last) > lossPause {
			g.cfg.Observer.Alarm(event.AlarmTrimmed, trim.From, fmt.Sprintf(
				"group %s begins to lose entries: %d unread and %d pending were trimmed, seq %s to %s", trim.Group, trim.Unread, trim.Pending, trim.From, trim.To))
		}
		if g.losing == nil {
			g.Pipeline.losing = map[string]time.Time{}
		}
		g.losing[trim.Group] = now
	}
}

func (g *generation) reportUnstored(run context.Context, batches int) {
	if run.Err() != nil && batches > 0 {
		g.cfg.Logger.Warn("Stopped before everything read was stored; it is behind the cursor and will be read again", "batches", batches)
	}
}
