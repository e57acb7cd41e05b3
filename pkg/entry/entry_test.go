package entry_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

const did = "did:plc:aaaabbbbccccddddeeeeffff"

func blob() dagcbor.Link { return syntax.SumCID(syntax.CodecRaw, []byte("fhctl example blob")) }

// contractRecord is the post of contract section 3.
func contractRecord(t testing.TB) []byte {
	t.Helper()
	block, err := dagcbor.Marshal(map[string]any{
		"$type": "app.bsky.feed.post", "text": "hej", "createdAt": "2026-01-02T03:04:05.000Z",
		"embed": map[string]any{"$type": "app.bsky.embed.images", "images": []any{map[string]any{
			"alt": "", "image": map[string]any{"$type": "blob", "ref": blob(), "mimeType": "image/png", "size": 321},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func record(t testing.TB, block []byte) []byte {
	t.Helper()
	var tr dagcbor.Transcoder
	out, _, err := tr.AppendJSON(nil, block)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The two CIDs and the shape are those the contract prints.
func TestContractCommitExample(t *testing.T) {
	block := contractRecord(t)
	ev := &event.Event{Kind: event.KindCommit, Seq: 1, DID: []byte(did), Commit: event.Commit{Ops: []event.Op{
		{Action: event.Create, Path: []byte("app.bsky.feed.post/3kaaaaaaaaa2a"),
			CID: syntax.SumCID(syntax.CodecDAGCBOR, block), Record: record(t, block)},
		{Action: event.Create, Path: []byte("app.bsky.feed.post/skipped"), Skip: event.ReasonBlockMissing},
		{Action: event.Delete, Path: []byte("app.bsky.feed.like/3kbbbbbbbbb2b"), CID: []byte{1}},
	}}}
	want := `{"repo":"did:plc:aaaabbbbccccddddeeeeffff",
 "ops":[
  {"action":"create","path":"app.bsky.feed.post/3kaaaaaaaaa2a",
   "cid":"bafyreifgdu2sih3s5pcblmx3bcbrqwbxfcrqimormrj4d5bc6ynukvvqia",
   "record":{"$type":"app.bsky.feed.post","text":"hej","createdAt":"2026-01-02T03:04:05.000Z",
    "embed":{"$type":"app.bsky.embed.images","images":[{"alt":"","image":
     {"$type":"blob","ref":{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"},
      "mimeType":"image/png","size":321}}]}}},
  {"action":"delete","path":"app.bsky.feed.like/3kbbbbbbbbb2b"}]}`
	got, ok := entry.Append(nil, ev)
	if !ok || !reflect.DeepEqual(parsed(t, string(got)), parsed(t, want)) {
		t.Errorf("got %s", got)
	}
	if !strings.HasPrefix(string(got), `{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"create","path":"`) {
		t.Errorf("key order: %s", got)
	}
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestAppend(t *testing.T) {
	for name, c := range map[string]struct {
		ev   event.Event
		want string
	}{
		"commit without ops": {event.Event{Kind: event.KindCommit, DID: []byte(did)}, `{"repo":"` + did + `","ops":[]}`},
		"commit, all ops skipped": {event.Event{Kind: event.KindCommit, DID: []byte(did),
			Commit: event.Commit{Ops: []event.Op{{Skip: event.ReasonOpShape}}}}, `{"repo":"` + did + `","ops":[]}`},
		"path is escaped": {event.Event{Kind: event.KindCommit, DID: []byte(did),
			Commit: event.Commit{Ops: []event.Op{{Action: event.Delete, Path: []byte("a\"\n/<b>")}}}},
			`{"repo":"` + did + `","ops":[{"action":"delete","path":"a\"\n/<b>"}]}`},
		"identity":          {event.Event{Kind: event.KindIdentity, DID: []byte(did), Identity: event.Identity{Handle: []byte("cat.example")}}, `{"did":"` + did + `","handle":"cat.example"}`},
		"identity, invalid": {event.Event{Kind: event.KindIdentity, DID: []byte(did), Identity: event.Identity{Handle: []byte("handle.invalid")}}, `{"did":"` + did + `","handle":"handle.invalid"}`},
		"identity, none":    {event.Event{Kind: event.KindIdentity, DID: []byte(did)}, `{"did":"` + did + `","handle":null}`},
		"account":           {event.Event{Kind: event.KindAccount, DID: []byte(did)}, `{"did":"` + did + `","active":false}`},
		"account, active":   {event.Event{Kind: event.KindAccount, DID: []byte(did), Account: event.Account{Active: true}}, `{"did":"` + did + `","active":true}`},
		"E3/status": {event.Event{Kind: event.KindAccount, DID: []byte(did), Account: event.Account{Active: true, Status: []byte("desynchronized")}},
			`{"did":"` + did + `","active":true,"status":"desynchronized"}`},
		"sync":                       {event.Event{Kind: event.KindSync, DID: []byte(did)}, ""},
		"info":                       {event.Event{Kind: event.KindInfo}, ""},
		"error":                      {event.Event{Kind: event.KindError}, ""},
		"unknown":                    {event.Event{Kind: event.KindUnknown}, ""},
		"bad text":                   {event.Event{Kind: event.KindAccount, DID: []byte(did), Account: event.Account{Status: []byte("\xff")}}, ""},
		"identity, DID for a handle": {event.Event{Kind: event.KindIdentity, DID: []byte(did), Identity: event.Identity{Handle: []byte(did)}}, `{"did":"` + did + `","handle":null}`},
		"identity, no handle at all": {event.Event{Kind: event.KindIdentity, DID: []byte(did), Identity: event.Identity{Handle: []byte("a b")}}, `{"did":"` + did + `","handle":null}`},
		"bad path": {event.Event{Kind: event.KindCommit, DID: []byte(did),
			Commit: event.Commit{Ops: []event.Op{{Action: event.Delete, Path: []byte("\xff/a")}}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := entry.Append([]byte("keep:"), &c.ev)
			if string(got) != "keep:"+c.want || ok != (c.want != "") {
				t.Errorf("%s, %v; want %s", got, ok, c.want)
			}
			if !ok {
				return
			}
			if _, err := entry.Parse(c.ev.Kind.String(), got[5:]); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	e, err := entry.Parse("commit", []byte(`{"repo":"did:plc:x","ops":[
		{"action":"create","path":"a.b.c/d","cid":"bafy","record":{"n":12345678901234567890}},{"action":"delete","path":"a.b.c/e"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	first := e.Commit.Ops[0]
	if e.DID() != "did:plc:x" || first.Collection() != "a.b.c" || string(first.Record) != `{"n":12345678901234567890}` {
		t.Errorf("%+v", e)
	}
	e, err = entry.Parse("identity", []byte(`{"did":"did:plc:x","handle":null}`))
	if err != nil || e.Identity.Handle != nil || e.Kind != event.KindIdentity {
		t.Errorf("%+v, %v", e, err)
	}
	e, err = entry.Parse("account", []byte(`{"did":"did:plc:x","active":false,"status":"deleted"}`))
	if err != nil || *e.Account.Active || *e.Account.Status != "deleted" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"sync", `{"did":"did:plc:x"}`},
		{"#commit", `{"repo":"did:plc:x","ops":[]}`},
		{"commit", ``}, {"commit", `null`}, {"commit", `[]`}, {"commit", `{"repo":"did:plc:x"}`},
		{"commit", `{"repo":"did:plc:x","ops":null}`},
		{"commit", `{"ops":[]}`},
		{"commit", `{"repo":"did:plc:x","ops":[]} x`},
		{"commit", `{"repo":"did:plc:x","ops":[],"seq":1}`},
		{"commit", `{"repo":"did:plc:x","ops":[{"action":"create","path":"a.b.c/d","cid":"bafy"}]}`},
		{"commit", `{"repo":"did:plc:x","ops":[{"action":"delete","path":"a.b.c/d","cid":"bafy"}]}`},
		{"commit", `{"repo":"did:plc:x","ops":[{"action":"rename","path":"a.b.c/d"}]}`},
		{"commit", `{"repo":"did:plc:x","ops":[{"action":"delete"}]}`},
		{"identity", `{"handle":"a.b"}`}, {"identity", `{"did":1,"handle":"a.b"}`},
		{"account", `{"did":"did:plc:x"}`}, {"account", `{"did":"did:plc:x","active":"yes"}`},
	} {
		if e, err := entry.Parse(c[0], []byte(c[1])); err == nil {
			t.Errorf("%s %s: accepted as %+v", c[0], c[1], e)
		}
	}
}
