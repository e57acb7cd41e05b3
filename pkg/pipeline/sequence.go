package pipeline

import (
	"context"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// positionAge is how long a position that no entry carries (filtered events,
// #sync) may wait to be stored. It only bounds what is read again after a
// restart, so it need not cost Redis a call every BatchAge.
const positionAge = time.Second

// sequencer takes decoded chunks in the order they were read, follows the
// sequence numbers and fills batches.
type sequencer struct {
	*generation
	tracker *event.Tracker
	counts  event.Counts
	link    link
	poison  poison
	revs    *revs
	doubts  doubts
	seam    event.Seam
	watch   *time.Timer // fires when doubts and seam have waited long enough

	filling *event.Batch
	flushed event.Position // what earlier batches cover
	age     *time.Timer    // fires when filling is due
	entered bool           // filling holds an entry
	gap     gap            // before the end of filling
	overdue bool           // filling waits for its gap to be confirmed
	times   event.Times    // of the last events
	fresh   int64          // events that were
	first   event.Opening
	reached bool // UntilSeq is covered
}

func (g *generation) newSequencer() *sequencer {
	s := &sequencer{
		generation: g,
		tracker:    g.takeTracker(),
		flushed:    g.at.Position,
		revs:       &g.recent,
		age:        time.NewTimer(time.Hour),
		watch:      time.NewTimer(time.Hour),
	}
	if g.at.Time != "" {
		s.times.Note([]byte(g.at.Time))
	}
	s.first.Begin(g.at.Position)
	s.age.Stop()
	s.watch.Stop()
	s.link.stray = time.NewTimer(time.Hour)
	s.link.stray.Stop()
	return s
}

// sequence runs the sequencer until the reader ends, UntilSeq is reached or
// the generation is given up; then it flushes.
func (g *generation) sequence(ctx context.Context) error {
	defer close(g.filled)
	defer close(g.over)
	select {
	case <-g.flowing:
	case <-ctx.Done():
		return errDone
	}
	s := g.newSequencer()
	defer s.age.Stop()
	defer s.link.stray.Stop()
	defer s.watch.Stop()
	for !s.reached {
		select {
		case w, ok := <-g.ordered:
			if !ok {
				s.judgeSeam(true)
				if s.gap.open() && g.stopping.Load() {
					s.withdrawTo(s.gap.from) // it is read again
				}
				s.flush()
				return nil
			}
			if err := s.take(ctx, w); err != nil {
				return err
			}
		case <-s.age.C:
			s.due()
		case <-s.link.stray.C:
			s.strayTooLong()
		case <-s.watch.C:
			s.watched()
		case <-ctx.Done():
			return errDone
		}
	}
	g.stopReading()
	s.judgeSeam(true)
	s.flush()
	return nil
}

// take accounts for one chunk, portion by portion, or answers a barrier.
func (s *sequencer) take(ctx context.Context, w *work) error {
	if w.barrier != nil {
		s.reopen()
		if s.gap.open() {
			s.askGap()
		}
		w.barrier <- [2]event.Position{s.tracker.Position(), s.tracker.Resume()}
		return nil
	}
	for more := true; more; {
		select {
		case <-w.done:
		case <-ctx.Done():
			return errDone
		}
		if err := s.portion(ctx, w); err != nil {
			return err
		}
		if more = w.more; more {
			w.reset()
			w.again <- !s.link.hungUp && !s.reached
		}
	}
	s.lull(&w.from)
	s.recycle(w)
	return nil
}

// portion accounts for what was made of a chunk's next frames.
func (s *sequencer) portion(ctx context.Context, w *work) error {
	s.counts = event.Counts{}
	if s.link.enter(&w.from) {
		s.judgeSeam(false)
	}
	lent := false
	for i := range w.marks {
		if s.link.hungUp || s.reached {
			break // the source will bring these again
		}
		m := &w.marks[i]
		if err := s.account(ctx, &w.from, m); err != nil {
			return err
		}
		lent = lent || m.lent
	}
	if w.large && !lent {
		s.giveLarge()
	}
	s.counts.Last = s.tracker.Position().Seq
	s.placed.Store(int64(s.counts.Last))
	s.cfg.Observer.Counted(&s.counts)
	return nil
}

// lull sends the batch on its way when nothing follows at once and nothing is
// queued: these events have waited already, in the socket, and all else would
// be another timer. When the sink is behind, waiting makes batches larger.
func (s *sequencer) lull(chunk *event.Chunk) {
	if chunk.Lull && s.entered && !s.opening() && !s.gap.open() && len(s.ordered) == 0 && len(s.filled) == 0 {
		s.flush()
	}
}

// account gives one frame its place: delivered, passed over with a count, or
// the reason to break the connection.
func (s *sequencer) account(ctx context.Context, chunk *event.Chunk, m *mark) error {
	s.counts.Frames++
	s.counts.Bytes += int64(m.size)
	switch {
	case m.reject != nil && m.reject.Reason.Framing():
		s.framing(m)
		return nil
	case m.notice != nil:
		s.notice(m)
		return nil
	case m.seq == 0:
		s.report(m)
		return nil
	}
	before := s.tracker.Position()
	if s.tracker.Forgotten(m.seq, chunk.Conn) {
		s.tracker.Trust()
		s.link.close(event.ErrForgotten)
		return nil
	}
	step := s.tracker.Observe(m.seq, chunk.Conn, chunk.Arrived)
	if step.Verdict == event.Repeat && s.takeBack(m.seq) {
		if s.link.hungUp {
			return nil
		}
		step = s.tracker.Observe(m.seq, chunk.Conn, chunk.Arrived)
	}
	if step.Verdict == event.Leap && chunk.Judged && !s.tracker.JumpsOver(m.seq) {
		step = s.tracker.Believe(m.seq, chunk.Arrived)
	}
	switch {
	case step.Verdict == event.Repeat:
		s.counts.Repeats++
		if !s.tracker.Repeated(m.seq) && !s.goBack(m.seq, &step) {
			s.repeated(m.seq, &step)
		}
		return nil
	case step.Verdict == event.Leap:
		s.doubt(m, step)
		return nil
	}
	s.settle(m.seq, step)
	if chunk.Judged { // it kept the event back until it was confirmed
		s.tracker.Trust()
	} else {
		s.gap.note(before.Seq, m, &step)
	}
	if step.Unsure && step.Believed == 0 && !chunk.Judged && s.cfg.UntilSeq > 0 && m.seq >= s.cfg.UntilSeq {
		s.gap = gap{from: before.Seq, before: before.Seq, seq: m.seq, frame: m.frame}
		s.askGap() // it would end the run; this copies the frame
		return nil
	}
	if s.beyondUntil(m.seq) {
		return nil
	}
	s.fresh++
	s.link.advance(func() { s.joinFirst(before, step.Skipped, m) })
	s.joinNext(m)
	if step.Skipped > 0 {
		s.counts.Gaps++
		s.counts.Skipped += step.Skipped
	}
	if s.revs.repeats(m) {
		s.counts.Repeats++
		m.entry = nil
	} else {
		s.report(m)
	}
	err := s.store(ctx, chunk, m)
	s.confirmed()
	return err
}

// beyondUntil ends the run in front of an event above UntilSeq, which is then
// covered without being present.
func (s *sequencer) beyondUntil(seq event.Seq) bool {
	s.reached = s.cfg.UntilSeq > 0 && seq > s.cfg.UntilSeq
	return s.reached
}

// report counts what the frame was and shows frames worth keeping.
func (s *sequencer) report(m *mark) {
	if m.reject != nil {
		s.counts.Rejected[m.reject.Reason]++
		s.cfg.Observer.Rejected(m.reject, m.frame)
		return
	}
	s.counts.Events[m.kind]++
	if m.filtered {
		s.counts.Filtered++
	}
	for _, o := range m.ops {
		s.counts.Ops[o.collection][o.action]++
	}
	for flag := range event.Flag(event.FlagKinds) {
		if m.flags.Has(flag) {
			s.counts.Flags[flag]++
		}
	}
	for _, reason := range m.skips {
		s.counts.Rejected[reason]++
	}
	if len(m.skips) > 0 {
		s.cfg.Observer.Rejected(&event.Reject{Reason: m.skips[0], Seq: m.seq, Detail: "op skipped, its siblings delivered"}, m.frame)
	}
}

// store puts the event's entry, or only its position, into the batch.
func (s *sequencer) store(ctx context.Context, chunk *event.Chunk, m *mark) error {
	if len(m.time) > 0 {
		s.times.Note(m.time)
	}
	if s.filling != nil && m.entry != nil && s.full(len(m.entry)) {
		s.flush()
		s.gap.from = max(s.gap.from, s.flushed.Seq) // the rest is on its way to the sink
	}
	if err := s.open(ctx, chunk); err != nil {
		return err
	}
	if m.entry == nil {
		s.filling.Upto = m.seq
	} else {
		if !s.entered {
			s.entered = true
			s.age.Reset(s.cfg.BatchAge)
		}
		s.put(m)
	}
	s.await(m.seq)
	s.reached = s.cfg.UntilSeq > 0 && m.seq >= s.cfg.UntilSeq
	return nil
}

// put gives the batch an entry. One that is larger than any batch is lent, and the
// batch goes at once: the next such entry waits for its memory.
func (s *sequencer) put(m *mark) {
	if !m.large || len(m.entry) <= s.cfg.BatchBytes {
		s.filling.Add(m.seq, m.kind, m.entry)
		return
	}
	m.lent = true
	s.filling.Lend(m.seq, m.kind, m.entry)
	s.flush()
}

func (s *sequencer) full(more int) bool {
	n := len(s.filling.Entries)
	return n >= s.cfg.BatchSize || n > 0 && s.filling.Bytes+more > s.cfg.BatchBytes
}

// open makes sure that a batch is being filled. Waiting for an empty one is
// the backpressure of a slow sink.
func (s *sequencer) open(ctx context.Context, chunk *event.Chunk) error {
	if s.filling != nil {
		return nil
	}
	select {
	case s.filling = <-s.empty:
	case <-ctx.Done():
		return errDone
	}
	s.filling.Reset(s.flushed)
	s.filling.Arrived = chunk.Arrived
	s.entered = false
	s.age.Reset(positionAge)
	return nil
}

// flush hands the batch to the writer. There is always room: the channel holds
// as many batches as exist.
func (s *sequencer) flush() {
	if s.filling == nil {
		return
	}
	s.age.Stop()
	s.overdue = false
	if sent, _, ok := s.times.Middle(); ok {
		s.filling.Time = append(s.filling.Time[:0], sent...)
	}
	s.flushed = event.AfterSeq(s.filling.Upto)
	s.filled <- s.filling
	s.filling = nil
	s.shrink()
}
