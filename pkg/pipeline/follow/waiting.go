package follow

import (
	"bytes"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// An event behind a gap waits for the next one. What comes from inside the gap disproves
// it, and what follows it confirms it. Where nothing comes, another connection is asked
// about it, if the gap is unusual for the relay; others are believed soon.

const (
	// gapWait is how long an event behind a usual gap waits for the next: as long as
	// the pipeline gathers a batch.
	gapWait = 40 * time.Millisecond
	// mostWaiting and mostBytes bound what waits; one event always may. More than that in
	// a row, each behind an unusual gap, confirm one another.
	mostWaiting = 500
	mostBytes   = 512 << 10
)

// waiting are the last events, which nothing has confirmed yet.
type waiting struct {
	wide         bool      // the gap is unusual
	again        bool      // another connection has shown the event behind it as well
	from         event.Seq // before the first gap of several in a row
	before, seq  event.Seq // before the last one, and behind it; seq is 0 when there is none
	began, since time.Time // when the first one came, and the last
	items        []Item    // of a live start the first event, without a gap
	bytes        int
	kept         int // of items, that have memory of their own
}

func (w *waiting) open() bool { return w.seq > 0 }

// add lets an event wait.
func (w *waiting) add(i *Item) {
	if w.since = time.Now(); len(w.items) == 0 {
		w.began = w.since
	}
	w.items = append(w.items, *i)
	w.bytes += len(i.Frame)
}

// full reports whether one more event, which comes now, confirms those that wait.
func (w *waiting) full(wait time.Duration) bool {
	return len(w.items) >= mostWaiting || w.bytes >= mostBytes || time.Since(w.began) >= wait
}

// keep takes the frames out of their chunk's memory, which goes back to its source.
func (w *waiting) keep() {
	for ; w.kept < len(w.items); w.kept++ {
		i := &w.items[w.kept]
		i.Frame, i.own, i.Notice = bytes.Clone(i.Frame), true, nil
	}
}

// drop takes events above a seq back, and ends the gap.
func (w *waiting) drop(above event.Seq) {
	n := 0
	for n < len(w.items) && w.items[n].Seq <= above {
		n++
	}
	clear(w.items[n:])
	*w = waiting{items: w.items[:n], kept: min(w.kept, n), began: w.began, since: w.since}
	for i := range w.items {
		w.bytes += len(w.items[i].Frame)
	}
}

// place yields an event, with all that it confirms, or lets it wait.
func (l *loop) place(seq, last event.Seq, step *event.Step) {
	w := &l.waiting
	switch {
	case l.opening.Open():
		w.add(&l.item)
	case step.Skipped == 0 || step.Believed > 0 && !step.Unsure:
		l.release()
		l.give(&l.item)
	default:
		inRow := w.open() && w.wide && step.Unsure && step.Believed == 0
		if !inRow || w.full(event.LeapWaitWithin(l.IdleTimeout)) {
			l.release()
			w.wide, w.from = step.Unsure, last
		}
		w.before, w.seq, w.again = last, seq, step.Believed > 0
		w.add(&l.item)
	}
}

// release yields what waits.
func (l *loop) release() {
	w := &l.waiting
	if len(w.items) == 0 {
		w.seq = 0
		return
	}
	for i := range w.items {
		l.give(&w.items[i])
	}
	w.drop(0)
}

// patience is how long what waits may wait for the next event.
func (l *loop) patience() time.Duration {
	if w := &l.waiting; w.open() && !w.wide {
		return gapWait
	}
	return event.LeapWaitWithin(l.IdleTimeout)
}

// arm sets when what waits has waited long enough.
func (l *loop) arm() {
	if len(l.waiting.items) == 0 {
		l.due.Stop()
		return
	}
	l.due.Reset(max(0, time.Until(l.waiting.since.Add(l.patience()))))
}

// waited fires when what waits has waited long enough.
func (l *loop) waited() {
	switch w := &l.waiting; {
	case len(w.items) == 0 || l.closed:
	case l.opening.Open(), w.wide && !w.again:
		l.hangup(event.ErrLeap)
	default:
		l.release()
	}
}

// reconnect makes what waits a question to the next connection, and gives where that is to
// begin.
func (l *loop) reconnect() event.Position {
	w, conn := &l.waiting, l.judge.Conn()
	l.due.Stop()
	switch {
	case len(w.items) == 0:
	case l.opening.Open() && l.opening.Asks():
		l.startAgain()
	case l.opening.Open(): // live: without it there is nothing to go on behind
		first := w.items[0].Seq
		l.tracker.Ask(first-1, first-1, first, conn)
		l.opening.Begin(event.AfterSeq(first - 1))
		l.asked = first
		w.drop(0)
	default:
		l.Logger.Debug("Nothing followed the event behind a gap; another connection is asked about it", "seq", w.seq.String(), "after", w.before.String())
		l.tracker.Ask(w.from, w.before, w.seq, conn)
		w.drop(0)
	}
	at := l.tracker.Resume()
	l.overlaps = at != l.tracker.Position()
	return at
}

// startAgain undoes the first event of a start; what it was is remembered.
func (l *loop) startAgain() {
	l.waiting.drop(0)
	l.tracker, l.begun = *event.NewTracker(l.start), false
	l.opening.Again()
}

// forget goes back to a live start, whose first event another connection does not know.
func (l *loop) forget() {
	l.Logger.Warn("The relay does not know the first event of the live start, which is left out", "seq", l.asked.String())
	l.begin(event.Position{Start: event.Live})
}

// startsOver undoes the first event of a start when one that lies below it follows. That
// one is to be judged anew, unless the relay is asked again from in front of it.
func (l *loop) startsOver(seq, last event.Seq) bool {
	switch {
	case l.asked > 0 && seq < last:
		l.tellFirst(l.asked, seq)
		l.begin(event.Position{Start: event.Live})
		return true
	case len(l.waiting.items) == 0:
		return false
	}
	first, far, below := l.opening.Below(seq)
	if !below {
		return false
	}
	l.startAgain()
	if far {
		l.tellFirst(first, seq)
		return true
	}
	l.opening.InFront()
	l.tracker.InFront(seq)
	l.Logger.Warn("The first event of the start lies above the one that followed: the relay is asked again from there", "first", first.String(), "seq", seq.String())
	l.hangup(event.ErrLeap)
	return true
}

// tellFirst tells of a first event that was none.
func (l *loop) tellFirst(first, later event.Seq) {
	l.Logger.Warn("The first event of the start has a seq that others of the relay disprove; it is left out", "seq", first.String(), "then", later.String())
}
