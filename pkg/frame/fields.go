package frame

import (
	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/event"
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
	fieldCount
)

func fieldOf(key []byte) field {
	switch string(key) {
	case "seq":
		return fieldSeq
	case "time":
		return fieldTime
	case "repo":
		return fieldRepo
	case "did":
		return fieldDID
	case "rev":
		return fieldRev
	case "since":
		return fieldSince
	case "blocks":
		return fieldBlocks
	case "ops":
		return fieldOps
	case "commit":
		return fieldCommit
	case "prevData":
		return fieldPrevData
	case "handle":
		return fieldHandle
	case "active":
		return fieldActive
	case "status":
		return fieldStatus
	case "name":
		return fieldName
	case "message":
		return fieldMessage
	case "error":
		return fieldError
	case "action":
		return fieldAction
	case "path":
		return fieldPath
	case "cid":
		return fieldCID
	case "prev":
		return fieldPrev
	}
	return fieldOther
}

// value is one well-formed CBOR item, located. The zero value is an absent one.
type value struct {
	start, content, end int // 0 when absent: no value stands at the front
	arg                 uint64
	major               byte
}

// fields are the located values of one map.
type fields struct {
	data   []byte
	values [fieldCount]value
	// twice holds a bit for each known key that occurred more than once.
	twice uint32
	odd   bool
}

// read locates the values of the map at f.data[at:]. The error is the first
// thing that is not well-formed; end is where the map ends.
func (f *fields) read(at int) (end int, err error) {
	h, at := dagcbor.ReadHead(f.data, at)
	if at == 0 || h.Major != dagcbor.MajorMap || h.Indefinite {
		return 0, errNotMap
	}
	f.odd = f.odd || h.Long
	var last []byte
	for range h.Arg {
		key, next := dagcbor.ReadHead(f.data, at)
		if next == 0 || key.Major != dagcbor.MajorText || key.Arg > uint64(len(f.data)-next) {
			return f.strange(at)
		}
		start := at
		at = next + int(key.Arg)
		encoded := f.data[start:at]
		f.odd = f.odd || key.Long || !dagcbor.KeysRise(last, encoded)
		last = encoded
		v, err := f.value(at)
		if err != nil {
			return 0, err
		}
		f.keep(fieldOf(f.data[next:at]), v)
		at = v.end
	}
	return at, nil
}

// strange explains a key that is not text of definite length.
func (f *fields) strange(at int) (int, error) {
	if _, _, err := dagcbor.Skip(f.data, at); err != nil {
		return 0, err
	}
	return 0, errKey
}

func (f *fields) keep(id field, v value) {
	if id == fieldOther {
		return
	}
	if f.values[id].end > 0 {
		f.twice |= 1 << id
	}
	f.values[id] = v
}

// value locates the item at f.data[at:].
func (f *fields) value(at int) (value, error) {
	h, next := dagcbor.ReadHead(f.data, at)
	if next > 0 && !h.Indefinite {
		v := value{start: at, content: next, arg: h.Arg, major: h.Major}
		switch h.Major {
		case dagcbor.MajorUint:
			f.odd = f.odd || h.Long
			v.end = next
			return v, nil
		case dagcbor.MajorText, dagcbor.MajorBytes:
			if h.Arg <= uint64(len(f.data)-next) {
				f.odd = f.odd || h.Long
				v.end = next + int(h.Arg)
				return v, nil
			}
		}
	}
	end, odd, err := dagcbor.Skip(f.data, at)
	f.odd = f.odd || odd
	return value{start: at, content: next, arg: h.Arg, major: h.Major, end: end}, err
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

// absent: the key is missing or its value is null.
func (f *fields) absent(id field) bool {
	v := &f.values[id]
	return v.end == 0 || f.data[v.start] == dagcbor.Null
}

// str is the content of a string value of the given major type; nil when the
// value is absent or of another type, empty but not nil when it is "".
func (f *fields) str(id field, major byte) []byte {
	v := &f.values[id]
	if v.end == 0 || v.major != major {
		return nil
	}
	return f.data[v.content:v.end:v.end]
}

func (f *fields) text(id field) []byte { return f.str(id, dagcbor.MajorText) }

// link is the binary CID of a link; nil when the value is anything else.
func (f *fields) link(id field) []byte {
	v := &f.values[id]
	if v.end == 0 || v.major != dagcbor.MajorTag || v.arg != linkTag {
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
	if v.end == 0 || f.repeated(fieldSeq) || v.major != dagcbor.MajorUint || v.arg > uint64(event.MaxSeq) {
		return 0
	}
	return event.Seq(v.arg)
}

// reset forgets all values and reads other bytes.
func (f *fields) reset(data []byte) { *f = fields{data: data} }
