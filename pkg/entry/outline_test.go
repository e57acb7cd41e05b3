package entry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/entry"
)

func TestOutlineReadsWhatTailsNeed(t *testing.T) {
	data := ` {"repo":"did:plc:x", "extra":{"repo":"no"}, "ops":[
		{"action":"create","path":"a.b.c\/d","cid":"bafy","record": {"n":1.5e3,"t":"å\u00e5","l":[[],{},null,true,false,-0]} },
		{"action":"delete","path":"a.b.c/e"}, {"action":7}, "odd"] } `
	var o entry.Outline
	for range 2 {
		if err := o.Read(data); err != nil {
			t.Fatal(err)
		}
	}
	if o.DID != "did:plc:x" || len(o.Ops) != 4 || !o.HasOps {
		t.Fatalf("%+v", o)
	}
	first := o.Ops[0]
	if first.Action != "create" || first.Collection() != "a.b.c" || first.Key() != "d" || !strings.HasSuffix(first.Record, `-0]}`) {
		t.Errorf("%+v", first)
	}
	if o.Ops[1].JSON != `{"action":"delete","path":"a.b.c/e"}` || o.Ops[1].Record != "" || o.Ops[2].Action != "" || o.Ops[3].JSON != `"odd"` {
		t.Errorf("%+v", o.Ops[1:])
	}
	if err := o.Read(`{"did":"did:plc:y","handle":null}`); err != nil || o.DID != "did:plc:y" || o.HasOps || len(o.Ops) != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

// G5: of ops that are a number 13 MB hold six million.
func TestOutlineKeepsAsManyOpsAsThereMayBe(t *testing.T) {
	ops := func(n int) string {
		return `{"repo":"x","ops":[` + strings.TrimSuffix(strings.Repeat("0,", n), ",") + `]}`
	}
	var o entry.Outline
	if err := o.Read(ops(10_000)); err != nil || len(o.Ops) != 10_000 {
		t.Errorf("%d ops, %v", len(o.Ops), err)
	}
	if err := o.Read(ops(10_001)); err == nil || !strings.Contains(err.Error(), "more than 10000 ops") || len(o.Ops) != 0 {
		t.Errorf("%d ops, %v", len(o.Ops), err)
	}
	if err := o.Read(ops(10_001) + "]"); err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("damaged: %v", err)
	}
	if err := o.Read(`{"ops":[` + strings.TrimSuffix(strings.Repeat("0,", 20_000), ",") + `],"ops":[1]}`); err != nil || len(o.Ops) != 1 {
		t.Errorf("the last ops count: %d, %v", len(o.Ops), err)
	}
}

// outlineSeeds are values on both sides of the border.
var outlineSeeds = []string{
	``, ` `, `{}`, `{} x`, `{`, `[]`, `null`, `1`, `"a"`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":01}`, `{"a":-}`, `{"a":1.}`,
	`{"a":1e}`, `{"a":.5}`, `{"a":+1}`, `{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, "{\"a\":\"\n\"}", `{"a":tru}`, `{"a":nul`,
	`{"ops":[}`, `{"ops":[1,]}`, `{"ops":[{]}`, `{"ops":null}`, `{"ops":[{"record":{}}]}`, `{"did":"\ud800","repo":{}}`, `{"a":[1 2]}`,
	"{\"a\":\"\xff\"}", `{"a":"日本語"}`, `{"did":[["x"]]}`, `{"a" : [ 1 , 2 ] , "b" : { "c" : "d" } }`, `{"a":1}{"b":2}`, `{"did":tru}`,
}

func TestOutlineAcceptsWhatJSONIs(t *testing.T) {
	for _, seed := range outlineSeeds {
		checkOutline(t, seed)
	}
	checkOutline(t, `{"a":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`)
	var o entry.Outline
	if o.Read(`{"a":`+strings.Repeat("[", 1_000_000)) == nil {
		t.Error("endless nesting is taken")
	}
}

func FuzzOutline(f *testing.F) {
	for _, seed := range outlineSeeds {
		f.Add(seed)
	}
	f.Fuzz(checkOutline)
}

// checkOutline compares with encoding/json.
func checkOutline(t *testing.T, data string) {
	var o entry.Outline
	err := o.Read(data)
	var object map[string]json.RawMessage
	sound := json.Unmarshal([]byte(data), &object) == nil && object != nil && utf8.ValidString(data)
	if (err == nil) != sound {
		t.Fatalf("%q: %v, but encoding/json says %v", data, err, sound)
	}
	if err != nil {
		return
	}
	for i := range o.Ops {
		if !json.Valid([]byte(o.Ops[i].JSON)) || o.Ops[i].Record != "" && !json.Valid([]byte(o.Ops[i].Record)) {
			t.Fatalf("%q: op %d is %q", data, i, o.Ops[i])
		}
	}
}

func BenchmarkOutline(b *testing.B) {
	data := fmt.Sprintf(`{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"create","path":"app.bsky.feed.post/3kaaaaaaaaa2a","cid":"bafyreifgdu2sih3s5pcblmx3bcbrqwbxfcrqimormrj4d5bc6ynukvvqia","record":{"$type":"app.bsky.feed.post","text":%q,"createdAt":"2026-01-02T03:04:05.000Z"}}]}`, strings.Repeat("hej hopp ", 12))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	var o entry.Outline
	for b.Loop() {
		if err := o.Read(data); err != nil {
			b.Fatal(err)
		}
	}
}
