package event

// Verdict is what a Tracker says about a sequence number.
type Verdict uint8

const (
	// Fresh: above everything seen before; deliver it.
	Fresh Verdict = iota
	// Repeat: at or below the last seq; drop it and count (Q2, Q3).
	Repeat
)

// Tracker follows sequence numbers in stream order: it drops repeats and
// measures gaps. The zero Tracker has seen nothing. It is not safe for
// concurrent use.
type Tracker struct {
	pos Position
}

// NewTracker starts at pos.
func NewTracker(pos Position) *Tracker { return &Tracker{pos: pos} }

// Position is where the stream has got to: where to resume after a break.
func (t *Tracker) Position() Position { return t.pos }

// Last is the last fresh seq, or 0 if there was none.
func (t *Tracker) Last() Seq {
	if t.pos.Start == After {
		return t.pos.Seq
	}
	return 0
}

// Observe judges seq and, when it is fresh, moves on to it. Skipped is how many
// numbers lie between the last seq and this one: gaps are legal (Q1), so it is
// a measure and not an error.
func (t *Tracker) Observe(seq Seq) (v Verdict, skipped int64) {
	last := t.Last()
	if seq <= last {
		return Repeat, 0
	}
	if last > 0 {
		skipped = int64(seq - last - 1)
	}
	t.pos = AfterSeq(seq)
	return Fresh, skipped
}
