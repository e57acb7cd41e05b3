package verify

import (
	"encoding/json"
	"fmt"
	"strings"
)

// say is what a string node says. Half of a surrogate pair is U+FFFD.
func (t *tape) say(i int32) string {
	n := &t.nodes[i]
	raw := t.text[n.start:n.end]
	if !n.escaped {
		return raw
	}
	var text string
	// It has been parsed, so it cannot fail.
	_ = json.Unmarshal([]byte(t.text[n.start-1:n.end+1]), &text)
	return text
}

// is reports whether node i is a string that says text.
func (t *tape) is(i int32, text string) bool {
	n := &t.nodes[i]
	return n.kind == kindString && (n.escaped && t.say(i) == text || t.text[n.start:n.end] == text)
}

// members ranges over an object's keys and values.
func (t *tape) members(object int32) func(yield func(key, value int32) bool) {
	return func(yield func(key, value int32) bool) {
		at := object + 1
		for range t.nodes[object].count {
			if !yield(at, at+1) {
				return
			}
			at = t.nodes[at+1].next
		}
	}
}

// elements ranges over an array.
func (t *tape) elements(array int32) func(yield func(index int, value int32) bool) {
	return func(yield func(int, int32) bool) {
		at := array + 1
		for i := range int(t.nodes[array].count) {
			if !yield(i, at) {
				return
			}
			at = t.nodes[at].next
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

// kind is the kind of node i; 0 for -1.
func (t *tape) kind(i int32) byte {
	if i < 0 {
		return 0
	}
	return t.nodes[i].kind
}

// path is where node target stands below node root, as in JavaScript.
func (t *tape) path(root, target int32) string {
	var b strings.Builder
	for at := root; at >= 0 && at < target; {
		at = t.toward(at, target, &b)
	}
	return strings.TrimPrefix(b.String(), ".")
}

// toward steps to the child of at that holds target and writes its name.
func (t *tape) toward(at, target int32, b *strings.Builder) int32 {
	switch t.nodes[at].kind {
	case kindObject:
		for key, value := range t.members(at) {
			if target < t.nodes[value].next {
				b.WriteString("." + clip(t.say(key)))
				return value
			}
		}
	case kindArray:
		for i, value := range t.elements(at) {
			if target < t.nodes[value].next {
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
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// isText is is for nodes that may be absent, sayOr is say for nodes of any kind.
func (t *tape) isText(i int32, text string) bool { return i >= 0 && t.is(i, text) }

func (t *tape) sayOr(i int32) string {
	if t.kind(i) != kindString {
		return ""
	}
	return t.say(i)
}
