package dagcbor

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"strconv"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Info is what a Transcoder learned about a block on the way.
type Info struct {
	// Type is the top-level $type: part of the block, or fresh memory when
	// the block had indefinite lengths. Nil when absent or not text.
	Type []byte
	// NonCanonical: D1 forbids the encoding, its meaning is exact all the same.
	NonCanonical bool
}

// Transcoder turns record blocks into JSON. The zero value is ready; it keeps
// scratch memory between calls and allocates nothing once that has grown. It
// is not safe for concurrent use.
type Transcoder struct {
	// Limit is how long AppendJSON may make its output, in bytes and with what
	// dst held before; 0 does not bound it. A record may become fourteen times
	// as long as its block.
	Limit int

	src     []byte
	limit   int
	info    Info
	err     Error
	scratch []byte // the definite form of a block
}

// span is a part of src.
type span struct{ start, end int }

// keepScratch bounds what one hostile record may leave behind, in bytes.
const keepScratch = 64 << 10

// AppendJSON appends the canonical atproto JSON of block to dst. The package
// comment says what is refused; the error is then an *Error whose Reason is one
// of the ReasonRecord… group, valid until the next call, and out is dst
// unchanged (its spare capacity may be overwritten). It is ErrLimit when out would
// be longer than Limit, which is noticed before out has become Overrun bytes longer
// than that: dst with as much room never grows.
func (t *Transcoder) AppendJSON(dst, block []byte) (out []byte, info Info, err error) {
	if len(block) > MaxRecord {
		t.fail(event.ReasonRecordLimit, MaxRecord, "record too large")
		return dst, Info{}, &t.err
	}
	t.info, t.limit = Info{}, t.Limit
	if t.limit == 0 {
		t.limit = math.MaxInt
	}
	out, fault := t.block(dst, block)
	if fault == indefinite {
		t.shrink()
		out, fault = t.definite(dst, block)
	}
	t.shrink()
	t.src = nil
	if fault == overLimit || fault == done && len(out) > t.limit {
		return dst, t.info, ErrLimit
	}
	if fault != done {
		return dst, t.info, &t.err
	}
	return out, t.info, nil
}

// block transcodes one block that should end with its item.
func (t *Transcoder) block(dst, block []byte) ([]byte, int) {
	t.src = block
	dst, end := t.value(dst, 0, 0)
	if end < 0 {
		return dst, end
	}
	if end != len(block) {
		return dst, t.fail(event.ReasonRecordCBOR, end, "trailing bytes")
	}
	return dst, done
}

// definite transcodes a block through its definite form.
func (t *Transcoder) definite(dst, block []byte) ([]byte, int) {
	form, end, err := Definite(t.scratch[:0], block)
	t.scratch = form
	var known *Error
	if errors.As(err, &known) {
		t.err = *known
		return dst, failed
	}
	if end != len(block) {
		return dst, t.fail(event.ReasonRecordCBOR, end, "trailing bytes")
	}
	t.info = Info{NonCanonical: true}
	dst, fault := t.block(dst, form)
	t.info.Type = bytes.Clone(t.info.Type)
	return dst, fault
}

func (t *Transcoder) shrink() {
	if cap(t.scratch) > keepScratch {
		t.scratch = nil
	}
}

// What value and its parts return instead of an end.
const (
	done       = 0
	failed     = -1
	indefinite = -2
	overLimit  = -3
)

// ErrLimit says that a record's JSON is longer than it may be.
var ErrLimit = errors.New("the JSON is longer than its limit")

// Overrun is how many bytes above Transcoder.Limit may be written before that is
// noticed: one link, and the ends of what is open.
const Overrun = 256

func (t *Transcoder) fail(reason event.Reason, at int, detail string) int {
	t.err = Error{Reason: reason, At: at, Detail: detail}
	return failed
}

// head reads a head, noting long forms. next is negative on a fault. Nearly
// every head of a record fits one byte, or two.
func (t *Transcoder) head(at int) (major byte, arg uint64, next int) {
	if at < len(t.src) {
		first := t.src[at]
		if info := first & 0x1f; info < 24 {
			return first >> 5, uint64(info), at + 1
		} else if info == 24 && at+1 < len(t.src) && t.src[at+1] >= 24 {
			return first >> 5, uint64(t.src[at+1]), at + 2
		}
	}
	return t.longHead(at)
}

func (t *Transcoder) longHead(at int) (major byte, arg uint64, next int) {
	h, next := ReadHead(t.src, at)
	if next == 0 {
		return 0, 0, t.fail(event.ReasonRecordCBOR, at, "truncated or reserved head")
	}
	if h.Indefinite && h.Major != MajorSimple {
		return 0, 0, indefinite
	}
	if h.Long && h.Major != MajorSimple {
		t.info.NonCanonical = true
	}
	return h.Major, h.Arg, next
}

// value appends the item at src[at:] and returns its end, or a fault.
func (t *Transcoder) value(dst []byte, at, depth int) ([]byte, int) {
	major, arg, next := t.head(at)
	if next < 0 {
		return dst, next
	}
	if len(dst) > t.limit {
		return dst, overLimit
	}
	switch major {
	case MajorText:
		return t.text(dst, arg, next)
	case MajorMap:
		return t.object(dst, arg, next, depth+1)
	case MajorArray:
		return t.array(dst, arg, next, depth+1)
	case MajorUint, MajorNegative:
		return t.integer(dst, major, arg, next)
	case MajorBytes:
		return t.bytes(dst, arg, next)
	case MajorTag:
		return t.link(dst, arg, next)
	}
	return t.simple(dst, at, next)
}

// str is the content of a string of n bytes at src[at:].
func (t *Transcoder) str(n uint64, at int) ([]byte, int) {
	if n > uint64(len(t.src)-at) {
		return nil, t.fail(event.ReasonRecordCBOR, at, "string longer than the data")
	}
	end := at + int(n)
	return t.src[at:end], end
}

func (t *Transcoder) text(dst []byte, n uint64, at int) ([]byte, int) {
	text, end := t.str(n, at)
	if end < 0 {
		return dst, end
	}
	if most := 6*len(text) + 2; most > t.limit-len(dst) && StringSize(text) > t.limit-len(dst) {
		return dst, overLimit
	}
	dst, ok := appendString(dst, text)
	if !ok {
		return dst, t.fail(event.ReasonRecordText, at, "text is not UTF-8")
	}
	return dst, end
}

func (t *Transcoder) integer(dst []byte, major byte, arg uint64, next int) ([]byte, int) {
	if arg > 1<<63-1 {
		return dst, t.fail(event.ReasonRecordNumber, next, "integer outside int64")
	}
	if major == MajorNegative {
		return strconv.AppendInt(dst, -1-int64(arg), 10), next
	}
	return strconv.AppendUint(dst, arg, 10), next
}

func (t *Transcoder) bytes(dst []byte, n uint64, at int) ([]byte, int) {
	raw, end := t.str(n, at)
	if end < 0 {
		return dst, end
	}
	if base64.RawStdEncoding.EncodedLen(len(raw)) > t.limit-len(dst) {
		return dst, overLimit
	}
	dst = append(dst, `{"$bytes":"`...)
	dst = base64.RawStdEncoding.AppendEncode(dst, raw)
	return append(dst, `"}`...), end
}

func (t *Transcoder) link(dst []byte, tag uint64, at int) ([]byte, int) {
	if tag != linkTag {
		return dst, t.fail(event.ReasonRecordCBOR, at, "tag other than 42")
	}
	major, n, next := t.head(at)
	if next < 0 {
		return dst, next
	}
	if major != MajorBytes {
		return dst, t.fail(event.ReasonRecordCBOR, at, "tag 42 holds no byte string")
	}
	content, end := t.str(n, next)
	if end < 0 {
		return dst, end
	}
	cid := LinkCID(content)
	if cid == nil {
		return dst, t.fail(event.ReasonRecordCBOR, at, "tag 42 holds no CID")
	}
	dst = append(dst, `{"$link":"`...)
	dst = syntax.AppendCID(dst, cid)
	return append(dst, `"}`...), end
}

func (t *Transcoder) simple(dst []byte, at, next int) ([]byte, int) {
	switch t.src[at] {
	case Null:
		return append(dst, "null"...), next
	case True:
		return append(dst, "true"...), next
	case False:
		return append(dst, "false"...), next
	case 0xf9, 0xfa, 0xfb:
		return dst, t.fail(event.ReasonRecordNumber, at, "float")
	}
	return dst, t.fail(event.ReasonRecordCBOR, at, "simple value other than false, true and null")
}
