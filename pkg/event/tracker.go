package event

import "time"

// Verdict is what a Tracker says about a sequence number.
type Verdict uint8

const (
	// Fresh: above everything seen before; deliver it.
	Fresh Verdict = iota
	// Repeat: at or below the last seq; drop it and count (Q2, Q3).
	Repeat
	// Leap: so far above the last seq that neither rate nor time explain it.
	// Deliver nothing and move nothing: what follows on this connection, or
	// another connection, tells whether it is true.
	Leap
)

// Tracker follows sequence numbers in stream order: it drops repeats, measures
// gaps and doubts leaps. The zero Tracker has seen nothing. It is not safe for
// concurrent use.
//
// A leap is an event whose seq is further above the last one than the usual
// gaps, the rate and the time that has passed allow. One such event proves
// nothing: accepted, it would make everything behind it a repeat. An event on
// the former numbers that follows on the same connection, or comes first on the
// next one, disproves it. Two connections on which nothing disproves it prove
// it, and the third one delivers it.
//
// A gap that is no leap but unusual is passed at once, and the event behind it is
// Unsure: the next event usually confirms it. Where one comes from inside the gap
// instead, or nothing comes, the caller takes back what it can and goes to the
// gap's beginning: see Return and Ask.
type Tracker struct {
	pos   Position
	pace  pace
	doubt doubt
	crossed
	delivered delivered
	asked     asked
	suspect   suspect
	start     Start // of pos, before the first event
	below     Seq   // the last event that came below the first one of a start
	// shown came from inside a gap that was none: what jumps over it is doubted.
	shown Seq
	news  int // fresh events since the last Return
	backs int // calls of Return
}

// asked is the event behind a gap that another connection shall show.
type asked struct {
	from  Seq // before the gap
	seq   Seq
	conn  uint64
	open  bool // it has not come since
	times int  // how often in a row it was asked about
}

// crossed is the last leap that was believed.
type crossed struct{ from, to Seq }

// Step is what an event does to a Tracker.
type Step struct {
	Verdict Verdict
	// Skipped is how many numbers lie between the last seq and this one, of a
	// Fresh event: gaps are legal (Q1), so it is a measure and not an error.
	Skipped int64
	// Unsure is set on a Fresh event behind a gap that is wider than usual: nothing
	// but this event tells that the numbers between are not in use. Where another
	// connection has shown it as well, it is Believed, and Unsure until one more has or
	// another event follows: the relay may say the same false thing twice.
	Unsure bool
	// Refuted is the lowest seq of the leap that this Fresh event disproves, 0
	// usually; or the seq that was asked about, see Ask.
	Refuted Seq
	// Believed is set on the first event behind a leap that is now proven; it is
	// the highest seq that proved it. What came from above that did not.
	Believed Seq
	// Ask is set on a Leap when this connection has shown enough: close it, and
	// connect again from Position.
	Ask bool
	// Contradicts is set on a Repeat that lies inside a leap that was believed, or
	// inside a gap among the last events: its seq was never delivered, so that was none.
	// Between is then the seqs before and behind it, or of a start without a cursor the
	// seq below it and the first one; the first is 0 where that is not known any more.
	Contradicts bool
	Between     [2]Seq
}

// NewTracker starts at pos.
func NewTracker(pos Position) *Tracker { return &Tracker{pos: pos, start: pos.Start} }

// Rewind goes on from another position of the same relay. What was learned of its
// pace stays, and so does a leap that was believed: it is not doubted again.
func (t *Tracker) Rewind(pos Position) {
	t.pos, t.doubt, t.asked, t.shown, t.suspect = pos, doubt{}, asked{}, 0, suspect{}
	t.start, t.below = pos.Start, 0
	t.delivered.forget()
}

// InFront begins anew in front of an event that is near below the first one of a start
// without a cursor. What jumps over it is a Leap until it has come again: see Opening.
func (t *Tracker) InFront(shown Seq) { *t = Tracker{pos: Behind(shown - 1), shown: shown} }

// MayReturn reports whether going back once more can help: something new came since
// it was done last.
func (t *Tracker) MayReturn() bool { return t.backs == 0 || t.news > 0 }

// Return goes back to the beginning of a gap, since an event from inside it has come
// on a connection: shown, a Repeat that Contradicts. Either that or what came behind
// the gap is false, and the relay, asked again from there, tells which: what jumps over
// shown is a Leap until then. It gives the seqs behind the gap that were delivered,
// rising, as far as they are remembered.
func (t *Tracker) Return(to, shown Seq, conn uint64) (delivered []Seq) {
	delivered = t.delivered.after(to)
	if len(delivered) > 0 {
		t.pace.forget(float64(delivered[0] - to))
	}
	t.back(to)
	t.shown, t.news, t.backs = shown, 0, t.backs+1
	if len(delivered) > 0 {
		t.ask(to, delivered[0], conn)
	}
	return delivered
}

// Ask goes back to a seq, since an Unsure one came behind a gap on a connection, and
// nothing has followed. If another connection shows that, it is Believed; any other event
// above the gap's beginning refutes it.
func (t *Tracker) Ask(to, from, seq Seq, conn uint64) {
	t.pace.unlearn(float64(seq - from))
	t.back(to)
	t.ask(from, seq, conn)
}

func (t *Tracker) ask(from, seq Seq, conn uint64) {
	if t.asked.seq != seq || t.asked.from != from {
		t.asked = asked{from: from, seq: seq}
	}
	t.asked.conn, t.asked.open = conn, true
	t.asked.times++
}

func (t *Tracker) back(to Seq) {
	t.delivered.cut(to)
	t.pos, t.doubt, t.suspect = Behind(to), doubt{}, suspect{}
	if t.crossed.from >= to {
		t.crossed = crossed{}
	}
}

// JumpsOver reports whether seq lies behind an event that another connection showed and
// that has not come since: see Return.
func (t *Tracker) JumpsOver(seq Seq) bool { return t.Last() < t.shown && seq > t.shown }

// Position is where the stream has got to: where to resume after a break.
func (t *Tracker) Position() Position { return t.pos }

// Last is the last fresh seq, or 0 if there was none.
func (t *Tracker) Last() Seq {
	if t.pos.Start == After {
		return t.pos.Seq
	}
	return 0
}

// Usual is the middle one of the last gaps, in numbers skipped; ok is false
// until a few are known.
func (t *Tracker) Usual() (skipped int64, ok bool) { return t.pace.usual() }

// Observe judges the seq of an event that arrived at a time on a connection, of
// which any two have different numbers. It moves on to it when it is Fresh.
func (t *Tracker) Observe(seq Seq, conn uint64, arrived time.Time) Step {
	last := t.Last()
	if seq <= last {
		return t.repeat(seq, conn)
	}
	step := Step{Skipped: gap(last, seq)}
	known := last > 0 && last == t.from && seq >= t.to && t.pace.near(t.to, seq, arrived)
	doubted := t.doubt.first()
	step.Unsure = step.Skipped > 0 && !known && !t.pace.usualGap(last, seq)
	// An event above one in doubt does not disprove it: by now time explains both, but
	// the first was not delivered, and has to be asked for. Nor does one that is unsure
	// disprove the one below it that was asked about.
	jumps := doubted > 0 && seq > doubted || t.JumpsOver(seq) || t.suspect.jumps(last, conn) || step.Unsure && t.asked.open && seq > t.asked.seq
	if known || t.pace.near(last, seq, arrived) && !jumps {
		step.Refuted = doubted
		if t.asked.open && seq > t.asked.from {
			t.answer(&step, last, seq, conn)
		}
		if known {
			t.pace = t.pace.afresh(arrived, seq) // a leap that is read again is no second one
		} else {
			t.pace.note(last, seq, arrived)
		}
		if last == 0 {
			t.crossed = crossed{to: seq - min(seq, leapLeast)} // nothing has confirmed where it began
		}
	} else {
		proven, ask := t.doubt.add(last, seq, t.JumpsOver(seq), conn, arrived, &t.pace)
		if proven == nil {
			return Step{Verdict: Leap, Ask: ask}
		}
		// What others showed below it should have come first.
		step.Believed, step.Unsure = proven.newest, seq > proven.first
		t.crossed = crossed{from: last, to: seq}
		t.pace = proven.pace.afresh(arrived, seq)
		t.pace.widest = proven.shown
		t.pace.learn(float64(seq - last))
	}
	if len(t.doubt.lines) > 0 {
		t.doubt = doubt{}
	}
	t.suspect.note(t.pos, seq, conn, step.Unsure || last == 0 && t.start == Oldest)
	t.advance(last, seq)
	return step
}

// advance moves on to a fresh event.
func (t *Tracker) advance(last, seq Seq) {
	t.delivered.add(last, seq)
	if t.pos = AfterSeq(seq); seq >= t.shown {
		t.shown = 0
	}
	t.asked.open = t.asked.open && seq <= t.asked.from
	t.news++
}

// answer notes what a fresh event says of the one that was asked about.
func (t *Tracker) answer(step *Step, last, seq Seq, conn uint64) {
	switch {
	case t.asked.seq == seq && t.asked.conn != conn:
		step.Believed, step.Unsure = seq, step.Unsure && t.asked.times < leapProofs
		t.pace.learn(float64(seq - last)) // the next such gap is usual
	case t.asked.seq != seq && step.Refuted == 0:
		step.Refuted = t.asked.seq
	}
}

// repeat judges a seq that is not above the last one.
func (t *Tracker) repeat(seq Seq, conn uint64) Step {
	step := Step{Verdict: Repeat}
	t.suspect.repeats(seq, conn)
	if from, to, ok := t.delivered.within(seq); ok {
		step.Contradicts, step.Between = true, [2]Seq{from, to}
	} else if first, ok := t.delivered.first(); ok && seq < first {
		if lowest := t.belowStart(seq); lowest > 0 {
			step.Contradicts, step.Between = true, [2]Seq{lowest - 1, first}
		}
	} else if t.from < seq && seq < t.to {
		step.Contradicts, step.Between = true, [2]Seq{t.from, t.to}
	}
	return step
}

// belowStart judges a seq below the first one of a start without a cursor. It gives the
// lowest seq that shows the first one to be false, 0 when nothing does. Nothing lies
// before the oldest event; a live start may be sent one event from before it.
func (t *Tracker) belowStart(seq Seq) (lowest Seq) {
	before := t.below
	t.below = seq
	switch {
	case t.start == Oldest:
		return seq
	case t.start == Live && before > 0 && seq > before:
		return before
	}
	return 0
}

// Believe moves on to an event that Observe called a Leap and somebody else has
// confirmed.
func (t *Tracker) Believe(seq Seq, arrived time.Time) Step {
	last := t.Last()
	t.crossed = crossed{from: last, to: seq}
	t.pace = t.pace.afresh(arrived, seq)
	t.doubt = doubt{}
	t.advance(last, seq)
	return Step{Skipped: gap(last, seq), Believed: seq}
}

// Doubted is what is not decided yet: the lowest seq of the leap, 0 when there is
// none.
func (t *Tracker) Doubted() Seq { return t.doubt.first() }

// Waited tells the Tracker that a connection which showed a leap was open for
// LeapWait since, and showed nothing that disproves it. It reports whether to
// close that one and connect again. A seq that no numbering has reached needs
// others behind it, and silence proves nothing.
func (t *Tracker) Waited(conn uint64) (ask bool) { return t.doubt.watched(conn) }

func gap(last, seq Seq) int64 {
	if last == 0 {
		return 0
	}
	return int64(seq - last - 1)
}
