package verify

import (
	"strings"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/dagcbor"
)

// tape is one JSON text, parsed: its nodes in the order of the text, each
// before those inside it. It judges as encoding/json does, in a fraction of its
// time and without allocating, since memory is kept from text to text.
// FuzzTape proves the two equal. Other than the scanner of pkg/entry, which
// only passes over text, it keeps what is needed to walk a record twice.
//
// A node is known by its first slot. A container has two: where it begins in the
// text, and the node behind it and all inside it. Other nodes have the first alone:
// what they hold is read from the text again. That is at most 4 bytes of memory for
// each byte of DAG-CBOR, but for {"$bytes":""}, which is 16 for one.
type tape struct {
	text  string
	slots []uint32
	used  int  // slots that the text takes; those beyond slots are not kept
	flat  bool // containers in data's ops and deeper are closed: see parse
}

// marked is set in the first slot of a string with escapes, of a number with a
// fraction or an exponent, and of a closed container, whose second slot is where it
// ends in the text.
const marked = 1 << 31

// Bounds of what a tape keeps.
const (
	// mostSlots is what a record can take whose block is as large as one may be.
	mostSlots = 4 * dagcbor.MaxRecord
	// mostWhole is how many slots data takes at most that is kept whole: 4 MiB.
	mostWhole = 1 << 20
	// mostFlat is how many data takes at most without what its records hold. 200
	// ops take 2,400.
	mostFlat = 1 << 18
	// closedDepth is how deep the values of an op's keys stand.
	closedDepth = 4
)

const (
	kindObject = '{'
	kindArray  = '['
	kindString = '"'
	kindNumber = '0'
	kindTrue   = 't'
	kindFalse  = 'f'
	kindNull   = 'n'
)

// maxNesting is where encoding/json stops.
const maxNesting = 10_000

// reading is what parse made of a text.
type reading int

const (
	notJSON   reading = iota // it is not one JSON value in UTF-8; nodes mean nothing
	readWhole                // every node is there
	readFlat                 // containers in ops and deeper are closed
	crowded                  // it has too many values to be kept; nodes mean nothing
)

// parse reads an entry's data, which node 0 then stands for. What has more than a
// million values or so is kept without what its records hold; inside then reads one.
func (t *tape) parse(text string) reading {
	if got := t.read(text, false, mostWhole); got != crowded {
		return got
	}
	return t.read(text, true, mostFlat)
}

// parseWhole is parse for text of which no node may be missing.
func (t *tape) parseWhole(text string) reading { return t.read(text, false, mostWhole) }

// inside reads a closed container of another tape. It is crowded only where its
// block is larger than one may be.
func (t *tape) inside(other *tape, i int32) reading {
	return t.read(other.text[other.at(i):other.slots[i+1]], false, mostSlots)
}

func (t *tape) read(text string, flat bool, most int) reading {
	t.text, t.flat = text, flat
	if len(text) >= marked || !t.scan() || !utf8.ValidString(text) {
		return notJSON
	}
	if t.used > most {
		return crowded
	}
	if t.used > len(t.slots) {
		const fewest = 1 << 10
		size := max(fewest, 2*len(t.slots), t.used)
		t.slots = nil // may be collected before there are others
		t.slots = make([]uint32, min(size, most))
		t.scan()
	}
	if flat {
		return readFlat
	}
	return readWhole
}

// scan passes over the text and keeps the slots there is room for.
func (t *tape) scan() (ok bool) {
	t.used = 0
	at := t.value(t.space(0), 1)
	return at >= 0 && t.space(at) == len(t.text)
}

func (t *tape) space(i int) int {
	for i < len(t.text) {
		if c := t.text[i]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return i
		}
		i++
	}
	return i
}

// value reads the value at i and returns its end, -1 when there is none.
func (t *tape) value(i, depth int) int {
	if i >= len(t.text) {
		return -1
	}
	switch t.text[i] {
	case '"':
		return t.str(i)
	case '{':
		return t.object(i, depth)
	case '[':
		return t.array(i, depth)
	case 't':
		return t.word(i, "true")
	case 'f':
		return t.word(i, "false")
	case 'n':
		return t.word(i, "null")
	}
	return t.number(i)
}

// add keeps a slot.
func (t *tape) add(slot uint32) {
	if t.used < len(t.slots) {
		t.slots[t.used] = slot
	}
	t.used++
}

// open begins a container and gives its node.
func (t *tape) open(at int) (self int) {
	self = t.used
	t.add(uint32(at))
	t.add(0)
	return self
}

// closed completes a container that ends before end.
func (t *tape) closed(self, depth, end int) int {
	behind, flag := uint32(t.used), uint32(0)
	if t.flat && depth >= closedDepth {
		t.used = self + 2
		behind, flag = uint32(end), marked
	}
	if self+1 < len(t.slots) {
		t.slots[self] |= flag
		t.slots[self+1] = behind
	}
	return end
}

func (t *tape) object(i, depth int) int {
	if depth > maxNesting {
		return -1
	}
	self := t.open(i)
	i = t.space(i + 1)
	if i < len(t.text) && t.text[i] == '}' {
		return t.closed(self, depth, i+1)
	}
	for {
		if i >= len(t.text) || t.text[i] != '"' {
			return -1
		}
		if i = t.str(i); i < 0 {
			return -1
		}
		if i = t.space(i); i >= len(t.text) || t.text[i] != ':' {
			return -1
		}
		if i = t.value(t.space(i+1), depth+1); i < 0 {
			return -1
		}
		if i = t.space(i); i >= len(t.text) {
			return -1
		}
		switch t.text[i] {
		case ',':
			i = t.space(i + 1)
		case '}':
			return t.closed(self, depth, i+1)
		default:
			return -1
		}
	}
}

func (t *tape) array(i, depth int) int {
	if depth > maxNesting {
		return -1
	}
	self := t.open(i)
	i = t.space(i + 1)
	if i < len(t.text) && t.text[i] == ']' {
		return t.closed(self, depth, i+1)
	}
	for {
		if i = t.value(i, depth+1); i < 0 {
			return -1
		}
		if i = t.space(i); i >= len(t.text) {
			return -1
		}
		switch t.text[i] {
		case ',':
			i = t.space(i + 1)
		case ']':
			return t.closed(self, depth, i+1)
		default:
			return -1
		}
	}
}

// ordinary marks the bytes that a string holds as they are.
var ordinary = func() (table [256]bool) {
	for c := ' '; c < 256; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

func (t *tape) str(i int) int {
	text, slot := t.text, uint32(i)
	for i++; i < len(text); i++ {
		c := text[i]
		if ordinary[c] {
			continue
		}
		switch {
		case c == '"':
			t.add(slot)
			return i + 1
		case c != '\\':
			return -1
		}
		n := escapeLen(text[i:])
		if n == 0 {
			return -1
		}
		slot |= marked
		i += n - 1
	}
	return -1
}

// escapeLen is the length of the escape that text begins with; 0 if it is none.
func escapeLen(text string) int {
	const long = 6
	if len(text) < 2 {
		return 0
	}
	if strings.IndexByte(`"\/bfnrt`, text[1]) >= 0 {
		return 2
	}
	if text[1] != 'u' || len(text) < long {
		return 0
	}
	for _, c := range []byte(text[2:long]) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0
		}
	}
	return long
}

func (t *tape) word(i int, word string) int {
	if !strings.HasPrefix(t.text[i:], word) {
		return -1
	}
	t.add(uint32(i))
	return i + len(word)
}

func (t *tape) number(start int) int {
	i, slot := start, uint32(start)
	if t.text[i] == '-' {
		i++
	}
	if i < len(t.text) && t.text[i] == '0' {
		i++
	} else if i = t.digits(i); i < 0 {
		return -1
	}
	if i < len(t.text) && t.text[i] == '.' {
		slot |= marked
		if i = t.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(t.text) && t.text[i]|0x20 == 'e' {
		slot |= marked
		i++
		if i < len(t.text) && (t.text[i] == '+' || t.text[i] == '-') {
			i++
		}
		if i = t.digits(i); i < 0 {
			return -1
		}
	}
	t.add(slot)
	return i
}

// digits reads one or more.
func (t *tape) digits(i int) int {
	start := i
	for i < len(t.text) && t.text[i] >= '0' && t.text[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
