package jsonscan

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Tape is one JSON text, parsed: its nodes in the order of the text, each
// before those inside it. It judges as encoding/json does, in a fraction of its
// time and without allocating, since memory is kept from text to text. The zero Tape
// is ready for Read.
//
// A node is known by its first slot. A container has two: where it begins in the
// text, and the node behind it and all inside it. Other nodes have the first alone:
// what they hold is read from the text again. That is at most 4 bytes of memory for
// each byte of DAG-CBOR, but for {"$bytes":""}, which is 16 for one.
type Tape struct {
	text  string
	slots []uint32
	used  int    // slots that the text takes; those beyond slots are not kept
	seen  uint64 // the bytes of strings and of what follows, one or another
	flat  int    // containers in so many others, and deeper, are closed; 0 for none
}

// marked is set in the first slot of a string with escapes, of a number with a
// fraction or an exponent, and of a closed container, whose second slot is where it
// ends in the text.
const marked = 1 << 31

// The kinds of nodes, as Kind tells them.
const (
	Object = '{'
	Array  = '['
	String = '"'
	Number = '0'
	True   = 't'
	False  = 'f'
	Null   = 'n'
)

// maxNesting bounds recursion; encoding/json stops there as well.
const maxNesting = 10_000

// Reading is what Read made of a text.
type Reading int

// What a text turned out to be.
const (
	NotJSON Reading = iota // it is not one JSON value in UTF-8; nodes mean nothing
	Whole                  // every node is there
	Flat                   // containers are closed from some depth on
	Crowded                // it has too many values to be kept; nodes mean nothing
)

// Read reads a text, which node 0 then stands for. It keeps most slots of 4 bytes; a
// text that takes more is crowded. The tape refers to the text until Forget.
func (t *Tape) Read(text string, most int) Reading { return t.read(text, 0, most) }

// ReadFlat is Read that keeps nothing of what is inside the containers that stand in
// depth others: these are closed. Closed gives their text. Depth is 1 or more.
func (t *Tape) ReadFlat(text string, depth, most int) Reading { return t.read(text, depth, most) }

// Forget lets go of the text. The memory for nodes stays.
func (t *Tape) Forget() { t.text = "" }

func (t *Tape) read(text string, flat, most int) Reading {
	t.text, t.flat = text, flat
	if len(text) >= marked || !t.scan() || !t.isUTF8() {
		return NotJSON
	}
	if t.used > most {
		return Crowded
	}
	if t.used > len(t.slots) {
		const fewest = 1 << 10
		size := max(fewest, 2*len(t.slots), t.used)
		t.slots = nil // may be collected before there are others
		t.slots = make([]uint32, min(size, most))
		t.scan()
	}
	if flat > 0 {
		return Flat
	}
	return Whole
}

// isUTF8 tells it of a sound text: outside strings there is nothing beyond ASCII.
func (t *Tape) isUTF8() bool { return t.seen&highs == 0 || utf8.ValidString(t.text) }

// scan passes over the text and keeps the slots there is room for.
func (t *Tape) scan() (ok bool) {
	t.used, t.seen = 0, 0
	at := t.value(t.space(0), 1)
	return at >= 0 && t.space(at) == len(t.text)
}

func (t *Tape) space(i int) int {
	for i < len(t.text) {
		if c := t.text[i]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return i
		}
		i++
	}
	return i
}

// value reads the value at i and returns its end, -1 when there is none.
func (t *Tape) value(i, depth int) int {
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
func (t *Tape) add(slot uint32) {
	if t.used < len(t.slots) {
		t.slots[t.used] = slot
	}
	t.used++
}

// open begins a container and gives its node.
func (t *Tape) open(at int) (self int) {
	self = t.used
	t.used += 2
	if t.used <= len(t.slots) {
		t.slots[self] = uint32(at)
	}
	return self
}

// closed completes a container that ends before end.
func (t *Tape) closed(self, depth, end int) int {
	shut := t.flat > 0 && depth > t.flat
	if self+1 >= len(t.slots) {
		if shut {
			t.used = self + 2
		}
		return end
	}
	t.slots[self+1] = uint32(t.used)
	if shut {
		t.used = self + 2
		t.slots[self] |= marked
		t.slots[self+1] = uint32(end)
	}
	return end
}

func (t *Tape) object(i, depth int) int {
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

func (t *Tape) array(i, depth int) int {
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

// str reads a string, eight bytes at a time where there are as many.
func (t *Tape) str(i int) int {
	text, slot, seen := t.text, uint32(i), uint64(0)
	for i++; i < len(text); {
		if len(text)-i >= 8 {
			word := eight(text[i:])
			seen |= word
			mark := specials(word)
			if mark == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(mark) / 8
		}
		switch c := text[i]; {
		case c == '"':
			t.seen |= seen
			t.add(slot)
			return i + 1
		case c == '\\':
			n := escapeLen(text[i:])
			if n == 0 {
				return -1
			}
			slot |= marked
			i += n
		case c < ' ':
			return -1
		default:
			seen |= uint64(c)
			i++
		}
	}
	return -1
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// eight is the first eight bytes of a text that has them.
func eight(text string) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// specials marks, in its highest bit, the first byte of eight that a string may not
// hold as it is: a quote, a backslash, a control character. Behind the first, others
// may be marked as well. Turning over 2 puts the quote next to the control characters.
func specials(word uint64) uint64 {
	return (((word ^ 0x02*ones) - 0x21*ones) | ((word ^ '\\'*ones) - ones)) &^ word & highs
}

// escapeLen is the length of the escape that text begins with; 0 if it is none.
func escapeLen(text string) int {
	const long = 6
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	if len(text) < long {
		return 0
	}
	for _, c := range []byte(text[2:long]) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0
		}
	}
	return long
}

func (t *Tape) word(i int, word string) int {
	if !strings.HasPrefix(t.text[i:], word) {
		return -1
	}
	t.add(uint32(i))
	return i + len(word)
}

func (t *Tape) number(start int) int {
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
func (t *Tape) digits(i int) int {
	start := i
	for i < len(t.text) && t.text[i] >= '0' && t.text[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
