package event

// Opening judges the first event of a start that has no seq to compare it with: one far
// above the true numbers would become the cursor, and all that follows a repeat. The
// event proves nothing until a second one is near it, or another connection, which a
// start from the oldest event can ask, begins near it as well. The zero Opening has seen
// no event; Begin says where it starts.
type Opening struct {
	start Start
	first Seq // of this start or, until one is sure, of an earlier one
	open  bool
}

// Begin starts at a position. What an earlier start began with is remembered.
func (o *Opening) Begin(pos Position) { o.start, o.open = pos.Start, false }

// Open reports whether all there is is one event that nothing confirms.
func (o *Opening) Open() bool { return o.open }

// Asks reports whether another connection can confirm it: from the oldest event. A live
// start could not get it again, and believes it once it is due.
func (o *Opening) Asks() bool { return o.open && o.start == Oldest }

// Fresh takes an event that is fresh; first tells that it is the only one since the start.
// It gives the first event of an earlier start which this one shows to be false, usually 0.
func (o *Opening) Fresh(first bool, seq Seq) (refuted Seq) {
	before := o.first
	if o.open = first && o.start != After; !o.open {
		return 0
	}
	o.first = seq
	if before > 0 && !FarAhead(before, seq) && !FarAhead(seq, before) {
		o.open = false
		return 0
	}
	if before > 0 && FarAhead(seq, before) {
		return before
	}
	return 0
}

// Below reports whether a Repeat lies so far below the first event that this was none,
// and forgets it: which of the two is wrong the next event tells.
func (o *Opening) Below(seq Seq) (first Seq, below bool) {
	if !o.open || !FarAhead(seq, o.first) {
		return 0, false
	}
	first = o.first
	o.first, o.open = 0, false
	return first, true
}

// Again goes back to the start, where a connection ended with the first event or brought
// nothing else: the next one has it as well, if it is true.
func (o *Opening) Again() { o.open = false }
