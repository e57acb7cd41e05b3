package jsonscan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/jsonscan"
)

// The tape accepts what encoding/json accepts of UTF-8, and reads the same.
func FuzzTape(f *testing.F) {
	for _, text := range []string{
		``, ` `, `{}`, `[]`, `null`, `true`, `fals`, `0`, `-0`, `01`, `1.5e-3`, `1e`, `-`, `.5`, `"`, `"\u00e9\ud83d\ude00\ud800"`, `"\x"`, "\"\x01\"", "\"\xff\"",
		"\"more than eight \xff bytes\"", "\"more than eight \x1f bytes\"", `"eight ch"`, `"sieben\n"`, `"more than eight \u0041 \" bytes and åäö"`, "\"more than eight", "\"1234567\x7f\"",
		`{"a":1,}`, `{"a" : [1 , {"b":null}] } `, `[1,]`, `{"a"}`, `{"b":1,"a":2,"aa":3,"a":4}`, strings.Repeat("[", 50) + strings.Repeat("]", 50),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var tp jsonscan.Tape
		ok := tp.Read(text, 1<<20) == jsonscan.Whole
		if want := json.Valid([]byte(text)) && utf8.ValidString(text); ok != want {
			t.Fatalf("%q: parsed %v, encoding/json says %v", text, ok, want)
		}
		if !ok {
			return
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		same(t, &tp, d, 0)
	})
}

// same compares a node with the tokens of encoding/json.
func same(t *testing.T, tp *jsonscan.Tape, d *json.Decoder, i int32) {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	kind := tp.Kind(i)
	switch v := token.(type) {
	case json.Delim:
		if byte(v) != kind {
			t.Fatalf("node %d is %c, want %c", i, kind, v)
		}
		if kind == jsonscan.Array {
			for _, e := range tp.Elements(i) {
				same(t, tp, d, e)
			}
		} else {
			for key, value := range tp.Members(i) {
				same(t, tp, d, key)
				same(t, tp, d, value)
			}
		}
		if end, err := d.Token(); err != nil || end.(json.Delim) == v {
			t.Fatalf("node %d has other children: %v, %v", i, end, err)
		}
	case string:
		if kind != jsonscan.String || tp.Text(i) != v {
			t.Fatalf("node %d says %q, want %q", i, tp.Text(i), v)
		}
	case json.Number:
		if kind != jsonscan.Number || tp.Digits(i) != v.String() || tp.Marked(i) != strings.ContainsAny(v.String(), ".eE") {
			t.Fatalf("node %d is not the number %s", i, v)
		}
	case bool:
		if v && kind != jsonscan.True || !v && kind != jsonscan.False {
			t.Fatalf("node %d is not %v", i, v)
		}
	case nil:
		if kind != jsonscan.Null {
			t.Fatalf("node %d is not null", i)
		}
	}
}

func TestNestingEndsWhereEncodingJSONEnds(t *testing.T) {
	var tp jsonscan.Tape
	for _, n := range []int{10_000, 10_001} {
		text := strings.Repeat("[", n) + strings.Repeat("]", n)
		if got, want := tp.Read(text, 1<<20) == jsonscan.Whole, json.Valid([]byte(text)); got != want {
			t.Errorf("%d levels: %v, want %v", n, got, want)
		}
	}
}

// A scanner takes what encoding/json takes, apart from bytes that are no UTF-8, and
// tells the members and elements that it finds.
func FuzzWalk(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, ` [1,"a",{"b":[]}] `, `{"a":1,"\u0061":2}`, `{"a":1,}`, `[1 2]`, `[`, `{"a"`, `{"a":tru}`, `7`, `{"a":{}} x`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		s := jsonscan.NewScanner(text)
		if sound := s.Skip(0) && s.End(); sound != json.Valid([]byte(text)) {
			t.Fatalf("%q: %v, but encoding/json says otherwise", text, sound)
		}
		jsonscan.Walk(text, func(at int, name, value string) bool {
			if !json.Valid([]byte(value)) {
				t.Fatalf("%q holds %q", text, value)
			}
			if text[at] != '"' || name == "" {
				return true
			}
			if again, same := jsonscan.MemberAt(text, at); jsonscan.NameAt(text, at) == name && (again != name || same != value) {
				t.Fatalf("%q at %d: %q and %q, want %q and %q", text, at, again, same, name, value)
			}
			return true
		})
		var object map[string]json.RawMessage
		got := map[string]string{}
		ok := jsonscan.Members(text, func(name, value string) { got[name] = value })
		if want := json.Unmarshal([]byte(text), &object) == nil && object != nil; ok != want {
			t.Fatalf("%q: an object: %v, want %v", text, ok, want)
		}
		for name, value := range object {
			if ok && got[name] != string(value) {
				t.Fatalf("%q: %q is %q, want %q", text, name, got[name], value)
			}
		}
	})
}

// Read keeps what a caller has room for, and closes what it asks for.
func TestReadHasBounds(t *testing.T) {
	const text = `{"a":[{"b":[1,2,3]}],"c":{}}`
	var tape jsonscan.Tape
	if got := tape.Read(text, 14); got != jsonscan.Crowded {
		t.Errorf("15 slots where there may be 14: %d", got)
	}
	if got := tape.ReadFlat(text, 2, 10); got != jsonscan.Flat {
		t.Fatalf("10 slots where there may be 10: %d", got)
	}
	for _, op := range tape.Elements(tape.Get(0, "a")) {
		if !tape.IsClosed(op) || tape.Closed(op) != `{"b":[1,2,3]}` {
			t.Errorf("closed %v: %s", tape.IsClosed(op), tape.Closed(op))
		}
	}
	if tape.IsClosed(tape.Get(0, "c")) {
		t.Error("a container of one other is closed")
	}
	if got := tape.Read(text, 100); got != jsonscan.Whole || tape.Count(0) != 2 {
		t.Errorf("whole: %d", got)
	}
	if n := testing.AllocsPerRun(10, func() { tape.Read(text, 100) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func Example() {
	jsonscan.Members(`{"$type":"app.bsky.feed.like","subject":{"cid":"bafy"}}`, func(name, value string) {
		text, ok := jsonscan.Text(value)
		fmt.Println(name, text, ok)
	})
	// Output:
	// $type app.bsky.feed.like true
	// subject  false
}
