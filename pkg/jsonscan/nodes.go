package jsonscan

import "strings"

// at is where node i begins in the text.
func (t *Tape) at(i int32) int { return int(t.slots[i] &^ marked) }

// Kind is the kind of node i; 0 for -1.
func (t *Tape) Kind(i int32) byte {
	if i < 0 {
		return 0
	}
	switch c := t.text[t.at(i)]; c {
	case Object, Array, String, True, False, Null:
		return c
	}
	return Number
}

// Marked reports whether node i is marked.
func (t *Tape) Marked(i int32) bool { return t.slots[i]&marked != 0 }

// container reports whether node i has two slots.
func (t *Tape) container(i int32) bool {
	c := t.text[t.at(i)]
	return c == Object || c == Array
}

// IsClosed reports whether node i is a container whose nodes are not kept.
func (t *Tape) IsClosed(i int32) bool { return t.container(i) && t.Marked(i) }

// Closed is the text of a closed container.
func (t *Tape) Closed(i int32) string { return t.text[t.at(i):t.slots[i+1]] }

// Next is the node behind node i and all inside it.
func (t *Tape) Next(i int32) int32 {
	switch {
	case !t.container(i):
		return i + 1
	case t.Marked(i):
		return i + 2
	}
	return int32(t.slots[i+1])
}

// Raw is what stands between the quotes of a string.
func (t *Tape) Raw(i int32) string {
	rest := t.text[t.at(i)+1:]
	if !t.Marked(i) {
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

// Digits is the text of a number.
func (t *Tape) Digits(i int32) string {
	rest := t.text[t.at(i):]
	end := 0
	for end < len(rest) && strings.IndexByte("+-.0123456789Ee", rest[end]) >= 0 {
		end++
	}
	return rest[:end]
}

// Text is what a string node says. Half of a surrogate pair is U+FFFD.
func (t *Tape) Text(i int32) string {
	if !t.Marked(i) {
		return t.Raw(i)
	}
	return Unescape(t.Raw(i))
}

// Is reports whether node i is a string that says text.
func (t *Tape) Is(i int32, text string) bool {
	at := t.at(i)
	switch {
	case t.text[at] != String:
		return false
	case t.Marked(i):
		return t.Text(i) == text
	}
	rest := t.text[at+1:]
	return len(rest) > len(text) && rest[len(text)] == '"' && rest[:len(text)] == text
}

// Children ranges over the nodes directly inside a container, an object's keys among
// them. A closed one has none.
func (t *Tape) Children(container int32) func(yield func(node int32) bool) {
	return func(yield func(int32) bool) {
		for at, end := container+2, t.Next(container); at < end; at = t.Next(at) {
			if !yield(at) {
				return
			}
		}
	}
}

// Count is how many elements or members a container has.
func (t *Tape) Count(container int32) (n int) {
	for range t.Children(container) {
		n++
	}
	if t.Kind(container) == Object {
		n /= 2
	}
	return n
}

// Members ranges over an object's keys and values.
func (t *Tape) Members(object int32) func(yield func(key, value int32) bool) {
	return func(yield func(key, value int32) bool) {
		for at, end := object+2, t.Next(object); at < end; at = t.Next(at + 1) {
			if !yield(at, at+1) {
				return
			}
		}
	}
}

// Elements ranges over an array.
func (t *Tape) Elements(array int32) func(yield func(index int, value int32) bool) {
	return func(yield func(int, int32) bool) {
		i := 0
		for at := range t.Children(array) {
			if !yield(i, at) {
				return
			}
			i++
		}
	}
}

// Get is the value of a key, the last where it occurs twice; -1 when absent.
func (t *Tape) Get(object int32, name string) int32 {
	found := int32(-1)
	for key, value := range t.Members(object) {
		if t.Is(key, name) {
			found = value
		}
	}
	return found
}
