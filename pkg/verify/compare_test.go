package verify

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
)

func sequenceOf(list []Entry, err error) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

func TestCompare(t *testing.T) {
	cut := func(from, to int) func([]Entry) []Entry {
		return func(list []Entry) []Entry { return slices.Delete(list, from, to) }
	}
	same := func(list []Entry) []Entry { return list }
	spaced := strings.NewReplacer(`":`, `" : `, `hej`, `h\u0065j`)
	for name, v := range map[string]struct {
		here, there func([]Entry) []Entry
		span        Span
		want        string
		pairs       int64
	}{
		"same":               {same, same, Span{}, "", 20},
		"missing":            {cut(5, 6), same, Span{}, "against-missing 106 ", 19},
		"extra":              {same, cut(5, 6), Span{}, "against-extra 106 ", 19},
		"both ends":          {cut(0, 1), cut(19, 20), Span{}, "against-missing 101 |against-extra 120 ", 18},
		"overlap":            {cut(0, 1), cut(19, 20), Span{102, 119}, "", 18},
		"type":               {typed("account", create(record)), same, Span{}, "against-type 106 ", 20},
		"data":               {altered("hej", "HEJ"), same, Span{}, "against-data 106 ops[0].record.text", 20},
		"key missing":        {altered(`"text":"hej",`, ``), same, Span{}, "against-data 106 ops[0].record", 20},
		"key renamed":        {altered(`createdAt`, `created_at`), same, Span{}, "against-data 106 ops[0].record.created_at", 20},
		"other words":        {holding(spaced.Replace(create(record))), same, Span{}, "against-bytes 106 data", 20},
		"not JSON":           {holding("x"), same, Span{}, "against-data 106 data", 20},
		"twice there":        {same, func(list []Entry) []Entry { return slices.Insert(list, 5, list[4]) }, Span{}, "seq-duplicate 105 the other stream", 20},
		"out of order here":  {func(list []Entry) []Entry { return append(list, list[3]) }, same, Span{}, "seq-order 104 ", 20},
		"not a number there": {same, func(list []Entry) []Entry { list[5].Fields[5] = "x"; return list }, Span{}, "seq-invalid 0 the other stream|against-extra 106 ", 19},
		"nothing there":      {cut(2, 20), cut(0, 20), Span{}, "against-extra 101 |against-extra 102 ", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			report := func(f Finding) { found = append(found, fmt.Sprintf("%s %d %s", f.Rule, f.Seq, f.Where)) }
			sum, err := Compare(t.Context(), Config{Report: report}, v.span, sequenceOf(v.here(sound()), nil), sequenceOf(v.there(sound()), nil))
			if got := strings.Join(found, "|"); got != v.want || err != nil {
				t.Errorf("found %q, %v; want %q", got, err, v.want)
			}
			if sum.Checked != v.pairs {
				t.Errorf("%d pairs, want %d", sum.Checked, v.pairs)
			}
		})
	}
}

func TestCompareStopsAtAnError(t *testing.T) {
	gone := errors.New("gone")
	for _, errs := range [][2]error{{gone, nil}, {nil, gone}} {
		_, err := Compare(t.Context(), Config{}, Span{}, sequenceOf(sound()[:3], errs[0]), sequenceOf(sound(), errs[1]))
		if !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	}
}
