package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// A gap that is no leap may be false all the same: one frame with a wrong seq is enough,
// and the true events behind it would be repeats. So the event behind an unusual gap
// stays in the batch until another one follows. Where nothing does, another connection
// is asked about it. Where an event comes from inside a gap, whenever that is, reading
// goes back to the gap's beginning: in memory, if nothing behind it is on its way to the
// sink, else in the sink, which knows its own entries again.

// gap is one behind which events are in the batch that nothing has confirmed.
type gap struct {
	wide         bool      // it is unusual; others are believed once the batch is due
	again        bool      // another connection has shown the event behind it as well
	from         event.Seq // before the first of several in a row
	before, seq  event.Seq // before the last one, and behind it; seq is 0 when there is none
	began, since time.Time // when it came, and the last event that left it unsure
	frame        []byte    // of seq; nil where it was not kept
}

func (g *gap) open() bool { return g.seq > 0 }

// note takes a fresh event that follows last.
func (g *gap) note(last event.Seq, m *mark, step *event.Step) {
	switch {
	case step.Skipped == 0 || step.Believed > 0 && !step.Unsure:
		if g.open() {
			*g = gap{}
		}
		return
	case !g.wide || !step.Unsure || step.Believed > 0: // what was open, this event confirms
		*g = gap{wide: step.Unsure, from: last}
	}
	g.before, g.seq, g.again, g.frame = last, m.seq, step.Believed > 0, nil
	if len(m.frame) <= largeFrame {
		g.frame = m.frame // a copy
	}
	if step.Unsure {
		if g.since = time.Now(); g.began.IsZero() {
			g.began = g.since
		}
	}
}

// due flushes the batch when its time has come. One that ends behind a gap waits for
// the event that confirms it; events that go on coming do, however wide the gaps.
func (s *sequencer) due() {
	wait := event.LeapWaitWithin(s.cfg.IdleTimeout)
	switch now := time.Now(); {
	case !s.gap.wide:
		s.gap = gap{}
		s.flush()
	case now.Sub(s.gap.since) >= wait && !s.gap.again:
		s.askGap()
	case now.Sub(s.gap.began) >= wait:
		s.gap = gap{}
		s.flush()
	default:
		s.overdue = true
		s.age.Reset(wait - now.Sub(s.gap.since))
	}
}

// confirmed flushes a batch that was due and waited for the gap before its end.
func (s *sequencer) confirmed() {
	if s.overdue && !s.gap.wide {
		s.flush()
	}
}

// askGap takes back what lies behind the gap, since nothing has followed, and has
// another connection show it.
func (s *sequencer) askGap() {
	g := s.gap
	if s.gap = (gap{}); !s.withdrawTo(g.from) {
		s.flush()
		return
	}
	conn := s.link.judge.Conn()
	s.doubts.after, s.doubts.conn = g.before, conn
	s.doubts.add(g.seq, g.frame)
	s.tracker.Ask(g.from, g.before, g.seq, conn)
	s.cfg.Logger.Debug("Nothing followed the event behind a gap; another connection is asked about it", "seq", g.seq.String(), "after", g.before.String())
	s.link.close(event.ErrLeap)
}

// withdrawTo takes back what the batch holds above a seq; false, and nothing, where
// some of that is on its way to the sink.
func (s *sequencer) withdrawTo(seq event.Seq) bool {
	known := s.flushed.Start == event.After
	if known && s.flushed.Seq > seq {
		return false
	}
	s.seam.Close()
	s.overdue = false
	switch {
	case s.filling == nil:
	case known && s.flushed.Seq == seq || !known && s.filling.Upto > seq && !s.holds(seq):
		s.age.Stop()
		s.filling.Reset(s.flushed)
		s.empty <- s.filling
		s.filling, s.entered = nil, false
	default:
		s.filling.Truncate(seq)
		s.entered = len(s.filling.Entries) > 0
		s.age.Reset(s.cfg.BatchAge)
	}
	return true
}

// holds reports whether the batch holds an event up to a seq.
func (s *sequencer) holds(seq event.Seq) bool {
	n := s.filling.Entries
	return len(n) > 0 && n[0].Seq <= seq
}

// goBack goes back to the beginning of a gap from inside which an event came; false
// where that is not known, or was done already and brought nothing new.
func (s *sequencer) goBack(seq event.Seq, step *event.Step) bool {
	from, to := step.Between[0], step.Between[1]
	if !step.Contradicts || from == 0 || !s.tracker.MayReturn() {
		return false
	}
	conn, open := s.link.judge.Conn(), s.gap
	s.gap = gap{}
	detail := fmt.Sprintf("seq %s came after %s, and %s, which followed, lies between: one of them is false", to, from, seq)
	if s.withdrawTo(from) {
		s.doubts.after, s.doubts.conn = from, conn
		for _, doubted := range s.tracker.Return(from, seq, conn) {
			kept := open.frame
			if doubted != open.seq {
				kept = nil
			}
			s.doubts.add(doubted, kept)
		}
		s.cfg.Logger.Warn("Going back to the beginning of a gap: "+detail, "seq", from.String())
		s.link.close(event.ErrGap)
		return true
	}
	s.flush()
	// The sequencer stays where it is until all of that is stored: see resume.
	again := *s.tracker
	n := len(again.Return(from, seq, conn))
	s.Pipeline.returning = &again
	s.holding.Store(&hold{alarm: event.AlarmLeap, back: &from, detail: fmt.Sprintf(
		"%s; %d events behind the gap are stored, and what lies between is asked for again", detail, n)})
	s.link.close(event.ErrGap)
	return true
}

// returnTo goes back in the sink once everything up to at is stored.
func (g *generation) returnTo(ctx context.Context, h *hold, at event.Position) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for event.Seq(g.acked.Load()) != at.Seq {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := g.cfg.Sink.Return(ctx, *h.back); err != nil {
		return fmt.Errorf("go back to the beginning of a gap: %w", err)
	}
	return &event.Moved{To: event.AfterSeq(*h.back), Alarm: h.alarm, Detail: h.detail}
}

// takeTracker is the tracker to begin with: the former generation's, where that went
// back to the beginning of a gap.
func (g *generation) takeTracker() *event.Tracker {
	t := g.Pipeline.returning
	g.Pipeline.returning = nil
	if t == nil || t.Position() != g.at.Position {
		t = event.NewTracker(g.at.Position)
	}
	return t
}
