package dagcbor_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// reasonOf is the reason of a dagcbor error, ReasonNone for nil.
func reasonOf(t *testing.T, err error) event.Reason {
	t.Helper()
	if err == nil {
		return event.ReasonNone
	}
	var known *dagcbor.Error
	if !errors.As(err, &known) {
		t.Fatalf("error of another type: %v", err)
	}
	return known.Reason
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func nest(head string, n int, core string) string { return strings.Repeat(head, n) + core }

func TestRecordPolicy(t *testing.T) {
	raw := syntax.SumCID(syntax.CodecRaw, []byte("blob"))
	link := hex.EncodeToString(dagcbor.AppendLink(nil, raw))
	cid := hex.EncodeToString(raw)
	text := syntax.CIDText(raw)
	const (
		none   = event.ReasonNone
		cbor   = event.ReasonRecordCBOR
		number = event.ReasonRecordNumber
		utf8   = event.ReasonRecordText
		limit  = event.ReasonRecordLimit
	)
	for _, c := range []struct {
		name, hex string
		reason    event.Reason
		odd       bool
		json      string
	}{
		{"D1/empty block", "", cbor, false, ""},
		{"D1/map", "a2 6161 01 6162 f6", none, false, `{"a":1,"b":null}`},
		{"D1/trailing bytes", "00 00", cbor, false, ""},
		{"D1/truncated text", "6261", cbor, false, ""},
		{"D1/truncated array", "8201", cbor, false, ""},
		{"D1/reserved head", "1c", cbor, false, ""},
		{"D1/unsorted keys", "a2 6162 01 6161 02", none, true, `{"b":1,"a":2}`},
		{"D1/longer key first", "a2 626161 01 6162 02", none, true, `{"aa":1,"b":2}`},
		{"D1/duplicate keys side by side", "a2 6161 01 6161 02", cbor, false, ""},
		{"D1/duplicate keys apart", "a3 6162 01 6161 02 6162 03", cbor, false, ""},
		{"D1/duplicate key, one head long", "a2 6161 01 780161 02", cbor, false, ""},
		{"D1/same key in other maps", "a2 6161 a1 6162 01 6162 a1 6162 02", none, false, `{"a":{"b":1},"b":{"b":2}}`},
		{"D1/unsorted within unsorted", "a2 6162 a2 6162 01 6161 02 6161 03", none, true, `{"b":{"b":1,"a":2},"a":3}`},
		{"D1/integer key", "a1 01 02", cbor, false, ""},
		{"D1/bytes key", "a1 4161 02", cbor, false, ""},
		{"D1/long integer", "1801", none, true, `1`},
		{"D1/long length", "780161", none, true, `"a"`},
		{"D1/long count", "9b0000000000000001 00", none, true, `[0]`},
		{"D1/indefinite array", "9f 01 ff", none, true, `[1]`},
		{"D1/indefinite map", "bf 6161 01 ff", none, true, `{"a":1}`},
		{"D1/indefinite text", "7f 6161 6162 ff", none, true, `"ab"`},
		{"D1/indefinite key", "a1 7f 6161 6162 ff 01", none, true, `{"ab":1}`},
		{"D1/indefinite bytes", "5f 4101 4102 ff", none, true, `{"$bytes":"AQI"}`},
		{"D1/indefinite map, duplicate", "bf 6161 01 6161 02 ff", cbor, false, ""},
		{"D1/indefinite map, odd count", "bf 6161 ff", cbor, false, ""},
		{"D1/indefinite without end", "9f 01", cbor, false, ""},
		{"D1/indefinite and trailing", "9f ff 00", cbor, false, ""},
		{"D1/chunk of another type", "7f 4161 ff", cbor, false, ""},
		{"D1/chunk within chunk", "7f 7f 6161 ff ff", cbor, false, ""},
		{"D1/half character in a chunk", "7f 61c3 61a9 ff", utf8, false, ""},
		{"D1/break alone", "ff", cbor, false, ""},
		{"D1/break in definite array", "81 ff", cbor, false, ""},
		{"D1/tag 0", "c0 6161", cbor, false, ""},
		{"D1/bignum", "c2 4101", cbor, false, ""},
		{"D1/self-describing", "d9d9f7 00", cbor, false, ""},
		{"D1/undefined", "f7", cbor, false, ""},
		{"D1/simple", "f0", cbor, false, ""},
		{"D1/wide simple", "f820", cbor, false, ""},
		{"D1/bad text", "62c328", utf8, false, ""},
		{"D1/surrogate in text", "63eda080", utf8, false, ""},
		{"D1/bad text in key", "a1 62c328 01", utf8, false, ""},
		{"D2/float16", "f93c00", number, false, ""},
		{"D2/float32", "fa3f800000", number, false, ""},
		{"D2/float64", "fb3ff0000000000000", number, false, ""},
		{"D2/NaN", "f97e00", number, false, ""},
		{"D2/truncated float", "fb3ff0", cbor, false, ""},
		{"D3/int64 max", "1b7fffffffffffffff", none, false, "9223372036854775807"},
		{"D3/int64 min", "3b7fffffffffffffff", none, false, "-9223372036854775808"},
		{"D3/above", "1b8000000000000000", number, false, ""},
		{"D3/below", "3b8000000000000000", number, false, ""},
		{"D3/2^53+1", "1b0020000000000001", none, false, "9007199254740993"},
		{"D4/32 deep", nest("81", 32, "00"), none, false, strings.Repeat("[", 32) + "0" + strings.Repeat("]", 32)},
		{"D4/33 deep", nest("81", 33, "00"), limit, false, ""},
		{"D4/33 deep, indefinite", nest("9f", 33, "ff"), limit, false, ""},
		{"D4/maps 33 deep", nest("a16161", 33, "00"), limit, false, ""},
		{"D4/a million deep", nest("81", 1<<20-1, "00"), limit, false, ""},
		{"D4/a million tags", nest("c1", 1<<20-1, "00"), cbor, false, ""},
		{"D4/declared elements", "9affffffff", limit, false, ""},
		{"D4/declared text", "7b7fffffffffffffff", cbor, false, ""},
		{"D4/declared bytes", "5bffffffffffffffff", cbor, false, ""},
		{"D4/131072 elements", "9a00020000" + strings.Repeat("00", 131072), none, false, "[" + strings.Repeat("0,", 131071) + "0]"},
		{"D4/131073 elements", "9a00020001" + strings.Repeat("00", 131073), limit, false, ""},
		{"D4/key of 8192", "a1 792000" + strings.Repeat("61", 8192) + "00", none, false, `{"` + strings.Repeat("a", 8192) + `":0}`},
		{"D4/key of 8193", "a1 792001" + strings.Repeat("61", 8193) + "00", limit, false, ""},
		{"D5/link", link, none, false, `{"$link":"` + text + `"}`},
		{"D5/link in an odd tag", "d9002a" + link[4:], none, true, `{"$link":"` + text + `"}`},
		{"D5/CIDv0", "d82a 5823 00 1220" + cid[8:], none, false, `{"$link":"` + syntax.CIDText(raw[2:]) + `"}`},
		{"D5/BLAKE3", "d82a 5825 00 01711e20" + cid[8:], none, false,
			`{"$link":"` + syntax.CIDText(append([]byte{1, 0x71, 0x1e, 0x20}, raw[4:]...)) + `"}`},
		{"D5/no zero byte", "d82a 5824" + cid, cbor, false, ""},
		{"D5/text content", "d82a 6161", cbor, false, ""},
		{"D5/empty content", "d82a 40", cbor, false, ""},
		{"D5/only zero byte", "d82a 4100", cbor, false, ""},
		{"D5/short CID", "d82a 5824 00" + cid[:70], cbor, false, ""},
		{"D5/long CID", "d82a 5826 00" + cid + "00", cbor, false, ""},
		{"J1/bytes", "4401020304", none, false, `{"$bytes":"AQIDBA"}`},
		{"J1/bytes use the standard alphabet", "42fbff", none, false, `{"$bytes":"+/8"}`},
		{"J1/no bytes", "40", none, false, `{"$bytes":""}`},
		{"J2/empty values", "86 f6 f4 00 60 80 a0", none, false, `[null,false,0,"",[],{}]`},
		{"J2/unknown $ fields", "a1 6324666f f5", none, false, `{"$fo":true}`},
		{"J3/legacy blob", "a2 63636964 6162 686d696d6554797065 6161", none, false, `{"cid":"b","mimeType":"a"}`},
		{"J4/no HTML escape", "63 3c263e", none, false, `"<&>"`},
		{"J4/no normalisation", "63 65cc81", none, false, "\"e\u0301\""},
		{"J4/escapes", "67 225c080c0a0d09", none, false, `"\"\\\b\f\n\r\t"`},
		{"J4/other controls", "63 00 1f 7f", none, false, "\"\\u0000\\u001f\x7f\""},
		{"J4/line separators stay", "66 e280a8e280a9", none, false, "\"\u2028\u2029\""},
		{"J4/minus one", "20", none, false, "-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tr dagcbor.Transcoder
			block := unhex(t, c.hex)
			out, info, err := tr.AppendJSON([]byte("keep:"), block)
			if r := reasonOf(t, err); r != c.reason {
				t.Fatalf("reason %s, want %s (%v)", r, c.reason, err)
			}
			if string(out) != "keep:"+c.json {
				t.Errorf("got %.200s, want %.200s", out, c.json)
			}
			if err == nil && info.NonCanonical != c.odd {
				t.Errorf("non-canonical %v, want %v", info.NonCanonical, c.odd)
			}
			strict := dagcbor.Check(block)
			if (strict == nil) != (err == nil && !c.odd) {
				t.Errorf("Check: %v", strict)
			}
		})
	}
}

func TestE1RecordOver1MiB(t *testing.T) {
	var tr dagcbor.Transcoder
	block, err := dagcbor.Marshal(map[string]any{"$type": "a", "pad": strings.Repeat("x", dagcbor.MaxRecord)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tr.AppendJSON(nil, block); reasonOf(t, err) != event.ReasonRecordLimit {
		t.Errorf("over the limit: %v", err)
	}
	cut := len(block) - dagcbor.MaxRecord
	block, _ = dagcbor.Marshal(map[string]any{"$type": "a", "pad": strings.Repeat("x", dagcbor.MaxRecord-cut)})
	if _, _, err := tr.AppendJSON(nil, block); len(block) != dagcbor.MaxRecord || err != nil {
		t.Errorf("at the limit of %d: %v", len(block), err)
	}
}

func TestTopLevelType(t *testing.T) {
	for name, c := range map[string]struct {
		hex, want string
	}{
		"present":       {"a1 652474797065 6161", "a"},
		"empty":         {"a1 652474797065 60", ""},
		"absent":        {"a1 6161 01", "<nil>"},
		"not text":      {"a1 652474797065 01", "<nil>"},
		"nested only":   {"a1 6161 a1 652474797065 6161", "<nil>"},
		"after a map":   {"a2 6161 a1 652474797065 6162 652474797065 6163", "c"},
		"indefinite":    {"bf 652474797065 7f 6161 6162 ff ff", "ab"},
		"not a map":     {"81 652474797065", "<nil>"},
		"last of three": {"a3 6178 00 6179 00 652474797065 6161", "a"},
	} {
		var tr dagcbor.Transcoder
		_, info, err := tr.AppendJSON(nil, unhex(t, c.hex))
		got := string(info.Type)
		if info.Type == nil {
			got = "<nil>"
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// Texts of every length meet every special byte at every place, so that the
// eight-bytes-at-a-time scan is compared with encoding/json.
func TestJ4TextEqualsEncodingJSON(t *testing.T) {
	for size := range 40 {
		for _, special := range []string{"", "\"", "\\", "\x00", "\x1f", " ", "!", "\x7f", "é", "\u2028", "😀", "#", "]"} {
			for at := 0; at+len(special) <= size; at++ {
				text := strings.Repeat("x", at) + special + strings.Repeat("y", size-at-len(special))
				got, ok := dagcbor.AppendString(nil, text)
				var back string
				if err := json.Unmarshal(got, &back); !ok || err != nil || back != text {
					t.Fatalf("%q: %s %v %v", text, got, ok, err)
				}
				if extra := len(got) - len(text) - 2; extra != extraOf(special) {
					t.Fatalf("%q: %s escapes %d bytes", text, got, extra)
				}
			}
		}
		if bad, ok := dagcbor.AppendString(nil, strings.Repeat("x", size)+"\xff"); ok || bad != nil {
			t.Fatalf("accepted bad UTF-8 after %d bytes", size)
		}
	}
}

func extraOf(special string) int {
	switch special {
	case "\"", "\\":
		return 1
	case "\x00", "\x1f":
		return 5
	}
	return 0
}

func TestUnsortedMapsAreNotQuadratic(t *testing.T) {
	const n = 100_000
	block := dagcbor.AppendHead(nil, dagcbor.MajorMap, n)
	for i := range n {
		block = append(dagcbor.AppendText(block, fmt.Sprintf("%06d", n-i)), 0)
	}
	var tr dagcbor.Transcoder
	if _, info, err := tr.AppendJSON(nil, block); err != nil || !info.NonCanonical {
		t.Errorf("%v %v", info, err)
	}
	block = append(block[:len(block)-8], dagcbor.AppendText(nil, "100000")...)
	block = append(block, 0)
	if _, _, err := tr.AppendJSON(nil, block); reasonOf(t, err) != event.ReasonRecordCBOR {
		t.Errorf("one duplicate among %d: %v", n, err)
	}
}

func TestTranscoderDoesNotAllocate(t *testing.T) {
	block, err := dagcbor.Marshal(sampleRecord())
	if err != nil {
		t.Fatal(err)
	}
	var tr dagcbor.Transcoder
	var dst []byte
	run := func() { dst, _, _ = tr.AppendJSON(dst[:0], block) }
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func sampleRecord() map[string]any {
	return map[string]any{
		"$type": "app.bsky.feed.post", "text": "hej \"du\"\nö", "createdAt": "2026-01-02T03:04:05.000Z",
		"langs": []any{"sv"}, "n": int64(-5), "sig": []byte{1, 2, 3}, "gone": nil, "ok": true,
		"embed": map[string]any{"$type": "blob", "ref": dagcbor.Link(syntax.SumCID(syntax.CodecRaw, []byte("x"))),
			"mimeType": "image/png", "size": 321},
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	block, err := dagcbor.Marshal(sampleRecord())
	if err != nil {
		b.Fatal(err)
	}
	var tr dagcbor.Transcoder
	var dst []byte
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		dst, _, _ = tr.AppendJSON(dst[:0], block)
	}
}

func FuzzAppendJSON(f *testing.F) {
	sample, _ := dagcbor.Marshal(sampleRecord())
	f.Add(sample)
	for _, seed := range []string{"a0", "bf616101ff", "7f61616162ff", "a2616201616102", "fb3ff0000000000000", "d82a4100", "9f9fffff"} {
		f.Add(unhex(f, seed))
	}
	seedShared(f)
	f.Fuzz(func(t *testing.T, block []byte) {
		var tr dagcbor.Transcoder
		out, info, err := tr.AppendJSON(nil, block)
		strict := dagcbor.Check(block)
		if strict == nil && len(block) <= dagcbor.MaxRecord && (err != nil || info.NonCanonical) {
			t.Fatalf("Check accepts, AppendJSON says %v %v", info, err)
		}
		if err != nil {
			if r := reasonOf(t, err); !r.Op() || out != nil {
				t.Fatalf("reason %s, output %q", r, out)
			}
			return
		}
		if !json.Valid(out) {
			t.Fatalf("not JSON: %q", out)
		}
		// With room in dst, much is copied as words.
		if roomy, _, err := tr.AppendJSON(make([]byte, 0, 6*len(block)+64), block); err != nil || !bytes.Equal(roomy, out) {
			t.Fatalf("with room %q, without %q: %v", roomy, out, err)
		}
		if !info.NonCanonical && strict != nil {
			t.Fatalf("AppendJSON calls canonical what Check refuses: %v", strict)
		}
		if strict == nil {
			reencode(t, block)
		}
	})
}

// reencode proves a strict block to be the one canonical form of its value.
func reencode(t *testing.T, block []byte) {
	t.Helper()
	var v any
	if err := dagcbor.Unmarshal(block, &v); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	if again, err := dagcbor.Marshal(v); err != nil || !bytes.Equal(again, block) {
		t.Fatalf("re-encoded %x, want %x: %v", again, block, err)
	}
}

// Every length of key around the sizes that are copied as words, with something
// that needs a second look at every place, and something behind it that must not
// be taken for a part of it.
func TestKeysOfEveryShape(t *testing.T) {
	var tr dagcbor.Transcoder
	for n := range 20 {
		for at := -1; at < n; at++ {
			for _, odd := range []string{`"`, `\`, "\n", "\x00", "é", "\x7f", "\xff"} {
				key := strings.Repeat("k", n)
				if at >= 0 {
					key = key[:at] + odd + key[at+1:]
				}
				checkKey(t, &tr, key)
			}
		}
	}
}

func checkKey(t *testing.T, tr *dagcbor.Transcoder, key string) {
	t.Helper()
	for _, value := range []string{"", `"`, strings.Repeat("\n\"", 20), strings.Repeat("ö", 20)} {
		block := dagcbor.AppendHead(nil, dagcbor.MajorMap, 1)
		block = dagcbor.AppendText(dagcbor.AppendText(block, key), value)
		for room := range 40 {
			got, _, err := tr.AppendJSON(make([]byte, 0, room), block)
			if !utf8.ValidString(key) {
				if reasonOf(t, err) != event.ReasonRecordText {
					t.Fatalf("key %q: %v", key, err)
				}
				continue
			}
			var back map[string]string
			if json.Unmarshal(got, &back) != nil || len(back) != 1 || back[key] != value {
				t.Fatalf("key %q, value %q, room %d: %s, %v", key, value, room, got, err)
			}
		}
	}
}

func TestOddOrderDoesNotAllocate(t *testing.T) {
	block := dagcbor.AppendHead(nil, dagcbor.MajorMap, 3)
	for _, text := range []string{"text", "hej", "$type", "app.bsky.feed.post", "a", "b"} {
		block = dagcbor.AppendText(block, text)
	}
	var tr dagcbor.Transcoder
	var dst []byte
	var info dagcbor.Info
	run := func() { dst, info, _ = tr.AppendJSON(dst[:0], block) }
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 || !info.NonCanonical {
		t.Errorf("%v allocations, non-canonical %v", n, info.NonCanonical)
	}
}
