package verify

import (
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/text"
)

// tape is the data of an entry, or a record, by its nodes.
type tape struct{ jsonscan.Tape }

// Bounds of what a tape keeps.
const (
	// mostSlots is what a record can take whose block is as large as one may be.
	mostSlots = 4 * dagcbor.MaxRecord
	// mostWhole is how many slots data takes at most that is kept whole: 4 MiB.
	mostWhole = 1 << 20
	// mostFlat is how many data takes at most without what its records hold. 200
	// ops take 2,400.
	mostFlat = 1 << 18
	// closedDepth is in how many containers the values of an op's keys stand.
	closedDepth = 3
)

// parse reads an entry's data. What has more than a million values or so is kept
// without what its records hold; inside then reads one.
func (t *tape) parse(text string) jsonscan.Reading {
	if got := t.Read(text, mostWhole); got != jsonscan.Crowded {
		return got
	}
	return t.ReadFlat(text, closedDepth, mostFlat)
}

// inside reads a closed container of another tape. It is crowded only where its
// block is larger than one may be.
func (t *tape) inside(other *tape, i int32) jsonscan.Reading {
	return t.Read(other.Closed(i), mostSlots)
}

// path is where node target stands below node root, as in JavaScript.
func (t *tape) path(root, target int32) string {
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
func (t *tape) toward(at, target int32, b *strings.Builder) int32 {
	switch t.Kind(at) {
	case jsonscan.Object:
		for key, value := range t.Members(at) {
			if target < t.Next(value) {
				b.WriteString("." + clip(t.Text(key)))
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

// clip bounds what a foreign name may take of a report.
func clip(name string) string {
	const most = 60
	return text.Shorten(name, most)
}

// isText is is for nodes that may be absent, sayOr is say for nodes of any kind.
func (t *tape) isText(i int32, text string) bool { return i >= 0 && t.Is(i, text) }

func (t *tape) sayOr(i int32) string {
	if t.Kind(i) != jsonscan.String {
		return ""
	}
	return t.Text(i)
}
