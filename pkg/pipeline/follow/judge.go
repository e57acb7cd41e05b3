package follow

import (
	"errors"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// The bounds of judgement. They are wide enough for what honest relays do
// (repeat the boundary event, overlap replay and live) and narrow enough that
// nothing is dropped for long without somebody hearing of it.
const (
	// StrayTime bounds how long a new connection may send only events below
	// the cursor before that is called a reset (Q6). It is a time and not a
	// count: a relay that ignores the cursor replays many events quickly and
	// gets there, one that restarted its numbering never does.
	StrayTime = 5 * time.Second
	// RegressEvents bounds repeats in the middle of a connection before it
	// is closed and judged anew from its first event.
	RegressEvents = 1000
	// RepeatTime bounds how long a connection may go on with nothing but
	// repeats before it is closed and judged anew; a single one, where replay
	// meets live, costs a quiet stream one new connection.
	RepeatTime = time.Minute
	// contradictions is how many events must lie inside a leap that was
	// believed before that is called a reset: one may be wrong itself.
	contradictions = 3
)

// ErrRegressed is why a connection is closed that is Regressed.
var ErrRegressed = errors.New("the relay keeps sending events that it sent before")

// Verdict is what an event at or below the last one says of its connection.
type Verdict uint8

const (
	// Boundary: it is the last event once more. Nothing is wrong, and what came
	// below it was the way here.
	Boundary Verdict = iota
	// First: it is the first repeat in a row. Should nothing else come for
	// Judge.Patience, ask Judge.Overdue.
	First
	// Repeat: it is another one. Drop it.
	Repeat
	// Regressed: close the connection, and judge the next one from its first event.
	Regressed
	// Restarted: the relay counts anew, from Judge.Lowest on. What it sends is not
	// what the position asks for.
	Restarted
	// Contradicted: a leap that was believed was none, or the relay counts anew.
	Contradicted
)

// Judge is what is known of one connection after the other. It holds no clock: who
// uses it waits for Patience. The zero Judge has seen no connection. It allocates
// nothing and is not safe for concurrent use.
type Judge struct {
	known   bool // some connection was entered
	conn    uint64
	reached bool // it sent the cursor's event or a later one
	count   int  // of repeats in a row
	first   event.Seq
	lost    int // of them, that were never delivered
}

// Enter notes whose events follow, and reports whether it is another connection than
// before: then nothing that an earlier one did counts any more.
func (j *Judge) Enter(conn uint64) (another bool) {
	if j.known && j.conn == conn {
		return false
	}
	*j = Judge{known: true, conn: conn}
	return true
}

// Conn is the connection entered last, and Reached whether it sent the cursor's event
// or a later one. Lowest is the first of the repeats in a row.
func (j *Judge) Conn() uint64      { return j.conn }
func (j *Judge) Reached() bool     { return j.reached }
func (j *Judge) Lowest() event.Seq { return j.first }

// Fresh notes an event above the last one; first tells that it is the connection's
// first one at or above the cursor.
func (j *Judge) Fresh() (first bool) {
	first = !j.reached
	j.reached, j.count, j.lost = true, 0, 0
	return first
}

// Old judges an event at or below the last one. The boundary event of an
// inclusive replay is at it (Q3), and so the end of any replay from below.
// contradicts is event.Step's.
func (j *Judge) Old(seq, last event.Seq, contradicts bool) Verdict {
	if seq == last {
		j.reached, j.count, j.lost = true, 0, 0
		return Boundary
	}
	if j.count++; j.count == 1 {
		j.first = seq
	}
	if contradicts {
		j.lost++
	}
	switch {
	case j.lost >= contradictions:
		return Contradicted
	case j.reached && j.count >= RegressEvents:
		return Regressed
	case j.count == 1:
		return First
	}
	return Repeat
}

// Patience is how long the connection may go on with nothing but repeats, from the
// First on.
func (j *Judge) Patience() time.Duration {
	if j.reached {
		return RepeatTime
	}
	return StrayTime
}

// Overdue is the verdict once Patience is over: Regressed, Restarted or, where the
// connection has come to something else meanwhile, Boundary.
func (j *Judge) Overdue() Verdict {
	switch {
	case j.count == 0:
		return Boundary
	case j.reached:
		return Regressed
	}
	return Restarted
}
