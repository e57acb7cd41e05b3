package verify

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// block turns a record of a tape back into the DAG-CBOR that it came from, and
// its hash into a CID. FuzzBlock proves it equal to dagcbor.Marshal.
type block struct {
	t       *tape
	buf     []byte
	text    []byte
	members []member // a stack of the objects being sorted
	form    form
	// What the last encoding met.
	padded   int32 // bytes with padding; 0 when there are none
	fraction int32 // a number that no block holds; 0 when there is none
	twice    int32 // a key given twice; 0 when there is none
}

// form is how to read the JSON.
type form struct {
	sort    bool // put keys in canonical order (D1)
	literal bool // {"$link"} and {"$bytes"} are maps like others
	noNulls bool // leave out members that are null
	camel   bool // undo snake_case and py_type
}

type member struct {
	name  string
	value int32
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
	b.padded, b.fraction, b.twice = 0, 0, 0
	return b.value(i)
}

func (b *block) value(i int32) bool {
	n := &b.t.nodes[i]
	switch n.kind {
	case kindObject:
		return b.object(i)
	case kindArray:
		b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorArray, uint64(n.count))
		for at, end := i+1, n.next; at < end; at = b.t.nodes[at].next {
			if !b.value(at) {
				return false
			}
		}
		return true
	case kindString:
		b.buf = dagcbor.AppendText(b.buf, b.t.say(i))
	case kindNumber:
		return b.number(i)
	case kindTrue:
		b.buf = append(b.buf, dagcbor.True)
	case kindFalse:
		b.buf = append(b.buf, dagcbor.False)
	case kindNull:
		b.buf = append(b.buf, dagcbor.Null)
	}
	return true
}

// number reads an integer of 64 bits (D3).
func (b *block) number(i int32) bool {
	n := &b.t.nodes[i]
	text := b.t.text[n.start:n.end]
	negative := text[0] == '-'
	digits := strings.TrimPrefix(text, "-")
	var v uint64
	const mostDigits = 19
	if n.fraction || len(digits) > mostDigits {
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
	n := &b.t.nodes[i]
	if n.count == 1 && !b.form.literal && b.wrapped(i+1, i+2) {
		return true
	}
	if b.form.sort {
		return b.sorted(i)
	}
	b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorMap, uint64(n.count))
	for at, end := i+1, n.next; at < end; at = b.t.nodes[at+1].next {
		b.buf = dagcbor.AppendText(b.buf, b.t.say(at))
		if !b.value(at + 1) {
			return false
		}
	}
	return true
}

// compareKeys: shorter first, then bytewise (D1).
func compareKeys(a, b member) int {
	return cmp.Or(cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
}

// sorted writes an object in canonical order, with the changes of the form.
func (b *block) sorted(i int32) bool {
	base := len(b.members)
	for at, end := i+1, b.t.nodes[i].next; at < end; at = b.t.nodes[at+1].next {
		if b.form.noNulls && b.t.nodes[at+1].kind == kindNull {
			continue
		}
		name := b.t.say(at)
		if b.form.camel {
			name = camel(name)
		}
		b.members = append(b.members, member{name, at + 1})
	}
	end := len(b.members)
	slices.SortStableFunc(b.members[base:end], compareKeys)
	b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorMap, uint64(end-base))
	for m := base; m < end; m++ {
		// The slice may move while inner objects use it.
		now := b.members[m]
		if m > base && now.name == b.members[m-1].name {
			b.twice = now.value - 1
			return false
		}
		b.buf = dagcbor.AppendText(b.buf, now.name)
		if !b.value(now.value) {
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
	if t.nodes[value].kind != kindString {
		return false
	}
	switch {
	case t.is(key, "$link"):
		cid, err := syntax.ParseCID(t.say(value))
		if err == nil {
			b.buf = dagcbor.AppendLink(b.buf, cid)
		}
		return err == nil
	case t.is(key, "$bytes"):
		return b.bytes(value)
	}
	return false
}

// bytes writes base64 with or without padding; only the latter is canonical.
func (b *block) bytes(value int32) bool {
	text := b.t.say(value)
	encoding := base64.RawStdEncoding.Strict()
	bare := strings.TrimRight(text, "=")
	if len(bare) < len(text) {
		if len(text)%4 != 0 || len(text)-len(bare) > 2 {
			return false
		}
		b.padded = value
	}
	start := len(b.buf)
	b.buf = dagcbor.AppendHead(b.buf, dagcbor.MajorBytes, uint64(encoding.DecodedLen(len(bare))))
	out, err := encoding.AppendDecode(b.buf, []byte(bare))
	// base64 passes over line breaks, which are not in its alphabet.
	if err != nil || strings.ContainsAny(bare, "\r\n") {
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
