package event

// Opening judges the first event of a start that has no seq to compare it with: one far
// above the true numbers would become the cursor, and all that follows a repeat. The
// event proves nothing until a second one follows it, or another connection, which a
// start from the oldest event can ask, begins with it as well. The zero Opening has seen
// no event; Begin says where it starts.
type Opening struct {
	start Start
	first Seq // of this start or, until one is sure, of an earlier one
	// claimed was the first event of a connection, and lay near above what came later: if
	// it does not come again in its place, it was false. 0 for none.
	claimed Seq
	open    bool
}

// Begin starts at a position. What an earlier start began with is remembered.
func (o *Opening) Begin(pos Position) { o.start, o.open = pos.Start, false }

// Open reports whether all there is is one event that nothing confirms.
func (o *Opening) Open() bool { return o.open }

// Asks reports whether another connection can confirm it: from the oldest event. A live
// start could not get it again, and believes it once it is due.
func (o *Opening) Asks() bool { return o.open && o.start == Oldest }

// Fresh takes an event that is fresh; first tells that it is the only one since the start.
// It gives the first event of an earlier connection which this one shows to be false,
// usually 0.
func (o *Opening) Fresh(first bool, seq Seq) (refuted Seq) {
	before := o.first
	first = first && o.start != After
	switch {
	case !first || before == 0:
	case FarAhead(seq, before):
		refuted = before
	case seq < before:
		refuted, o.claimed = o.claimed, before
	}
	if o.claimed > 0 && seq >= o.claimed {
		if seq > o.claimed {
			refuted = o.claimed
		}
		o.claimed = 0
	}
	if o.open = first && seq != before; o.open {
		o.first = seq
	}
	return refuted
}

// Below reports whether a Repeat lies below the first event, while that is all there is:
// one of the two is false. Far below, the first one was, and is forgotten. Near, the relay
// tells when it is asked again from in front of the Repeat: see InFront.
func (o *Opening) Below(seq Seq) (first Seq, far, below bool) {
	if !o.open || seq >= o.first {
		return 0, false, false
	}
	if first, far = o.first, FarAhead(seq, o.first); far {
		o.first, o.open = 0, false
	}
	return first, far, true
}

// InFront goes on from in front of an event that is near below the first one, which may
// come again: if it is passed over instead, Fresh tells that it was false.
func (o *Opening) InFront() { o.start, o.claimed, o.open = After, o.first, false }

// Again goes back to the start, where a connection ended with the first event or brought
// nothing else: the next one has it as well, if it is true.
func (o *Opening) Again() { o.open = false }
