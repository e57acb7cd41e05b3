package dagcbor

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/event"
)

// Definite appends the item at the front of data with every indefinite length
// (D1) replaced by a declared one: the same value in a form that readers of
// definite lengths accept. end is where the item ends in data. Container counts
// take nine bytes, so the result is not canonical. Malformed items, nesting
// deeper than MaxDepth, more than MaxElements in a container and text chunks
// that are not UTF-8 are an *Error.
func Definite(dst, data []byte) (out []byte, end int, err error) {
	f := definer{dst: dst, walker: walker{data: data}}
	end = f.value(0, 0)
	if f.err != nil {
		return f.dst, 0, f.err
	}
	return f.dst, end, nil
}

type definer struct {
	walker
	dst []byte
}

// value copies the item at data[at:] and returns its end; see walker.item.
func (f *definer) value(at, depth int) int {
	h, next := ReadHead(f.data, at)
	if next == 0 {
		return f.fail(event.ReasonRecordCBOR, at, "truncated or reserved head")
	}
	switch h.Major {
	case MajorBytes, MajorText:
		return f.text(h, at, next)
	case MajorArray, MajorMap:
		return f.items(h, next, depth+1)
	case MajorTag:
		if depth >= MaxDepth {
			return f.fail(event.ReasonRecordLimit, at, "nested too deep")
		}
		f.dst = append(f.dst, f.data[at:next]...)
		return f.value(next, depth+1)
	case MajorSimple:
		if h.Indefinite {
			return f.fail(event.ReasonRecordCBOR, at, "break outside an indefinite item")
		}
	}
	f.dst = append(f.dst, f.data[at:next]...)
	return next
}

// text copies a string, joining the chunks of an indefinite one.
func (f *definer) text(h Head, at, next int) int {
	if !h.Indefinite {
		end := f.str(h, next)
		if f.err == nil {
			f.dst = append(f.dst, f.data[at:end]...)
		}
		return end
	}
	start := f.reserve()
	for at = next; at < len(f.data) && f.data[at] != breakByte; {
		chunk, next := ReadHead(f.data, at)
		if next == 0 || chunk.Major != h.Major || chunk.Indefinite {
			return f.fail(event.ReasonRecordCBOR, at, "bad chunk in an indefinite string")
		}
		end := f.str(chunk, next)
		if f.err == nil && h.Major == MajorText && !utf8.Valid(f.data[next:end]) {
			return f.fail(event.ReasonRecordText, next, "text is not UTF-8")
		}
		if f.err != nil {
			return -1
		}
		f.dst = append(f.dst, f.data[next:end]...)
		at = end
	}
	f.fill(start, h.Major, uint64(len(f.dst)-start-wideHead))
	return f.pastBreak(at)
}

// items copies a container, counting the items of an indefinite one.
func (f *definer) items(h Head, at, depth int) int {
	if depth > MaxDepth {
		return f.fail(event.ReasonRecordLimit, at, "nested too deep")
	}
	start, count := f.reserve(), uint64(0)
	for ; f.more(h, at, count); count++ {
		if count == MaxElements {
			return f.fail(event.ReasonRecordLimit, at, "too many elements")
		}
		if h.Major == MajorMap {
			at = f.value(at, depth)
		}
		if f.err == nil {
			at = f.value(at, depth)
		}
		if f.err != nil {
			return -1
		}
	}
	f.fill(start, h.Major, count)
	if h.Indefinite {
		return f.pastBreak(at)
	}
	return at
}

func (f *definer) more(h Head, at int, count uint64) bool {
	if h.Indefinite {
		return at < len(f.data) && f.data[at] != breakByte
	}
	return count < h.Arg
}

func (f *definer) pastBreak(at int) int {
	if at >= len(f.data) {
		return f.fail(event.ReasonRecordCBOR, at, "indefinite item without its end")
	}
	return at + 1
}

// wideHead is the length of a head with an eight-byte argument: room for any
// count, reserved before the count is known.
const wideHead = 9

func (f *definer) reserve() int {
	start := len(f.dst)
	f.dst = append(f.dst, make([]byte, wideHead)...)
	return start
}

func (f *definer) fill(start int, major byte, arg uint64) {
	f.dst[start] = major<<5 | 27
	binary.BigEndian.PutUint64(f.dst[start+1:], arg)
}
