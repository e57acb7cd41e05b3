package block

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

// Encoder turns records back into the DAG-CBOR blocks that they came from, and names
// their CIDs. FuzzBlock proves it equal to dagcbor.Marshal. It keeps its memory for the
// next record, and is not safe for concurrent use.
type Encoder struct {
	Tape *Tape // which has the records
	// What the last encoding met, as nodes of the tape; 0 is none.
	Padded   int32 // $bytes with padding
	Fraction int32 // a number that no block holds
	Twice    int32 // a key given twice
	Large    bool  // the block would be larger than one may be

	buf     []byte
	text    []byte
	members []int32 // a stack of the keys of the objects being sorted
	form    Form
}

// Form is how to read the JSON. The zero Form takes it as it stands.
type Form struct {
	Sort    bool // put keys in canonical order (D1)
	Literal bool // {"$link"} and {"$bytes"} are maps like others
	NoNulls bool // leave out members that are null
	Camel   bool // undo snake_case and py_type
}

// CID is the text of the CID of the record at node i. The result is valid until
// the next call; nil when the record has no encoding.
func (e *Encoder) CID(i int32, f Form) []byte {
	if !e.encode(i, f) {
		return nil
	}
	sum := sha256.Sum256(e.buf)
	binary := [syntax.CIDLen]byte{1, syntax.CodecDAGCBOR, 0x12, sha256.Size}
	copy(binary[syntax.CIDLen-sha256.Size:], sum[:])
	e.text = syntax.AppendCID(e.text[:0], binary[:])
	return e.text
}

// encode fills buf; ok is false when the record has no encoding.
func (e *Encoder) encode(i int32, f Form) (ok bool) {
	e.begin(f)
	return e.value(i)
}

func (e *Encoder) begin(f Form) {
	e.buf, e.members, e.form = e.buf[:0], e.members[:0], f
	e.Padded, e.Fraction, e.Twice, e.Large = 0, 0, 0, false
}

func (e *Encoder) value(i int32) bool {
	if !e.room(1) {
		return false
	}
	switch e.Tape.Kind(i) {
	case jsonscan.Object:
		return e.object(i)
	case jsonscan.Array:
		e.buf = dagcbor.AppendHead(e.buf, dagcbor.MajorArray, uint64(e.Tape.Count(i)))
		for at := range e.Tape.Children(i) {
			if !e.value(at) {
				return false
			}
		}
		return true
	case jsonscan.String:
		return e.string(i)
	case jsonscan.Number:
		return e.number(i)
	case jsonscan.True:
		e.buf = append(e.buf, dagcbor.True)
	case jsonscan.False:
		e.buf = append(e.buf, dagcbor.False)
	case jsonscan.Null:
		e.buf = append(e.buf, dagcbor.Null)
	}
	return true
}

// room reports whether n more bytes stay within what a block may be. Where they do
// not, the record has no encoding, so that no record takes more memory than that.
func (e *Encoder) room(n int) bool {
	e.Large = e.Large || len(e.buf)+n > dagcbor.MaxRecord
	return !e.Large
}

// string writes the text of a string.
func (e *Encoder) string(i int32) bool {
	raw := e.Tape.Raw(i)
	if !e.Tape.Marked(i) {
		if !e.room(len(raw)) {
			return false
		}
		e.buf = dagcbor.AppendText(e.buf, raw)
		return true
	}
	size := jsonscan.UnescapedLen(raw)
	if !e.room(size) {
		return false
	}
	e.buf = jsonscan.AppendUnescaped(dagcbor.AppendHead(e.buf, dagcbor.MajorText, uint64(size)), raw)
	return true
}

// number reads an integer of 64 bits (D3).
func (e *Encoder) number(i int32) bool {
	text := e.Tape.Digits(i)
	negative := text[0] == '-'
	digits := strings.TrimPrefix(text, "-")
	var v uint64
	const mostDigits = 19
	if e.Tape.Marked(i) || len(digits) > mostDigits {
		e.Fraction = i
		return false
	}
	for _, c := range []byte(digits) {
		v = v*10 + uint64(c-'0')
	}
	switch {
	case !negative && v <= 1<<63-1:
		e.buf = dagcbor.AppendHead(e.buf, dagcbor.MajorUint, v)
	case negative && v == 0:
		e.buf = append(e.buf, 0)
	case negative && v <= 1<<63:
		e.buf = dagcbor.AppendHead(e.buf, dagcbor.MajorNegative, v-1)
	default:
		e.Fraction = i
		return false
	}
	return true
}

func (e *Encoder) object(i int32) bool {
	count := e.Tape.Count(i)
	if count == 1 && !e.form.Literal && e.wrapped(i+2, i+3) {
		return true
	}
	if e.Large {
		return false
	}
	if e.form.Sort {
		return e.sorted(i)
	}
	e.buf = dagcbor.AppendHead(e.buf, dagcbor.MajorMap, uint64(count))
	for key, value := range e.Tape.Members(i) {
		if !e.string(key) || !e.value(value) {
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
func (e *Encoder) name(key int32) string {
	if e.form.Camel {
		return camel(e.Tape.Text(key))
	}
	return e.Tape.Text(key)
}

// sorted writes an object in canonical order, with the changes of the form.
func (e *Encoder) sorted(i int32) bool {
	base := len(e.members)
	for key, value := range e.Tape.Members(i) {
		if !e.form.NoNulls || e.Tape.Kind(value) != jsonscan.Null {
			e.members = append(e.members, key)
		}
	}
	end := len(e.members)
	// A key and a value take two bytes at least.
	if !e.room(2 * (end - base)) {
		return false
	}
	// Keys that are equal keep their order: the later node is the higher.
	slices.SortFunc(e.members[base:end], func(x, y int32) int {
		return cmp.Or(compareKeys(e.name(x), e.name(y)), cmp.Compare(x, y))
	})
	e.buf = dagcbor.AppendHead(e.buf, dagcbor.MajorMap, uint64(end-base))
	before := ""
	for m := base; m < end; m++ {
		// The slice may move while inner objects use it.
		key := e.members[m]
		name := e.name(key)
		if m > base && name == before {
			e.Twice = key
			return false
		}
		if before = name; !e.room(len(name)) {
			return false
		}
		e.buf = dagcbor.AppendText(e.buf, name)
		if !e.value(key + 1) {
			return false
		}
	}
	e.members = e.members[:base]
	return true
}

// wrapped writes the only member of an object as a link or as bytes, if it is
// one (J1).
func (e *Encoder) wrapped(key, value int32) bool {
	t := e.Tape
	if t.Kind(value) != jsonscan.String {
		return false
	}
	switch {
	case t.Is(key, "$link"):
		cid, err := syntax.ParseCID(t.Text(value))
		if err == nil {
			e.buf = dagcbor.AppendLink(e.buf, cid)
		}
		return err == nil
	case t.Is(key, "$bytes"):
		_, ok := e.bytes(value)
		return ok
	}
	return false
}

// bytes writes base64 with or without padding; only the latter is canonical. raw is what
// it stands for.
func (e *Encoder) bytes(value int32) (raw []byte, ok bool) {
	text := e.Tape.Raw(value)
	if !e.room(len(text) / 4 / 6 * 3) { // were each of its characters six bytes
		return nil, false
	}
	if e.Tape.Marked(value) {
		text = jsonscan.Unescape(text)
	}
	encoding := base64.RawStdEncoding.Strict()
	unpadded := strings.TrimRight(text, "=")
	if len(unpadded) < len(text) {
		if len(text)%4 != 0 || len(text)-len(unpadded) > 2 {
			return nil, false
		}
		e.Padded = value
	}
	if !e.room(encoding.DecodedLen(len(unpadded))) {
		return nil, false
	}
	start := len(e.buf)
	e.buf = dagcbor.AppendHead(e.buf, dagcbor.MajorBytes, uint64(encoding.DecodedLen(len(unpadded))))
	head := len(e.buf)
	out, err := encoding.AppendDecode(e.buf, []byte(unpadded))
	// base64 passes over line breaks, which are not in its alphabet.
	if err != nil || strings.ContainsAny(unpadded, "\r\n") {
		e.buf = e.buf[:start]
		return nil, false
	}
	e.buf = out
	return out[head:], true
}

// Bytes is what the $bytes at node value stand for, until the next call; ok is false
// where they are no base64 text.
func (e *Encoder) Bytes(value int32) (raw []byte, ok bool) {
	e.begin(Form{})
	if e.Tape.Kind(value) != jsonscan.String {
		return nil, false
	}
	return e.bytes(value)
}

// IsSnake reports whether a key is one that the Python bridge makes: lower-case
// words joined by underscores.
func IsSnake(name string) bool {
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
	if !IsSnake(name) {
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
