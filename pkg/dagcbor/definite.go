package dagcbor

import (
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/event"
)

// Definite appends the item at the front of data with every indefinite length
// (D1) replaced by a declared one: the same value in a form that readers of
// definite lengths accept, and about as long, whatever data holds. end is where the item
// ends in data. Malformed items, nesting
// deeper than MaxDepth, more than MaxElements in a container and text chunks
// that are not UTF-8 are an *Error.
func Definite(dst, data []byte) (out []byte, end int, err error) {
	f := definer{dst: dst, walker: walker{data: data}, most: len(dst) + definiteSize(len(data))}
	end = f.value(0, 0)
	if f.err != nil {
		return f.dst, 0, f.err
	}
	return f.dst, end, nil
}

// definiteSize is what the definite form of size bytes takes at most: an indefinite item
// has two bytes for its beginning and end, and needs three for the count of 256 elements,
// five for that of 65,536.
func definiteSize(size int) int { return size + size>>8 + size>>15 + 64 }

type definer struct {
	walker
	dst  []byte
	most int // what dst needs at most
}

// append grows dst to what it may need at once when that is much: what is outgrown by and
// by would take as much again.
func (f *definer) append(data []byte) {
	const much = 64 << 10
	if need := len(f.dst) + len(data); need > cap(f.dst) && need > much && need <= f.most {
		f.dst = append(make([]byte, 0, f.most), f.dst...)
	}
	f.dst = append(f.dst, data...)
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
		return f.items(h, at, next, depth+1)
	case MajorTag:
		if depth >= MaxDepth {
			return f.fail(event.ReasonRecordLimit, at, "nested too deep")
		}
		f.append(f.data[at:next])
		return f.value(next, depth+1)
	case MajorSimple:
		if h.Indefinite {
			return f.fail(event.ReasonRecordCBOR, at, "break outside an indefinite item")
		}
	}
	f.append(f.data[at:next])
	return next
}

// text copies a string, joining the chunks of an indefinite one.
func (f *definer) text(h Head, at, next int) int {
	if !h.Indefinite {
		end := f.str(h, next)
		if f.err == nil {
			f.append(f.data[at:end])
		}
		return end
	}
	start := len(f.dst)
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
		f.append(f.data[next:end])
		at = end
	}
	f.begin(start, h.Major, len(f.dst)-start)
	return f.pastBreak(at)
}

// items copies a container, whose head and items begin at those places, counting the
// items of an indefinite one.
func (f *definer) items(h Head, head, at, depth int) int {
	if depth > MaxDepth {
		return f.fail(event.ReasonRecordLimit, at, "nested too deep")
	}
	if !h.Indefinite {
		f.append(f.data[head:at])
	}
	start, count := len(f.dst), uint64(0)
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
	if !h.Indefinite {
		return at
	}
	f.begin(start, h.Major, int(count))
	return f.pastBreak(at)
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

// begin puts the head of an item before what dst has of it. That moves it, at most once
// for each level of nesting.
func (f *definer) begin(start int, major byte, arg int) {
	var head [9]byte
	h := AppendHead(head[:0], major, uint64(arg))
	size := len(f.dst) - start
	f.append(h)
	copy(f.dst[start+len(h):], f.dst[start:start+size])
	copy(f.dst[start:], h)
}
