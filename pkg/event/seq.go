package event

import "strconv"

// Seq is a relay's sequence number: positive, rising, below 2^53, with
// arbitrary gaps (protocol rule Q1). Zero means "none". It belongs to one
// relay host and is meaningless on another (Q8).
type Seq int64

// MaxSeq is the largest sequence number a relay may send (Q1).
const MaxSeq Seq = 1<<53 - 1

// String prints the exact decimal digits, as keys and JSON carry them.
func (s Seq) String() string { return strconv.FormatInt(int64(s), 10) }

// Valid reports whether s can have come from a relay.
func (s Seq) Valid() bool { return s > 0 && s <= MaxSeq }

// ParseSeq reads what String prints: plain decimal digits and nothing else.
// Zero is accepted; the caller decides what a zero cursor means.
func ParseSeq(text string) (Seq, bool) {
	if text == "" || len(text) > 16 {
		return 0, false
	}
	var n Seq
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = n*10 + Seq(digit-'0')
	}
	return n, n <= MaxSeq
}

// Start says how a Position is to be read.
type Start uint8

// The ways to begin reading a relay (Q4).
const (
	// Live sends no cursor: only what happens from now on.
	Live Start = iota
	// Oldest sends cursor=0: everything the relay still holds.
	Oldest
	// After sends cursor=Seq: everything above Seq. Relays that replay
	// inclusively repeat Seq itself, which readers drop (Q3).
	After
)

// Position is a place in a relay's stream.
type Position struct {
	Start Start
	Seq   Seq // the last seq already had; used only with After
}

// AfterSeq is the position just behind seq.
func AfterSeq(seq Seq) Position { return Position{Start: After, Seq: seq} }

// Behind is the position behind a cursor: behind 0 lies all that a relay holds.
func Behind(cursor Seq) Position {
	if cursor == 0 {
		return Position{Start: Oldest}
	}
	return AfterSeq(cursor)
}

// String is the position as logs and flags name it: live, oldest or the seq.
func (p Position) String() string {
	switch p.Start {
	case Live:
		return "live"
	case Oldest:
		return "oldest"
	default:
		return p.Seq.String()
	}
}
