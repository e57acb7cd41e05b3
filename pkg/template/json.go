package template

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/jsonscan"
)

// JSON is a value as sound JSON without space around it, which a template takes like
// one that encoding/json decoded. It is read where the template looks, and nothing is
// kept of it: decoded, 13 MB of small values take a gigabyte.
type JSON string

// value gives what is no container as encoding/json does; containers stay JSON.
func (j JSON) value() value {
	switch j[0] {
	case '{', '[':
		return j
	case '"':
		text, _ := jsonscan.Text(string(j))
		return text
	case 't', 'f':
		return j[0] == 't'
	case 'n':
		return nil
	}
	return json.Number(j)
}

func (j JSON) object() bool { return j[0] == '{' }

func (j JSON) empty() bool {
	empty := true
	jsonscan.Walk(string(j), func(int, string, string) bool { empty = false; return false })
	return empty
}

// keys is where each member begins, in the order of their names. Of a name that occurs
// twice only the last is among them.
func (j JSON) keys() (keys []int32) {
	jsonscan.Walk(string(j), func(at int, _, _ string) bool {
		keys = append(keys, int32(at))
		return true
	})
	name := func(at int32) string { return jsonscan.NameAt(string(j), int(at)) }
	slices.SortFunc(keys, func(a, b int32) int { return cmp.Or(strings.Compare(name(a), name(b)), cmp.Compare(b, a)) })
	return slices.CompactFunc(keys, func(a, b int32) bool { return name(a) == name(b) })
}

// length is how many elements or different names it has.
func (j JSON) length() (n int) {
	if j.object() {
		return len(j.keys())
	}
	jsonscan.Walk(string(j), func(int, string, string) bool { n++; return true })
	return n
}

// member is the value of a name, the last where it occurs twice; nil without one.
func (j JSON) member(name string) value {
	found := ""
	jsonscan.Walk(string(j), func(_ int, key, text string) bool {
		if key == name {
			found = text
		}
		return true
	})
	if found == "" {
		return nil
	}
	return JSON(found).value()
}

// element is the i-th; ok is false beyond the last.
func (j JSON) element(i int) (v value, ok bool) {
	at := 0
	jsonscan.Walk(string(j), func(_ int, _, text string) bool {
		if ok = at == i; ok {
			v = JSON(text).value()
		}
		at++
		return !ok
	})
	return v, ok
}

// part is the array of the elements from one to before another, which are there.
func (j JSON) part(from, to int) JSON {
	index, start, end := 0, 0, 0
	jsonscan.Walk(string(j), func(at int, _, text string) bool {
		if index == from {
			start = at
		}
		if index++; index == to {
			end = at + len(text)
		}
		return index < to
	})
	if from == to {
		return "[]"
	}
	return "[" + j[start:end] + "]"
}

// each yields elements with their indexes, or members in the order of their names.
func (j JSON) each(yield func(key, v value) bool) {
	if j.object() {
		for _, at := range j.keys() {
			name, text := jsonscan.MemberAt(string(j), int(at))
			if !yield(name, JSON(text).value()) {
				return
			}
		}
		return
	}
	i := 0
	jsonscan.Walk(string(j), func(_ int, _, text string) bool {
		i++
		return yield(i-1, JSON(text).value())
	})
}

// String prints it as fmt prints what encoding/json makes of it.
func (j JSON) String() string { return string(appendShown(make([]byte, 0, len(j)), j, 0)) }

// deepestShown is how deep containers are printed as fmt prints them; deeper ones are
// printed as JSON. Each level passes over all that is inside it.
const deepestShown = 32

// appendShown appends a value as it is printed.
func appendShown(dst []byte, v value, depth int) []byte {
	j, ok := v.(JSON)
	switch {
	case !ok:
		return fmt.Append(dst, v)
	case depth == deepestShown:
		return append(dst, j...)
	case j.object():
		dst = append(dst, "map["...)
	default:
		dst = append(dst, '[')
	}
	first := true
	for key, v := range j.each {
		if !first {
			dst = append(dst, ' ')
		}
		if first = false; j.object() {
			dst = append(append(dst, key.(string)...), ':')
		}
		dst = appendShown(dst, v, depth+1)
	}
	return append(dst, ']')
}

// compact is the JSON without space between its tokens, which most writers leave out.
func (j JSON) compact() string {
	if !strings.ContainsAny(string(j), " \n\t\r") {
		return string(j)
	}
	var b bytes.Buffer
	b.Grow(len(j))
	_ = json.Compact(&b, []byte(j)) // sound, so it cannot fail
	return b.String()
}
