package block

import (
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/text"
)

// Tape is the data of an entry, or a record, by its nodes. It may be used again.
type Tape struct{ jsonscan.Tape }

// Bounds of what a tape keeps.
const (
	// mostSlots is what a record can take whose block is as large as one may be.
	mostSlots = 4 * dagcbor.MaxRecord
	// MostWhole is how many slots data takes at most that is kept whole: 4 MiB.
	MostWhole = 1 << 20
	// MostFlat is how many data takes at most without what its records hold. 200
	// ops take 2,400.
	MostFlat = 1 << 18
	// closedDepth is in how many containers the values of an op's keys stand.
	closedDepth = 3
)

// Parse reads an entry's data. What has more than a million values or so is kept without
// what its records hold: ParseRecord then reads what Closed gives of one.
func (t *Tape) Parse(data string) jsonscan.Reading {
	if got := t.Read(data, MostWhole); got != jsonscan.Crowded {
		return got
	}
	return t.ReadFlat(data, closedDepth, MostFlat)
}

// ParseRecord reads a record alone. It is crowded only where its block is larger than one
// may be.
func (t *Tape) ParseRecord(record string) jsonscan.Reading { return t.Read(record, mostSlots) }

// Path is where node target stands below node root, as in JavaScript.
func (t *Tape) Path(root, target int32) string {
	const mostSteps = 100 // deeper places are nobody's to read
	var b strings.Builder
	steps := 0
	for at := root; at >= 0 && at < target; steps++ {
		if steps == mostSteps {
			b.WriteString("…")
			break
		}
		at = t.toward(at, target, &b)
	}
	return strings.TrimPrefix(b.String(), ".")
}

// toward steps to the child of at that holds target and writes its name.
func (t *Tape) toward(at, target int32, b *strings.Builder) int32 {
	switch t.Kind(at) {
	case jsonscan.Object:
		for key, value := range t.Members(at) {
			if target < t.Next(value) {
				b.WriteString("." + text.Shorten(t.Text(key), MostName))
				return value
			}
		}
	case jsonscan.Array:
		for i, value := range t.Elements(at) {
			if target < t.Next(value) {
				fmt.Fprintf(b, "[%d]", i)
				return value
			}
		}
	}
	return -1
}

// MostName is how much a name that somebody else chose may take of a report, in bytes.
const MostName = 60

// IsText reports whether a node is there and is this text.
func (t *Tape) IsText(i int32, text string) bool { return i >= 0 && t.Is(i, text) }

// TextOr is what a text says, and "" of every other node.
func (t *Tape) TextOr(i int32) string {
	if t.Kind(i) != jsonscan.String {
		return ""
	}
	return t.Text(i)
}
