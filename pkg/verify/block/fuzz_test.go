package block

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/syntax"
)

const (
	record = `{"$type":"app.bsky.feed.post","text":"hej","createdAt":"2026-01-02T03:04:05.000Z","embed":{"$type":"app.bsky.embed.images","images":[{"alt":"","image":{"$type":"blob","ref":{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"},"mimeType":"image/png","size":321}}]}}`
	// cid is the record's, as the contract prints it.
	cid = "bafyreifgdu2sih3s5pcblmx3bcbrqwbxfcrqimormrj4d5bc6ynukvvqia"
)

func seeds(f *testing.F) {
	for _, text := range []string{
		``, ` `, `{}`, `[]`, `null`, `true`, `fals`, `0`, `-0`, `01`, `1.5e-3`, `1e`, `-`, `.5`, `"`, `"\u00e9\ud83d\ude00\ud800"`, `"\x"`, "\"\x01\"", "\"\xff\"",
		`{"a":1,}`, `{"a" : [1 , {"b":null}] } `, `[1,]`, `{"a"}`, `{"$link":"` + cid + `"}`, `{"$bytes":"AQI"}`, `{"$bytes":"AQI="}`, `{"$bytes":"A"}`,
		`{"b":1,"a":2,"aa":3,"a":4}`, record, `{"repo":"did:plc:x","ops":[{"action":"create","cid":"` + cid + `","record":` + record + `}]}`, strings.Repeat("[", 50) + strings.Repeat("]", 50),
	} {
		f.Add(text)
	}
}

// A block made from the tape is what dagcbor makes of the same JSON read by
// encoding/json.
func FuzzBlock(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		var tp Tape
		if tp.Parse(text) != jsonscan.Whole {
			return
		}
		b := Encoder{Tape: &tp}
		ok := b.encode(0, Form{Sort: true})
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if b.Twice > 0 {
			return // a Go map cannot hold it
		}
		value, fits := plain(v)
		if ok != fits {
			t.Fatalf("%q: encoded %v, want %v", text, ok, fits)
		}
		want, err := dagcbor.Marshal(value)
		if !ok || err != nil {
			return // deeper or larger than a record may be
		}
		if !bytes.Equal(b.buf, want) {
			t.Fatalf("%q: encoded %x, want %x", text, b.buf, want)
		}
		if got := string(b.CID(0, Form{Sort: true})); got != syntax.CIDText(syntax.SumCID(syntax.CodecDAGCBOR, want)) {
			t.Fatalf("%q: cid %s", text, got)
		}
	})
}

// plain is a JSON value as dagcbor takes it.
func plain(v any) (_ any, ok bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		return n, err == nil && !strings.ContainsAny(v.String(), ".eE")
	case []any:
		for i := range v {
			if v[i], ok = plain(v[i]); !ok {
				return nil, false
			}
		}
	case map[string]any:
		if w, ok := wrapped(v); ok {
			return w, true
		}
		for key := range v {
			if v[key], ok = plain(v[key]); !ok {
				return nil, false
			}
		}
	}
	return v, true
}

func wrapped(v map[string]any) (any, bool) {
	if len(v) != 1 {
		return nil, false
	}
	if text, ok := v["$link"].(string); ok {
		cid, err := syntax.ParseCID(text)
		return dagcbor.Link(cid), err == nil
	}
	text, ok := v["$bytes"].(string)
	if !ok || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	if strings.HasSuffix(text, "=") {
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		return raw, err == nil
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return raw, err == nil
}
