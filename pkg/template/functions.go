package template

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
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
	switch v.(type) {
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
	}
	n, _ := length(v)
	return n != 0
}

// show is how a value is printed.
func show(v value) string {
	if v == nil {
		return "<no value>"
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
	}
	return 0, errors.New(kindOf(v) + " has no length")
}

// whole is v as an index.
func whole(v value) (int, bool) {
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
		switch in := v.(type) {
		case map[string]any:
			name, ok := at.(string)
			if !ok {
				return nil, errors.New("objects are indexed by text")
			}
			v = in[name]
		case []any:
			i, ok := whole(at)
			if !ok || i < 0 || i >= len(in) {
				return nil, fmt.Errorf("index %v of an array of %d", at, len(in))
			}
			v = in[i]
		default:
			return nil, errors.New(kindOf(v) + " cannot be indexed")
		}
	}
	return v, nil
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
		n, ok := whole(args[i+1])
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
		if i, ok := whole(a); ok {
			if j, ok := whole(b); ok {
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
	var b strings.Builder
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	err := to.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
