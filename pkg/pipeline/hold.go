package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

const (
	holdPoll     = 2 * time.Second // how soon an operator's new cursor is noticed
	holdRetryMin = 10 * time.Second
	holdRetryMax = time.Minute
)

// hold is a condition that only an operator can resolve (Q7): reading on would
// lose or repeat events, and stopping would make a supervisor restart us into
// the same condition again and again.
type hold struct {
	alarm  event.Alarm
	first  event.Seq // first event of a new numbering; 0 when unknown
	detail string
	back   *event.Seq // go back to here in the sink; no operator is needed
}

// hold raises the alarm, closes the connection and makes resume wait.
func (s *sequencer) hold(alarm event.Alarm, first event.Seq, detail string) {
	s.cfg.Observer.Alarm(alarm, s.tracker.Last(), detail)
	s.holding.Store(&hold{alarm: alarm, first: first, detail: detail})
	s.link.close(fmt.Errorf("%w: %s", errHeld, alarm))
}

// waitHeld returns at once when nothing is held. Otherwise it waits until the
// cursor was moved, which ends the generation, or until it is time to ask the
// relay again, which may have been repaired.
func (g *generation) waitHeld(ctx context.Context, at event.Position) error {
	h := g.holding.Swap(nil)
	if h == nil {
		g.heldTries = 0
		return nil
	}
	if h.back != nil {
		return g.returnTo(ctx, h, at)
	}
	retry := min(holdRetryMin<<min(g.heldTries, 8), holdRetryMax)
	g.heldTries++
	g.cfg.Observer.Link(event.Link{
		State: event.LinkHeld, From: at, Err: errors.New(h.detail), Cause: h.alarm.String(), Retry: retry,
	})
	again := time.NewTimer(retry)
	defer again.Stop()
	poll := time.NewTicker(holdPoll)
	defer poll.Stop()
	for {
		if err := g.resolve(ctx, h, at); err != nil {
			return err
		}
		select {
		case <-again.C:
			return nil
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// resolve returns *event.Moved once the way on is known, nil while it is not.
// It judges only when everything read so far is stored: before that, the
// stored cursor differs from ours for an innocent reason.
func (g *generation) resolve(ctx context.Context, h *hold, at event.Position) error {
	if at.Start != event.After || event.Seq(g.acked.Load()) != at.Seq {
		return nil
	}
	if h.alarm == event.AlarmReset && g.cfg.OnReset == Follow {
		to := h.first - 1
		if err := g.cfg.Sink.Rebase(ctx, to); err != nil {
			return fmt.Errorf("follow the relay's new numbering: %w", err)
		}
		return &event.Moved{To: event.AfterSeq(to), Alarm: event.AlarmReset, Detail: "following the new numbering, as configured"}
	}
	seq, ok, err := g.cfg.Sink.Poll(ctx)
	if err != nil || !ok || seq == at.Seq {
		return nil // an unreachable Redis is the writer's to report
	}
	return &event.Moved{To: event.AfterSeq(seq), Alarm: event.AlarmConflict, Detail: "the cursor was moved while held", Asked: true}
}
