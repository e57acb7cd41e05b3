package event

import (
	"errors"
	"fmt"
)

// Lead is what a sink that several processes share says when asked which of
// them stores.
type Lead struct {
	// Leading is set when it is this one, for as long as it goes on storing
	// or asking. By is otherwise who does, as it calls itself.
	Leading bool
	By      string
	// Cursor is the stored cursor, 0 when there is none: everything up to it
	// is stored. A sink of several cursors gives the lowest.
	Cursor Seq
}

// Led is what a sink returns instead of storing a batch when another process
// has taken the lead, which happens to one that was paused or cut off. Nothing
// of the batch is stored, and nothing is lost: the other stores it. By is who
// leads.
type Led struct{ By string }

// Error says who leads.
func (l *Led) Error() string { return fmt.Sprintf("%s leads", l.By) }

// Role is what a process is to the others that share its sink.
type Role struct {
	// Leading is set for the one that stores. By is otherwise who does.
	Leading bool
	By      string
	// Cursor is the stored cursor, 0 when there is none.
	Cursor Seq
}

// ErrHeld is why a connection is closed when only an operator can decide how to
// go on: no retry by itself resolves it.
var ErrHeld = errors.New("held until an operator decides")

// Why a connection is closed so that another one shows what is true of the numbers: see
// Tracker.
var (
	ErrLeap      = errors.New("the numbers leapt: another connection shall confirm it")
	ErrGap       = errors.New("an event came from inside a gap: what lies behind the gap's beginning is asked for again")
	ErrForgotten = errors.New("the relay's oldest event is later than the last one here: it is asked from there")
)

// ErrTakeOver is why a process that takes over closes its connection, when that
// does not reach back to the cursor: the source is to connect again at once.
var ErrTakeOver = errors.New("taking over, from further back than this connection began")
