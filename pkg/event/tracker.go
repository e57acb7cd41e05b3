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
type Tracker struct {
	pos   Position
	pace  pace
	doubt doubt
	crossed
	delivered delivered
}

// crossed is the last leap that was believed.
type crossed struct{ from, to Seq }

// Step is what an event does to a Tracker.
type Step struct {
	Verdict Verdict
	// Skipped is how many numbers lie between the last seq and this one, of a
	// Fresh event: gaps are legal (Q1), so it is a measure and not an error.
	Skipped int64
	// Refuted is the lowest seq of the leap that this Fresh event disproves, 0
	// usually.
	Refuted Seq
	// Believed is set on the first event behind a leap that is now proven; it is
	// the highest seq that proved it. What came from above that did not.
	Believed Seq
	// Ask is set on a Leap when this connection has shown enough: close it, and
	// connect again from Position.
	Ask bool
	// Contradicts is set on a Repeat that lies inside a leap that was believed, or
	// inside a gap of this connection: its seq was never delivered, so that was none.
	// Between is then the seqs before and behind it.
	Contradicts bool
	Between     [2]Seq
}

// NewTracker starts at pos.
func NewTracker(pos Position) *Tracker { return &Tracker{pos: pos} }

// Rewind goes on from another position of the same relay. What was learned of its
// pace stays, and so does a leap that was believed: it is not doubted again.
func (t *Tracker) Rewind(pos Position) { t.pos, t.doubt, t.delivered.conn = pos, doubt{}, 0 }

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
	// An event above one in doubt does not disprove it: by now time explains both, but
	// the first was not delivered, and has to be asked for.
	if known || t.pace.near(last, seq, arrived) && (doubted == 0 || seq <= doubted) {
		step.Refuted = doubted
		if known {
			t.pace = t.pace.afresh(arrived, seq) // a leap that is read again is no second one
		} else {
			t.pace.note(last, seq, arrived)
		}
		if last == 0 {
			t.crossed = crossed{to: seq - min(seq, leapLeast)} // nothing has confirmed where it began
		}
	} else {
		proven, ask := t.doubt.add(last, seq, conn, arrived, &t.pace)
		if proven == nil {
			return Step{Verdict: Leap, Ask: ask}
		}
		step.Believed = proven.newest
		t.crossed = crossed{from: last, to: seq}
		t.pace = proven.pace.afresh(arrived, seq)
		t.pace.widest = proven.shown
		t.pace.learn(float64(seq - last))
	}
	if len(t.doubt.lines) > 0 {
		t.doubt = doubt{}
	}
	t.delivered.add(last, seq, conn)
	t.pos = AfterSeq(seq)
	return step
}

// repeat judges a seq that is not above the last one.
func (t *Tracker) repeat(seq Seq, conn uint64) Step {
	step := Step{Verdict: Repeat}
	if t.from < seq && seq < t.to {
		step.Contradicts, step.Between = true, [2]Seq{t.from, t.to}
	} else if from, to, ok := t.delivered.within(seq, conn); ok {
		step.Contradicts, step.Between = true, [2]Seq{from, to}
	}
	return step
}

// Believe moves on to an event that Observe called a Leap and somebody else has
// confirmed.
func (t *Tracker) Believe(seq Seq, conn uint64, arrived time.Time) Step {
	last := t.Last()
	t.crossed = crossed{from: last, to: seq}
	t.pace = t.pace.afresh(arrived, seq)
	t.doubt = doubt{}
	t.delivered.add(last, seq, conn)
	t.pos = AfterSeq(seq)
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
