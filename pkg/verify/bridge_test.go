package verify

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

// asBridge makes of an entry's data what the Python bridge stores: names in
// snake_case, py_type also where the block has no type, null for optional keys,
// links and bytes in hex. Records of unknown lexicons keep their names.
func asBridge(t *testing.T, data string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(data))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	ops, _ := v["ops"].([]any)
	for _, op := range ops {
		op := op.(map[string]any)
		if record, ok := op["record"].(map[string]any); ok {
			typ, _ := record["$type"].(string)
			op["record"] = bridged(t, record, ownedLexicon(typ), true)
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func bridged(t *testing.T, v any, known, top bool) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = bridged(t, v[i], known, false)
		}
		return v
	case map[string]any:
		if link, ok := v["$link"].(string); ok && len(v) == 1 {
			cid, err := syntax.ParseCID(link)
			if err != nil {
				t.Fatal(err)
			}
			return hex.EncodeToString(cid)
		}
		if text, ok := v["$bytes"].(string); ok && len(v) == 1 {
			raw, err := base64.RawStdEncoding.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			return hex.EncodeToString(raw)
		}
		out := map[string]any{}
		for name, value := range v {
			if known {
				name = snaked(name)
			}
			out[name] = bridged(t, value, known, false)
		}
		if _, typed := out["py_type"]; known && !typed {
			out["py_type"] = "com.atproto.repo.strongRef"
		}
		if known && top {
			if _, labelled := out["labels"]; !labelled {
				out["labels"] = nil // the bridge writes absent optionals as null
			}
			out["some_optional_key"] = nil
		}
		return out
	}
	return v
}

func snaked(name string) string {
	if name == "$type" {
		return "py_type"
	}
	var out strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				out.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		out.WriteRune(c)
	}
	return out.String()
}

// Beside the bridge nearly every pair differs in form. That is said once, and what
// differs beyond the form is still found, at its place, whichever side is the
// bridge's.
func TestCompareSetsTheBridgesFormAside(t *testing.T) {
	frames, _ := simFrames(t, 1500)
	for name, exact := range map[string][]Entry{"simulated": entries(t, frames), "real": entries(t, thirdparty.Frames(t))} {
		t.Run(name, func(t *testing.T) {
			theirs := make([]Entry, len(exact))
			records := 0
			for i, e := range exact {
				e.Fields = append([]string(nil), e.Fields...)
				if e.Fields[1] == "commit" {
					e.Fields[3] = asBridge(t, e.Fields[3])
				}
				if strings.Contains(e.Fields[3], "py_type") {
					records++
				}
				theirs[i] = e
			}
			for _, order := range [][2][]Entry{{exact, theirs}, {theirs, exact}} {
				found, sum := compared(t, order[0], order[1])
				if len(found) == 2 && strings.HasPrefix(found[0], "against-bytes ") {
					found = found[1:] // commits without records, in another order of keys
				}
				if len(found) != 1 || !strings.HasPrefix(found[0], "against-shape ") || !sum.Clean() || sum.Warnings < int64(records) || records < len(exact)/2 {
					t.Errorf("found %q of %d records, %+v", found, records, sum.Rules)
				}
			}
		})
	}
}

func compared(t *testing.T, here, there []Entry) (found []string, sum Summary) {
	t.Helper()
	report := func(f Finding) { found = append(found, fmt.Sprintf("%s %d %s", f.Rule, f.Seq, f.Where)) }
	sum, err := Compare(t.Context(), Config{Report: report}, Span{}, sequenceOf(here, nil), sequenceOf(there, nil))
	if err != nil {
		t.Fatal(err)
	}
	return found, sum
}

func TestCompareFindsWhatDiffersBesideTheBridgesForm(t *testing.T) {
	form := asBridge(t, create(record))
	for name, v := range map[string]struct {
		from, to    string
		left, right string // where, by the stream that is on the left
	}{
		"nothing":      {"", "", "", ""},
		"text":         {`"hej"`, `"HEJ"`, "ops[0].record.text", "ops[0].record.text"},
		"number":       {`321`, `322`, "ops[0].record.embed.images[0].image.size", "ops[0].record.embed.images[0].image.size"},
		"time":         {`03:04:05`, `03:04:06`, "ops[0].record.createdAt", "ops[0].record.created_at"},
		"type":         {`"app.bsky.feed.post"`, `"app.bsky.feed.like"`, "ops[0].record.$type", "ops[0].record.py_type"},
		"link":         {`01551220`, `01551221`, "ops[0].record.embed.images[0].image.ref", "ops[0].record.embed.images[0].image.ref"},
		"a key more":   {`"text":"hej"`, `"text":"hej","more":1`, "ops[0].record", "ops[0].record.more"},
		"a key less":   {`,"text":"hej"`, ``, "ops[0].record.text", "ops[0].record"},
		"null for one": {`"text":"hej"`, `"text":null`, "ops[0].record.text", "ops[0].record.text"},
		"element":      {`"images":[`, `"images":[{},`, "ops[0].record.embed.images", "ops[0].record.embed.images"},
		"path":         {`3kaaaaaaaaa2a`, `3kaaaaaaaaa2b`, "ops[0].path", "ops[0].path"},
		"repo":         {did, "did:plc:aaaabbbbccccddddeeeeggg2", "repo", "repo"},
		"no record":    {form[strings.Index(form, `,"record":`):strings.Index(form, `}],"repo"`)], ``, "ops[0]", "ops[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(form, v.from) {
				t.Fatalf("%s lacks %s", form, v.from)
			}
			theirs := holding(strings.Replace(form, v.from, v.to, 1))(sound())
			for left, want := range map[bool]string{true: v.left, false: v.right} {
				a, b := sound(), theirs
				if !left {
					a, b = b, a
				}
				found, _ := compared(t, a, b)
				if want != "" {
					want = "against-data 106 " + want
				} else {
					want = "against-shape 106 data"
				}
				if got := strings.Join(found, "|"); got != want {
					t.Errorf("exact on the left %v: found %q, want %q", left, got, want)
				}
			}
		})
	}
}

// What only looks like the bridge's form is a difference: one name, a null, two
// bridges that disagree.
func TestCompareTakesNothingElseForTheBridge(t *testing.T) {
	for name, v := range map[string]struct{ here, there string }{
		"one name":    {create(strings.Replace(record, "createdAt", "created_at", 1)), create(record)},
		"a null":      {create(strings.Replace(record, `"text":"hej"`, `"text":"hej","reply":null`, 1)), create(record)},
		"two bridges": {asBridge(t, create(record)), strings.Replace(asBridge(t, create(record)), "hej", "HEJ", 1)},
		"hex of another": {
			create(`{"$type":"a.b.c","x":"015512"}`), create(`{"$type":"a.b.c","x":{"$link":"bafkreic7it6vlv6ghl55wjpbokxpbpm4inxwgck4or6lwu65cik5oic2pm"}}`),
		},
		"half of the bytes": {create(`{"$type":"a.b.c","x":"02"}`), create(`{"$type":"a.b.c","x":{"$bytes":"AQI"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			found, _ := compared(t, holding(v.here)(sound()), holding(v.there)(sound()))
			if len(found) != 1 || !strings.HasPrefix(found[0], "against-data 106 ") {
				t.Errorf("found %q", found)
			}
		})
	}
}
