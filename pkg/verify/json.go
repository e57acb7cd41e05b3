package verify

import (
	"strings"
	"unicode/utf8"
)

// tape is one JSON text, parsed: its nodes in the order of the text, each
// before those inside it. It judges as encoding/json does, in a fraction of its
// time and without allocating, since memory is kept from text to text.
// FuzzTape proves the two equal. Other than the scanner of pkg/entry, which
// only passes over text, it keeps what is needed to walk a record twice.
type tape struct {
	text  string
	nodes []node
}

// node is one value or one key of an object.
type node struct {
	start, end int32 // in the text; of a string, what stands between its quotes
	next       int32 // the node behind this one and all inside it
	count      int32 // elements of an array, members of an object
	kind       byte  // '{' '[' '"' '0' 't' 'f' 'n'
	escaped    bool  // a string with escapes
	fraction   bool  // a number with a fraction or an exponent
}

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

// parse reads text, which node 0 then stands for. ok is false when it is not
// one JSON value in UTF-8; nodes then mean nothing.
func (t *tape) parse(text string) (ok bool) {
	t.text, t.nodes = text, t.nodes[:0]
	if len(text) > 1<<31-1 {
		return false
	}
	at := t.value(t.space(0), 1)
	return at >= 0 && t.space(at) == len(text) && utf8.ValidString(text)
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

func (t *tape) add(kind byte, start, end int) *node {
	t.nodes = append(t.nodes, node{kind: kind, start: int32(start), end: int32(end), next: int32(len(t.nodes) + 1)})
	return &t.nodes[len(t.nodes)-1]
}

// closed completes a container.
func (t *tape) closed(self, end, count int) int {
	n := &t.nodes[self]
	n.end, n.next, n.count = int32(end), int32(len(t.nodes)), int32(count)
	return end
}

func (t *tape) object(i, depth int) int {
	if depth > maxNesting {
		return -1
	}
	self := len(t.nodes)
	t.add(kindObject, i, 0)
	i = t.space(i + 1)
	if i < len(t.text) && t.text[i] == '}' {
		return t.closed(self, i+1, 0)
	}
	for count := 1; ; count++ {
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
			return t.closed(self, i+1, count)
		default:
			return -1
		}
	}
}

func (t *tape) array(i, depth int) int {
	if depth > maxNesting {
		return -1
	}
	self := len(t.nodes)
	t.add(kindArray, i, 0)
	i = t.space(i + 1)
	if i < len(t.text) && t.text[i] == ']' {
		return t.closed(self, i+1, 0)
	}
	for count := 1; ; count++ {
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
			return t.closed(self, i+1, count)
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
	text, start, escaped := t.text, i+1, false
	for i = start; i < len(text); i++ {
		c := text[i]
		if ordinary[c] {
			continue
		}
		switch {
		case c == '"':
			t.add(kindString, start, i).escaped = escaped
			return i + 1
		case c != '\\':
			return -1
		}
		n := escapeLen(text[i:])
		if n == 0 {
			return -1
		}
		escaped = true
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
	t.add(word[0], i, i+len(word))
	return i + len(word)
}

func (t *tape) number(start int) int {
	i, fraction := start, false
	if t.text[i] == '-' {
		i++
	}
	if i < len(t.text) && t.text[i] == '0' {
		i++
	} else if i = t.digits(i); i < 0 {
		return -1
	}
	if i < len(t.text) && t.text[i] == '.' {
		fraction = true
		if i = t.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(t.text) && t.text[i]|0x20 == 'e' {
		fraction = true
		i++
		if i < len(t.text) && (t.text[i] == '+' || t.text[i] == '-') {
			i++
		}
		if i = t.digits(i); i < 0 {
			return -1
		}
	}
	t.add(kindNumber, start, i).fraction = fraction
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
