package event

// suspect is the stretch behind the first of the last unusual gaps, or behind the first
// event of a start, that one connection alone has shown. What follows on that connection
// may be as false as the gap was, and nothing there tells. So where that connection ends,
// the next one is asked from in front of it: what it sends again is dropped, and an event
// from inside the gap says that this was none. Once another connection goes on behind
// the last event, the gaps are confirmed.
type suspect struct {
	from Position
	to   Seq // the first event behind the last of the gaps; 0 when there is none
	conn uint64
	n    int // events since the first
	// at is the last event that came again on a connection that was asked so: what
	// comes fresh there, before the others have, jumps over them.
	at     Seq
	atConn uint64
}

// suspectMost is how many events prove a gap. A Tracker remembers as many.
const suspectMost = deliveredMost - 1

// note takes a fresh event that came from a position on; unusual says that what lies
// before it may be a false gap.
func (s *suspect) note(before Position, seq Seq, conn uint64, unusual bool) {
	if s.to > 0 {
		if s.n++; s.n > suspectMost || conn != s.conn {
			*s = suspect{}
		}
	}
	switch {
	case !unusual:
	case s.to == 0:
		*s = suspect{from: before, to: seq, conn: conn}
	default:
		s.to = seq
	}
}

// repeats takes an event that comes again.
func (s *suspect) repeats(seq Seq, conn uint64) {
	if s.to > 0 && conn != s.conn {
		s.at, s.atConn = seq, conn
	}
}

// jumps reports whether a fresh event comes before those that have to come again.
func (s *suspect) jumps(last Seq, conn uint64) bool {
	return s.to > 0 && conn == s.atConn && s.at < last
}

// Resume is where to ask the relay from after a break: Position, or some events before it,
// where an unusual gap among the last ones needs to be seen on another connection. What
// was delivered is a Repeat then.
func (t *Tracker) Resume() Position {
	if t.suspect.to > 0 {
		return t.suspect.from
	}
	return t.pos
}

// Repeated reports whether a seq was delivered and comes again as Resume asked for.
func (t *Tracker) Repeated(seq Seq) bool {
	return t.suspect.to > 0 && seq > t.suspect.from.Seq && t.delivered.has(seq)
}

// Forgotten reports whether a relay that was asked from the oldest event, to confirm the
// first one of a start, begins with a later one than the last: it does not hold that any
// more. Then Trust what there is, and ask again from Position: only where it is asked from
// a seq does a relay say that it lacks some.
func (t *Tracker) Forgotten(seq Seq, conn uint64) bool {
	s := &t.suspect
	return s.to > 0 && s.from.Start == Oldest && conn != s.conn && conn != s.atConn && seq > t.Last()
}

// Trust takes the last event and all before it as confirmed by somebody else.
func (t *Tracker) Trust() { t.suspect = suspect{} }
