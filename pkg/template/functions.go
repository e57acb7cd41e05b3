package template

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/text"
)

// functions are those of text/template that mean something for JSON, and json
// itself. "and" and "or" are part of the language.
var functions = map[string]func(args []value) (value, error){
	"json":    one(func(v value) (value, error) { return toJSON(v) }),
	"len":     one(length),
	"not":     one(func(v value) (value, error) { return !truth(v), nil }),
	"index":   index,
	"slice":   slice,
	"print":   func(args []value) (value, error) { return fmt.Sprint(printable(args)...), nil },
	"println": func(args []value) (value, error) { return fmt.Sprintln(printable(args)...), nil },
	"printf":  printf,
	"eq":      equal,
	"ne":      compared(func(c int) bool { return c != 0 }),
	"lt":      compared(func(c int) bool { return c < 0 }),
	"le":      compared(func(c int) bool { return c <= 0 }),
	"gt":      compared(func(c int) bool { return c > 0 }),
	"ge":      compared(func(c int) bool { return c >= 0 }),
}

var errArguments = errors.New("wrong number of arguments")

func one(f func(value) (value, error)) func([]value) (value, error) {
	return func(args []value) (value, error) {
		if len(args) != 1 {
			return nil, errArguments
		}
		return f(args[0])
	}
}

// kindOf names a value's kind in JSON's words.
func kindOf(v value) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case string:
		return "a text"
	case int, json.Number:
		return "a number"
	case []any:
		return "an array"
	case JSON:
		if !v.object() {
			return "an array"
		}
	}
	return "an object"
}

// truth: everything but nothing, false, 0 and what is empty.
func truth(v value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	case JSON:
		return !v.empty()
	}
	n, _ := length(v)
	return n != 0
}

// show is how a value is printed.
func show(v value) string {
	switch v := v.(type) {
	case nil:
		return "<no value>"
	case string: // which may be large
		return v
	}
	return fmt.Sprint(v)
}

func printable(args []value) []any {
	out := slices.Clone(args)
	for i, v := range out {
		if v == nil {
			out[i] = show(nil)
		}
	}
	return out
}

// printf gives numbers to %d and %f as such.
func printf(args []value) (value, error) {
	if len(args) == 0 {
		return nil, errArguments
	}
	format, ok := args[0].(string)
	if !ok {
		return nil, errors.New("the format is " + kindOf(args[0]))
	}
	rest := printable(args[1:])
	for i, v := range rest {
		if n, ok := v.(json.Number); ok {
			rest[i] = plainNumber(n)
		}
	}
	return fmt.Sprintf(format, rest...), nil
}

func plainNumber(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64()
	return f
}

func length(v value) (value, error) {
	switch v := v.(type) {
	case string:
		return len(v), nil
	case []any:
		return len(v), nil
	case map[string]any:
		return len(v), nil
	case JSON:
		return v.length(), nil
	}
	return 0, errors.New(kindOf(v) + " has no length")
}

// integerOf is v as an index.
func integerOf(v value) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case json.Number:
		n, err := v.Int64()
		return int(n), err == nil
	}
	return 0, false
}

// index goes into arrays by number and into objects by name.
func index(args []value) (value, error) {
	if len(args) == 0 {
		return nil, errArguments
	}
	v := args[0]
	for _, at := range args[1:] {
		var err error
		if v, err = indexOne(v, at); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func indexOne(v, at value) (value, error) {
	switch kindOf(v) {
	case "an object":
		name, ok := at.(string)
		if !ok {
			return nil, errors.New("objects are indexed by text")
		}
		return member(v, name), nil
	case "an array":
		if i, ok := integerOf(at); ok && i >= 0 {
			if v, ok := element(v, i); ok {
				return v, nil
			}
		}
		n, _ := length(v)
		return nil, fmt.Errorf("index %v of an array of %d", at, n)
	}
	return nil, errors.New(kindOf(v) + " cannot be indexed")
}

// member is the value of a name in an object; nil without one.
func member(object value, name string) value {
	if j, ok := object.(JSON); ok {
		return j.member(name)
	}
	return object.(map[string]any)[name]
}

// element is the i-th of an array; ok is false beyond the last.
func element(array value, i int) (v value, ok bool) {
	if j, ok := array.(JSON); ok {
		return j.element(i)
	}
	list := array.([]any)
	if i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// slice is a part of a text or an array.
func slice(args []value) (value, error) {
	if len(args) == 0 || len(args) > 3 {
		return nil, errArguments
	}
	all, _ := length(args[0])
	from, to := 0, 0
	if n, ok := all.(int); ok {
		to = n
	}
	for i, bound := range []*int{&from, &to} {
		if len(args) <= i+1 {
			break
		}
		n, ok := integerOf(args[i+1])
		if !ok || n < 0 || n > to || n < from {
			return nil, fmt.Errorf("bound %v is out of range", args[i+1])
		}
		*bound = n
	}
	switch v := args[0].(type) {
	case string:
		return strings.ToValidUTF8(v[from:to], string(utf8.RuneError)), nil
	case []any:
		return v[from:to], nil
	case JSON:
		if !v.object() {
			return v.part(from, to), nil
		}
	}
	return nil, errors.New(kindOf(args[0]) + " cannot be sliced")
}

// equal compares the first argument with each of the others.
func equal(args []value) (value, error) {
	if len(args) < 2 {
		return nil, errArguments
	}
	for _, v := range args[1:] {
		if args[0] == nil || v == nil {
			if args[0] == v {
				return true, nil
			}
			continue
		}
		if c, err := compare(args[0], v); err != nil || c == 0 {
			return c == 0, err
		}
	}
	return false, nil
}

func compared(holds func(int) bool) func([]value) (value, error) {
	return func(args []value) (value, error) {
		if len(args) != 2 {
			return nil, errArguments
		}
		c, err := compare(args[0], args[1])
		return holds(c), err
	}
}

// compare orders two texts, two numbers or two booleans.
func compare(a, b value) (int, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y), nil
		}
	case bool:
		if y, ok := b.(bool); ok {
			return cmp.Compare(fmt.Sprint(x), fmt.Sprint(y)), nil
		}
	case int, json.Number:
		if i, ok := integerOf(a); ok {
			if j, ok := integerOf(b); ok {
				return cmp.Compare(i, j), nil
			}
		}
		f, errF := json.Number(fmt.Sprint(a)).Float64()
		g, errG := json.Number(fmt.Sprint(b)).Float64()
		if errF == nil && errG == nil && kindOf(b) == kindOf(a) {
			return cmp.Compare(f, g), nil
		}
	}
	return 0, fmt.Errorf("%s and %s do not compare", kindOf(a), kindOf(b))
}

// upTo is what range makes of a number.
func upTo(n int) value {
	all := make([]any, 0, max(0, min(n, 1<<16)))
	for i := range n {
		if i == cap(all) {
			break // no template needs more
		}
		all = append(all, i)
	}
	return all
}

// members are the elements of an array or an object with their keys.
func members(v value) iter.Seq2[value, value] {
	return func(yield func(value, value) bool) {
		switch v := v.(type) {
		case JSON:
			v.each(yield)
		case []any:
			for i, element := range v {
				if !yield(i, element) {
					return
				}
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if !yield(key, v[key]) {
					return
				}
			}
		}
	}
}

func toJSON(v value) (string, error) {
	if j, ok := v.(JSON); ok {
		return j.compact(), nil
	}
	var b strings.Builder
	err := writeJSON(&b, v)
	return b.String(), err
}

// writeJSON writes v with the keys in order, as encoding/json does.
func writeJSON(b *strings.Builder, v value) error {
	switch v := v.(type) {
	case JSON:
		text := v.compact()
		b.Grow(len(text) + 1)
		b.WriteString(text)
	case map[string]any:
		return writeMembers(b, v)
	case []any:
		return writeElements(b, v)
	case string:
		writeText(b, v)
	default:
		return writeScalar(b, v)
	}
	return nil
}

func writeMembers(b *strings.Builder, object map[string]any) error {
	b.WriteByte('{')
	for i, key := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(b, key)
		b.WriteByte(':')
		if err := writeJSON(b, object[key]); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func writeElements(b *strings.Builder, array []any) error {
	b.WriteByte('[')
	for i, element := range array {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeJSON(b, element); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

// writeText writes a text in pieces, twice where it is long: once to learn its length,
// since a buffer that grows takes twice what it ends with.
func writeText(b *strings.Builder, text string) {
	if size := 0; len(text) > piece {
		for part := range pieces(text) {
			size += len(quoted(part)) - len(`""`)
		}
		b.Grow(size + len(`""`))
	}
	b.WriteByte('"')
	for part := range pieces(text) {
		made := quoted(part)
		b.Write(made[1 : len(made)-1])
	}
	b.WriteByte('"')
}

// piece is how much text is escaped at once, in bytes.
const piece = 4 << 10

// pieces yields text in pieces that end where a character does.
func pieces(whole string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(whole) > piece {
			part := text.Clip(whole, piece)
			if !yield(part) {
				return
			}
			whole = whole[len(part):]
		}
		yield(whole)
	}
}

func quoted(text string) []byte {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	_ = to.Encode(text) // a string into memory cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// writeScalar writes what is no container.
func writeScalar(b *strings.Builder, v value) error {
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		return err
	}
	b.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return nil
}
