package dagcbor

import (
	"bytes"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/event"
)

// Check reports the first thing in block that D1 to D4 forbid, as an *Error;
// nil means canonical DAG-CBOR that atproto accepts, in one item without
// trailing bytes. Depth, element and key limits apply; the size of the block is
// the caller's to limit.
func Check(block []byte) error {
	w := walker{data: block, strict: true}
	end := w.item(0, 0)
	if w.err == nil && end != len(block) {
		w.fail(event.ReasonRecordCBOR, end, "trailing bytes")
	}
	if w.err != nil {
		return w.err
	}
	return nil
}

// Skip is the end of the well-formed CBOR item at data[at:], whatever it
// holds; odd says whether D1 forbids any of it. Indefinite lengths, which
// Definite removes, and nesting deeper than MaxDepth are errors.
func Skip(data []byte, at int) (end int, odd bool, err error) {
	w := walker{data: data}
	end = w.item(at, 0)
	if w.err != nil {
		return 0, w.odd, w.err
	}
	return end, w.odd, nil
}

// walker passes over one item. Strict, it fails at the first oddity;
// otherwise it notes that there was one.
type walker struct {
	data   []byte
	strict bool
	odd    bool
	err    *Error
}

func (w *walker) fail(reason event.Reason, at int, detail string) int {
	if w.err == nil {
		w.err = &Error{Reason: reason, At: at, Detail: detail}
	}
	return -1
}

// oddity is a fault only in the strict reading.
func (w *walker) oddity(reason event.Reason, at int, detail string) {
	w.odd = true
	if w.strict {
		w.fail(reason, at, detail)
	}
}

// item passes over the item at w.data[at:] and returns its end. After an
// error w.err is set and the end is meaningless.
func (w *walker) item(at, depth int) int {
	h, next := ReadHead(w.data, at)
	if next == 0 {
		return w.fail(event.ReasonRecordCBOR, at, "truncated or reserved head")
	}
	if h.Indefinite {
		return w.fail(event.ReasonRecordCBOR, at, "indefinite length")
	}
	if h.Long && h.Major != MajorSimple {
		w.oddity(event.ReasonRecordCBOR, at, "integer or length not in its shortest form")
	}
	switch h.Major {
	case MajorUint, MajorNegative:
		if h.Arg > 1<<63-1 {
			w.oddity(event.ReasonRecordNumber, at, "integer outside int64")
		}
		return next
	case MajorBytes, MajorText:
		return w.str(h, next)
	case MajorArray, MajorMap:
		return w.container(h, next, depth+1)
	case MajorTag:
		return w.tag(h, next, depth)
	}
	return w.simple(at, next)
}

func (w *walker) str(h Head, at int) int {
	if h.Arg > uint64(len(w.data)-at) {
		return w.fail(event.ReasonRecordCBOR, at, "string longer than the data")
	}
	end := at + int(h.Arg)
	if h.Major == MajorText && !utf8.Valid(w.data[at:end]) {
		w.oddity(event.ReasonRecordText, at, "text is not UTF-8")
	}
	return end
}

func (w *walker) container(h Head, at, depth int) int {
	if depth > MaxDepth {
		return w.fail(event.ReasonRecordLimit, at, "nested too deep")
	}
	if h.Arg > MaxElements {
		return w.fail(event.ReasonRecordLimit, at, "too many elements")
	}
	var last []byte
	for i := range int(h.Arg) {
		if h.Major == MajorMap {
			start := at
			at = w.key(at, depth)
			if w.err == nil && i > 0 && !KeysRise(last, w.data[start:at]) {
				w.oddity(event.ReasonRecordCBOR, start, "map keys duplicate or not in order")
			}
			if w.err == nil {
				last = w.data[start:at]
			}
		}
		if w.err == nil {
			at = w.item(at, depth)
		}
		if w.err != nil {
			return -1
		}
	}
	return at
}

func (w *walker) key(at, depth int) int {
	h, next := ReadHead(w.data, at)
	switch {
	case next == 0:
	case h.Major != MajorText:
		w.oddity(event.ReasonRecordCBOR, at, "map key is not text")
	case h.Arg > MaxKey:
		w.oddity(event.ReasonRecordLimit, at, "map key too long")
	}
	if w.err != nil {
		return -1
	}
	return w.item(at, depth)
}

func (w *walker) tag(h Head, at, depth int) int {
	content, next := ReadHead(w.data, at)
	link := h.Arg == linkTag && next > 0 && content.Major == MajorBytes && !content.Indefinite &&
		content.Arg <= uint64(len(w.data)-next) && LinkCID(w.data[next:next+int(content.Arg)]) != nil
	if !link {
		w.oddity(event.ReasonRecordCBOR, at, "tag that is not a link")
	}
	if w.err != nil {
		return -1
	}
	// Tags within tags recurse too, so they count towards the depth.
	if depth >= MaxDepth && !link {
		return w.fail(event.ReasonRecordLimit, at, "nested too deep")
	}
	if link {
		return w.item(at, depth)
	}
	return w.item(at, depth+1)
}

// simple passes over major type 7: booleans, null, floats and the rest.
func (w *walker) simple(at, next int) int {
	switch first := w.data[at]; {
	case first == False || first == True || first == Null:
	case first >= 0xf9 && first <= 0xfb:
		w.oddity(event.ReasonRecordNumber, at, "float")
	case first == 0xf8 && w.data[at+1] < 32:
		return w.fail(event.ReasonRecordCBOR, at, "reserved simple value")
	default:
		w.oddity(event.ReasonRecordCBOR, at, "simple value other than false, true and null")
	}
	return next
}

// KeysRise reports whether two encoded text keys stand in canonical order:
// shorter first, then bytewise (D1). With shortest heads, that is the order of
// their encodings.
func KeysRise(a, b []byte) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return bytes.Compare(a, b) < 0
}
