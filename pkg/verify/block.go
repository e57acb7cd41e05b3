package verify

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// block turns a record of a tape back into the DAG-CBOR that it came from, and
// its hash into a CID. FuzzBlock proves it equal to dagcbor.Marshal.
type block struct {
	t       *tape
	buf     []byte
	text    []byte
	members []int32 // a stack of the keys of the objects being sorted
	form    form
	// What the last encoding met.
	padded   int32 // bytes with padding; 0 when there are none
	fraction int32 // a number that no block holds; 0 when there is none
	twice    int32 // a key given twice; 0 when there is none
	large    bool  // the block would be larger than one may be
}

// form is how to read the JSON.
type form struct {
	sort    bool // put keys in canonical order (D1)
	literal bool // {"$link"} and {"$bytes"} are maps like others
	noNulls bool // leave out members that are null
	camel   bool // undo snake_case and py_type
}

// cid is the text of the CID of the record at node i. The result is valid until
// the next call; nil when the record has no encoding.
func (b *block) cid(i int32, f form) []byte {
	if !b.encode(i, f) {
		return nil
	}
	sum := sha256.Sum256(b.buf)
	binary := [syntax.CIDLen]byte{1, syntax.CodecDAGCBOR, 0x12, sha256.Size}
	copy(binary[syntax.CIDLen-sha256.Size:], sum[:])
	b.text = syntax.AppendCID(b.text[:0], binary[:])
	return b.text
}

// encode fills buf; ok is false when the record has no encoding.
func (b *block) encode(i int32, f form) (ok bool) {
	b.buf, b.members, b.form = b.buf[:0], b.members[:0], f
	b.padded, b.fraction, b.twice, b.large = 0, 0, 0, false
	return b.value(i)
}

func (b *block) value(i int32) bool {
	if !b.room(1) {
		return false
	}
	switch b.t.Kind(i) {
	case jsonscan.Object:
		return b.object(i)
	case jsonscan.Array:
		b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorArray, uint64(b.t.Count(i)))
		for at := range b.t.Children(i) {
			if !b.value(at) {
				return false
			}
		}
		return true
	case jsonscan.String:
		return b.string(i)
	case jsonscan.Number:
		return b.number(i)
	case jsonscan.True:
		b.buf = append(b.buf, dagcbor.True)
	case jsonscan.False:
		b.buf = append(b.buf, dagcbor.False)
	case jsonscan.Null:
		b.buf = append(b.buf, dagcbor.Null)
	}
	return true
}

// room reports whether n more bytes stay within what a block may be. Where they do
// not, the record has no encoding, so that no record takes more memory than that.
func (b *block) room(n int) bool {
	b.large = b.large || len(b.buf)+n > dagcbor.MaxRecord
	return !b.large
}

// string writes the text of a string.
func (b *block) string(i int32) bool {
	raw := b.t.Raw(i)
	if !b.t.Marked(i) {
		if !b.room(len(raw)) {
			return false
		}
		b.buf = dagcbor.AppendText(b.buf, raw)
		return true
	}
	size := jsonscan.UnescapedLen(raw)
	if !b.room(size) {
		return false
	}
	b.buf = jsonscan.AppendUnescaped(dagcbor.AppendHead(b.buf, dagcbor.MajorText, uint64(size)), raw)
	return true
}

// number reads an integer of 64 bits (D3).
func (b *block) number(i int32) bool {
	text := b.t.Digits(i)
	negative := text[0] == '-'
	digits := strings.TrimPrefix(text, "-")
	var v uint64
	const mostDigits = 19
	if b.t.Marked(i) || len(digits) > mostDigits {
		b.fraction = i
		return false
	}
	for _, c := range []byte(digits) {
		v = v*10 + uint64(c-'0')
	}
	switch {
	case !negative && v <= 1<<63-1:
		b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorUint, v)
	case negative && v == 0:
		b.buf = append(b.buf, 0)
	case negative && v <= 1<<63:
		b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorNegative, v-1)
	default:
		b.fraction = i
		return false
	}
	return true
}

func (b *block) object(i int32) bool {
	count := b.t.Count(i)
	if count == 1 && !b.form.literal && b.wrapped(i+2, i+3) {
		return true
	}
	if b.large {
		return false
	}
	if b.form.sort {
		return b.sorted(i)
	}
	b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorMap, uint64(count))
	for key, value := range b.t.Members(i) {
		if !b.string(key) || !b.value(value) {
			return false
		}
	}
	return true
}

// compareKeys: shorter first, then bytewise (D1).
func compareKeys(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// name is a key as the form has it.
func (b *block) name(key int32) string {
	if b.form.camel {
		return camel(b.t.Text(key))
	}
	return b.t.Text(key)
}

// sorted writes an object in canonical order, with the changes of the form.
func (b *block) sorted(i int32) bool {
	base := len(b.members)
	for key, value := range b.t.Members(i) {
		if !b.form.noNulls || b.t.Kind(value) != jsonscan.Null {
			b.members = append(b.members, key)
		}
	}
	end := len(b.members)
	// A key and a value take two bytes at least.
	if !b.room(2 * (end - base)) {
		return false
	}
	// Keys that are equal keep their order: the later node is the higher.
	slices.SortFunc(b.members[base:end], func(x, y int32) int {
		return cmp.Or(compareKeys(b.name(x), b.name(y)), cmp.Compare(x, y))
	})
	b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorMap, uint64(end-base))
	before := ""
	for m := base; m < end; m++ {
		// The slice may move while inner objects use it.
		key := b.members[m]
		name := b.name(key)
		if m > base && name == before {
			b.twice = key
			return false
		}
		if before = name; !b.room(len(name)) {
			return false
		}
		b.buf = dagcbor.AppendText(b.buf, name)
		if !b.value(key + 1) {
			return false
		}
	}
	b.members = b.members[:base]
	return true
}

// wrapped writes the only member of an object as a link or as bytes, if it is
// one (J1).
func (b *block) wrapped(key, value int32) bool {
	t := b.t
	if t.Kind(value) != jsonscan.String {
		return false
	}
	switch {
	case t.Is(key, "$link"):
		cid, err := syntax.ParseCID(t.Text(value))
		if err == nil {
			b.buf = dagcbor.AppendLink(b.buf, cid)
		}
		return err == nil
	case t.Is(key, "$bytes"):
		return b.bytes(value)
	}
	return false
}

// bytes writes base64 with or without padding; only the latter is canonical.
func (b *block) bytes(value int32) bool {
	text := b.t.Raw(value)
	if !b.room(len(text) / 4 / 6 * 3) { // were each of its characters six bytes
		return false
	}
	if b.t.Marked(value) {
		text = jsonscan.Unescape(text)
	}
	encoding := base64.RawStdEncoding.Strict()
	unpadded := strings.TrimRight(text, "=")
	if len(unpadded) < len(text) {
		if len(text)%4 != 0 || len(text)-len(unpadded) > 2 {
			return false
		}
		b.padded = value
	}
	if !b.room(encoding.DecodedLen(len(unpadded))) {
		return false
	}
	start := len(b.buf)
	b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorBytes, uint64(encoding.DecodedLen(len(unpadded))))
	out, err := encoding.AppendDecode(b.buf, []byte(unpadded))
	// base64 passes over line breaks, which are not in its alphabet.
	if err != nil || strings.ContainsAny(unpadded, "\r\n") {
		b.buf = b.buf[:start]
		return false
	}
	b.buf = out
	return true
}

// isSnake reports whether a key is one that the Python bridge makes: lower-case
// words joined by underscores.
func isSnake(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
			if i == 0 || i == len(name)-1 || name[i-1] == '_' {
				return false
			}
		case c >= 'A' && c <= 'Z', c == '$':
			return false
		}
	}
	return strings.IndexByte(name, '_') > 0
}

// camel undoes snake_case.
func camel(name string) string {
	if name == "py_type" {
		return "$type"
	}
	if !isSnake(name) {
		return name
	}
	var out strings.Builder
	up := false
	for _, c := range []byte(name) {
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		out.WriteByte(c)
	}
	return out.String()
}
