package verify

import (
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/text"
)

// at is where node i begins in the text.
func (t *tape) at(i int32) int { return int(t.slots[i] &^ marked) }

// kind is the kind of node i; 0 for -1.
func (t *tape) kind(i int32) byte {
	if i < 0 {
		return 0
	}
	switch c := t.text[t.at(i)]; c {
	case kindObject, kindArray, kindString, kindTrue, kindFalse, kindNull:
		return c
	}
	return kindNumber
}

// flagged reports whether node i is marked.
func (t *tape) flagged(i int32) bool { return t.slots[i]&marked != 0 }

// container reports whether node i has two slots.
func (t *tape) container(i int32) bool {
	c := t.text[t.at(i)]
	return c == kindObject || c == kindArray
}

// isClosed reports whether node i is a container whose nodes are not kept.
func (t *tape) isClosed(i int32) bool { return t.container(i) && t.flagged(i) }

// next is the node behind node i and all inside it.
func (t *tape) next(i int32) int32 {
	switch {
	case !t.container(i):
		return i + 1
	case t.flagged(i):
		return i + 2
	}
	return int32(t.slots[i+1])
}

// raw is what stands between the quotes of a string.
func (t *tape) raw(i int32) string {
	rest := t.text[t.at(i)+1:]
	if !t.flagged(i) {
		return rest[:strings.IndexByte(rest, '"')]
	}
	for end := 0; ; end++ {
		switch rest[end] {
		case '\\':
			end++
		case '"':
			return rest[:end]
		}
	}
}

// digitsOf is the text of a number.
func (t *tape) digitsOf(i int32) string {
	rest := t.text[t.at(i):]
	end := 0
	for end < len(rest) && strings.IndexByte("+-.0123456789Ee", rest[end]) >= 0 {
		end++
	}
	return rest[:end]
}

// say is what a string node says. Half of a surrogate pair is U+FFFD.
func (t *tape) say(i int32) string {
	if !t.flagged(i) {
		return t.raw(i)
	}
	return entry.Unescape(t.raw(i))
}

// is reports whether node i is a string that says text.
func (t *tape) is(i int32, text string) bool {
	at := t.at(i)
	switch {
	case t.text[at] != kindString:
		return false
	case t.flagged(i):
		return t.say(i) == text
	}
	rest := t.text[at+1:]
	return len(rest) > len(text) && rest[len(text)] == '"' && rest[:len(text)] == text
}

// children ranges over the nodes directly inside a container, an object's keys among
// them. A closed one has none.
func (t *tape) children(container int32) func(yield func(node int32) bool) {
	return func(yield func(int32) bool) {
		for at, end := container+2, t.next(container); at < end; at = t.next(at) {
			if !yield(at) {
				return
			}
		}
	}
}

// count is how many elements or members a container has.
func (t *tape) count(container int32) (n int) {
	for range t.children(container) {
		n++
	}
	if t.kind(container) == kindObject {
		n /= 2
	}
	return n
}

// members ranges over an object's keys and values.
func (t *tape) members(object int32) func(yield func(key, value int32) bool) {
	return func(yield func(key, value int32) bool) {
		for at, end := object+2, t.next(object); at < end; at = t.next(at + 1) {
			if !yield(at, at+1) {
				return
			}
		}
	}
}

// elements ranges over an array.
func (t *tape) elements(array int32) func(yield func(index int, value int32) bool) {
	return func(yield func(int, int32) bool) {
		i := 0
		for at := range t.children(array) {
			if !yield(i, at) {
				return
			}
			i++
		}
	}
}

// get is the value of a key, the last where it occurs twice; -1 when absent.
func (t *tape) get(object int32, name string) int32 {
	found := int32(-1)
	for key, value := range t.members(object) {
		if t.is(key, name) {
			found = value
		}
	}
	return found
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
	switch t.kind(at) {
	case kindObject:
		for key, value := range t.members(at) {
			if target < t.next(value) {
				b.WriteString("." + clip(t.say(key)))
				return value
			}
		}
	case kindArray:
		for i, value := range t.elements(at) {
			if target < t.next(value) {
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
func (t *tape) isText(i int32, text string) bool { return i >= 0 && t.is(i, text) }

func (t *tape) sayOr(i int32) string {
	if t.kind(i) != kindString {
		return ""
	}
	return t.say(i)
}
