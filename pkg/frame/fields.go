package frame

import (
	"encoding/binary"

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

// names are the keys. None is longer than eight bytes, so that each compares as
// one number.
var names = [fieldCount]string{
	fieldSeq: "seq", fieldTime: "time", fieldRepo: "repo", fieldDID: "did",
	fieldRev: "rev", fieldSince: "since", fieldBlocks: "blocks", fieldOps: "ops",
	fieldCommit: "commit", fieldPrevData: "prevData", fieldHandle: "handle",
	fieldActive: "active", fieldStatus: "status", fieldName: "name",
	fieldMessage: "message", fieldError: "error", fieldAction: "action",
	fieldPath: "path", fieldCID: "cid", fieldPrev: "prev",
	fieldBlobs: "blobs", fieldRebase: "rebase", fieldTooBig: "tooBig",
}

// key is a name as it stands in a frame: the head of a short text, then up to
// eight bytes of which mask leaves the name.
type key struct {
	head       byte
	word, mask uint64
}

var keys = func() (table [fieldCount]key) {
	for id, name := range names {
		var bytes [8]byte
		n := copy(bytes[:], name)
		table[id] = key{
			head: dagcbor.MajorText<<5 | byte(n),
			word: binary.LittleEndian.Uint64(bytes[:]),
			mask: 1<<(8*n) - 1,
		}
	}
	table[fieldOther] = key{word: 1} // under a mask of nothing: stands nowhere
	return table
}()

// stands reports whether k begins data. It wants bytes behind a short name, so
// it misses keys near the end of a frame.
func (k *key) stands(data []byte) bool {
	return len(data) > 8 && data[0] == k.head && binary.LittleEndian.Uint64(data[1:])&k.mask == k.word
}

// size is head and name in bytes.
func (k *key) size() int { return 1 + int(k.head&0x1f) }

// follows is the key that stands behind each key in most commits and ops, all
// in canonical order. It only makes reading fast: a wrong guess costs one
// comparison, and fieldOther is no guess.
var follows = [fieldCount]field{
	fieldOps: fieldRev, fieldRev: fieldSeq, fieldSeq: fieldRepo, fieldRepo: fieldTime,
	fieldTime: fieldBlobs, fieldBlobs: fieldSince, fieldSince: fieldBlocks, fieldBlocks: fieldCommit,
	fieldCommit: fieldRebase, fieldRebase: fieldTooBig, fieldTooBig: fieldPrevData,
	fieldCID: fieldPath, fieldPath: fieldAction, fieldPrev: fieldAction,
}

func fieldOf(name []byte) field {
	for id := fieldOther + 1; id < fieldCount; id++ {
		if string(name) == names[id] {
			return id
		}
	}
	return fieldOther
}

// majorCID stands beside CBOR's major types: a link to an atproto CID, whose
// content is that CID.
const majorCID = dagcbor.MajorSimple + 1

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
	guess, last := first, at // last is where the key before this one stands
	lastEnd := at
	for range h.Arg {
		id, start := guess, at
		if k := &keys[id]; k.stands(f.data[at:]) {
			at += k.size()
		} else if id, at, err = f.key(at, f.data[last:lastEnd]); err != nil {
			return 0, err
		}
		last, lastEnd = start, at
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
	f.odd = f.odd || h.Long || !dagcbor.KeysRise(last, f.data[at:end])
	return fieldOf(f.data[next:end]), end, nil
}

// locate notes where the value at f.data[at:] stands and returns its end. Texts,
// true, false and null, and links to atproto CIDs, which most fields hold, it
// reads itself.
func (f *fields) locate(id field, at int) (end int, err error) {
	const (
		link  = "\xd8\x2a\x58\x25\x00\x01\x71\x12\x20"
		text8 = dagcbor.MajorText<<5 | 24 // the length is one byte
	)
	f.twice |= f.have & (1 << id)
	f.have |= 1 << id
	v := &f.values[id]
	rest := f.data[at:]
	if len(rest) == 0 {
		return f.unusual(v, id, at)
	}
	v.start = at
	switch first := rest[0]; {
	case first>>5 == dagcbor.MajorText && first&0x1f < 24 && int(first&0x1f) < len(rest):
		v.content, v.major = at+1, dagcbor.MajorText
		v.end = at + 1 + int(first&0x1f)
	case first == text8 && len(rest) > 1 && rest[1] >= 24 && int(rest[1]) <= len(rest)-2:
		v.content, v.major = at+2, dagcbor.MajorText
		v.end = at + 2 + int(rest[1])
	case first == dagcbor.False || first == dagcbor.True || first == dagcbor.Null:
		v.content, v.major = at+1, dagcbor.MajorSimple
		v.end = at + 1
	case first == link[0] && len(rest) >= 5+syntax.CIDLen && string(rest[:len(link)]) == link:
		v.content, v.major = at+5, majorCID
		v.end = at + 5 + syntax.CIDLen
	default:
		return f.unusual(v, id, at)
	}
	return v.end, nil
}

// unusual locates any other value.
func (f *fields) unusual(v *value, id field, at int) (end int, err error) {
	h, next := dagcbor.ReadHead(f.data, at)
	v.start, v.content, v.arg, v.major = at, next, h.Arg, h.Major
	v.end, err = f.skip(id, h, at, next)
	return v.end, err
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
	switch {
	case !f.has(id):
		return nil
	case v.major == majorCID:
		return f.data[v.content:v.end:v.end]
	case v.major != dagcbor.MajorTag || v.arg != linkTag:
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
