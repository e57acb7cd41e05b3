package frame

import (
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// field numbers the keys that some kind of payload, or an op, uses.
type field uint8

const (
	fieldOther field = iota
	fieldSeq
	fieldTime
	fieldRepo
	fieldDID
	fieldRev
	fieldSince
	fieldBlocks
	fieldOps
	fieldCommit
	fieldPrevData
	fieldHandle
	fieldActive
	fieldStatus
	fieldName
	fieldMessage
	fieldError
	fieldAction
	fieldPath
	fieldCID
	fieldPrev
	fieldBlobs // this and the next two are known only to be passed over (E2)
	fieldRebase
	fieldTooBig
	fieldCount
)

// keys are the encoded keys: a text head and the name.
var keys = [fieldCount]string{
	fieldSeq: "\x63seq", fieldTime: "\x64time", fieldRepo: "\x64repo", fieldDID: "\x63did",
	fieldRev: "\x63rev", fieldSince: "\x65since", fieldBlocks: "\x66blocks", fieldOps: "\x63ops",
	fieldCommit: "\x66commit", fieldPrevData: "\x68prevData", fieldHandle: "\x66handle",
	fieldActive: "\x66active", fieldStatus: "\x66status", fieldName: "\x64name",
	fieldMessage: "\x67message", fieldError: "\x65error", fieldAction: "\x66action",
	fieldPath: "\x64path", fieldCID: "\x63cid", fieldPrev: "\x64prev",
	fieldBlobs: "\x65blobs", fieldRebase: "\x66rebase", fieldTooBig: "\x66tooBig",
}

// follows is the key that stands behind each key in most commits and ops, all
// in canonical order. It only makes reading fast: a wrong guess costs one
// comparison, and fieldOther is no guess.
var follows = [fieldCount]field{
	fieldOps: fieldRev, fieldRev: fieldSeq, fieldSeq: fieldRepo, fieldRepo: fieldTime,
	fieldTime: fieldBlobs, fieldBlobs: fieldSince, fieldSince: fieldBlocks, fieldBlocks: fieldCommit,
	fieldCommit: fieldRebase, fieldRebase: fieldTooBig, fieldTooBig: fieldPrevData,
	fieldCID: fieldPath, fieldPath: fieldAction, fieldPrev: fieldAction,
}

func fieldOf(encoded []byte) field {
	for id := fieldOther + 1; id < fieldCount; id++ {
		if string(encoded) == keys[id] {
			return id
		}
	}
	return fieldOther
}

// value is one well-formed CBOR item, located.
type value struct {
	start, content, end int
	arg                 uint64
	major               byte
}

// fields are the located values of one map.
type fields struct {
	data   []byte
	values [fieldCount]value // meaningful where have says so
	have   uint32            // a bit for each key that occurred
	twice  uint32            // a bit for each key that occurred more than once
	odd    bool              // D1 forbids something in the encoding
	ops    *opList           // reads the ops in passing; nil reads nothing
}

// read locates the values of the map at f.data[at:]. The error is the first
// thing that is not well-formed; end is where the map ends.
func (f *fields) read(at int, first field) (end int, err error) {
	h, at := dagcbor.ReadHead(f.data, at)
	if at == 0 || h.Major != dagcbor.MajorMap || h.Indefinite {
		return 0, errNotMap
	}
	f.odd = f.odd || h.Long
	guess := first
	var last []byte
	for range h.Arg {
		id, start := guess, at
		if key := keys[id]; id != fieldOther && len(f.data)-at > len(key) && string(f.data[at:at+len(key)]) == key {
			at += len(key)
		} else if id, at, err = f.key(at, last); err != nil {
			return 0, err
		}
		last = f.data[start:at]
		if at, err = f.locate(id, at); err != nil {
			return 0, err
		}
		guess = follows[id]
	}
	return at, nil
}

// key reads a key that was not the expected one. One that was expected follows
// its forerunner in canonical order by construction.
func (f *fields) key(at int, last []byte) (id field, end int, err error) {
	h, next := dagcbor.ReadHead(f.data, at)
	if next == 0 || h.Major != dagcbor.MajorText || h.Indefinite || h.Arg > uint64(len(f.data)-next) {
		if _, _, err := dagcbor.Skip(f.data, at); err != nil {
			return 0, 0, err
		}
		return 0, 0, errKey
	}
	end = next + int(h.Arg)
	encoded := f.data[at:end]
	f.odd = f.odd || h.Long || !dagcbor.KeysRise(last, encoded)
	if h.Long && h.Arg < 24 {
		encoded = dagcbor.AppendText(nil, string(f.data[next:end]))
	}
	return fieldOf(encoded), end, nil
}

// locate notes where the value at f.data[at:] stands and returns its end.
func (f *fields) locate(id field, at int) (end int, err error) {
	f.twice |= f.have & (1 << id)
	f.have |= 1 << id
	v := &f.values[id]
	v.start = at
	if end = f.usual(v, at); end > 0 {
		v.end = end
		return end, nil
	}
	h, next := dagcbor.ReadHead(f.data, at)
	v.content, v.arg, v.major = next, h.Arg, h.Major
	v.end, err = f.skip(id, h, at, next)
	return v.end, err
}

// usual locates the values that most fields hold: short texts, true, false and
// null, and links to atproto CIDs. It is 0 for all else.
func (f *fields) usual(v *value, at int) (end int) {
	const link = "\xd8\x2a\x58\x25\x00\x01\x71\x12\x20"
	rest := f.data[at:]
	if len(rest) == 0 {
		return 0
	}
	switch first := rest[0]; {
	case first>>5 == dagcbor.MajorText && first&0x1f < 24 && int(first&0x1f) < len(rest):
		v.content, v.major = at+1, dagcbor.MajorText
		return at + 1 + int(first&0x1f)
	case first == dagcbor.False || first == dagcbor.True || first == dagcbor.Null:
		v.content, v.major = at+1, dagcbor.MajorSimple
		return at + 1
	case first == link[0] && len(rest) >= 5+syntax.CIDLen && string(rest[:len(link)]) == link:
		v.content, v.major, v.arg = at+2, dagcbor.MajorTag, linkTag
		return at + 5 + syntax.CIDLen
	}
	return 0
}

// skip is the end of the value at f.data[at:], whose head is known.
func (f *fields) skip(id field, h dagcbor.Head, at, next int) (end int, err error) {
	if next > 0 && !h.Indefinite {
		f.odd = f.odd || h.Long && h.Major != dagcbor.MajorSimple
		switch h.Major {
		case dagcbor.MajorUint:
			return next, nil
		case dagcbor.MajorText, dagcbor.MajorBytes:
			if h.Arg <= uint64(len(f.data)-next) {
				return next + int(h.Arg), nil
			}
		case dagcbor.MajorArray:
			if id == fieldOps && f.ops != nil {
				return f.ops.read(f, h.Arg, next)
			}
			if h.Arg == 0 {
				return next, nil
			}
		}
	}
	end, odd, err := dagcbor.Skip(f.data, at)
	f.odd = f.odd || odd
	return end, err
}

// repeated reports whether any of the given keys occurred twice.
func (f *fields) repeated(ids ...field) bool {
	if f.twice == 0 {
		return false
	}
	for _, id := range ids {
		if f.twice>>id&1 != 0 {
			return true
		}
	}
	return false
}

func (f *fields) has(id field) bool { return f.have>>id&1 != 0 }

// absent: the key is missing or its value is null.
func (f *fields) absent(id field) bool {
	return !f.has(id) || f.data[f.values[id].start] == dagcbor.Null
}

// str is the content of a string value of the given major type; nil when the
// value is absent or of another type, empty but not nil when it is "".
func (f *fields) str(id field, major byte) []byte {
	v := &f.values[id]
	if !f.has(id) || v.major != major {
		return nil
	}
	return f.data[v.content:v.end:v.end]
}

func (f *fields) text(id field) []byte { return f.str(id, dagcbor.MajorText) }

// link is the binary CID of a link; nil when the value is anything else.
func (f *fields) link(id field) []byte {
	v := &f.values[id]
	if !f.has(id) || v.major != dagcbor.MajorTag || v.arg != linkTag {
		return nil
	}
	h, next := dagcbor.ReadHead(f.data, v.content)
	if h.Major != dagcbor.MajorBytes {
		return nil
	}
	return dagcbor.LinkCID(f.data[next:v.end:v.end])
}

const linkTag = 42

// seq is the sequence number, 0 unless there is one and it is valid (Q1).
func (f *fields) seq() event.Seq {
	v := &f.values[fieldSeq]
	if !f.has(fieldSeq) || f.repeated(fieldSeq) || v.major != dagcbor.MajorUint || v.arg > uint64(event.MaxSeq) {
		return 0
	}
	return event.Seq(v.arg)
}

// reset forgets all values and reads other bytes.
func (f *fields) reset(data []byte) {
	f.data, f.have, f.twice, f.odd = data, 0, 0, false
}
