package dagcbor

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/fhctl/fhctl/pkg/event"
)

// open checks a container before its content is read.
func (t *Transcoder) open(n uint64, at, depth int) int {
	if depth > MaxDepth {
		return t.fail(event.ReasonRecordLimit, at, "nested too deep")
	}
	if n > MaxElements {
		return t.fail(event.ReasonRecordLimit, at, "too many elements")
	}
	return done
}

func (t *Transcoder) array(dst []byte, n uint64, at, depth int) ([]byte, int) {
	if fault := t.open(n, at, depth); fault < 0 {
		return dst, fault
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, at = t.value(dst, at, depth); at < 0 {
			return dst, at
		}
	}
	return append(dst, ']'), at
}

func (t *Transcoder) object(dst []byte, n uint64, at, depth int) ([]byte, int) {
	if fault := t.open(n, at, depth); fault < 0 {
		return dst, fault
	}
	start, sorted, last := at, true, span{}
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		out, key := t.shortKey(dst, at)
		if key.end == 0 {
			out, key = t.key(dst, at)
		}
		if dst = out; key.end < 0 {
			return dst, key.end
		}
		sorted = sorted && (i == 0 || t.rises(last, key))
		last = key
		if depth == 1 && string(t.src[key.start:key.end]) == "$type" {
			t.noteType(key.end)
		}
		if dst, at = t.value(dst, key.end, depth); at < 0 {
			return dst, at
		}
	}
	if !sorted {
		t.info.NonCanonical = true
		if t.repeats(start, n) {
			return dst, t.fail(event.ReasonRecordCBOR, at, "duplicate map key")
		}
	}
	return append(dst, '}'), at
}

// shortKey appends the map key at src[at:] with its colon, as key does, if it
// is of a kind that needs no second look, as nearly all are: up to 15 bytes of
// ASCII without escapes. They are copied as two words, and so are bytes behind
// them, which the next append overwrites. The end is 0 for other keys, and near
// the end of src or dst.
func (t *Transcoder) shortKey(dst []byte, at int) (out []byte, key span) {
	if at >= len(t.src)-16 || t.src[at]>>4 != MajorText<<1 || cap(dst)-len(dst) < 19 {
		return dst, span{}
	}
	n := int(t.src[at] & 0x0f)
	text := t.src[at+1 : at+17]
	low, high := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[8:])
	own := &keyHighs[n]
	if (specials(low)|low)&own[0]|(specials(high)|high)&own[1] != 0 {
		return dst, span{}
	}
	start := len(dst)
	out = dst[:start+19]
	out[start] = '"'
	binary.LittleEndian.PutUint64(out[start+1:], low)
	binary.LittleEndian.PutUint64(out[start+9:], high)
	out[start+1+n], out[start+2+n] = '"', ':'
	return out[:start+3+n], span{at + 1, at + 1 + n}
}

// keyHighs are the high bits of the bytes of a key of n bytes within two words.
// Marks of specials are exact there: what follows a byte does not change them.
var keyHighs = func() (table [16][2]uint64) {
	for n := range table {
		for i := range n {
			table[n][i/8] |= 0x80 << (8 * (i % 8))
		}
	}
	return table
}()

// key appends the map key at src[at:] and a colon; a negative end is a fault.
func (t *Transcoder) key(dst []byte, at int) ([]byte, span) {
	major, n, next := t.head(at)
	switch {
	case next < 0:
		return dst, span{end: next}
	case major != MajorText:
		return dst, span{end: t.fail(event.ReasonRecordCBOR, at, "map key is not text")}
	case n > MaxKey:
		return dst, span{end: t.fail(event.ReasonRecordLimit, at, "map key too long")}
	}
	dst, end := t.text(dst, n, next)
	return append(dst, ':'), span{next, end}
}

// noteType keeps the text at src[at:] as the record's type, if it is text.
func (t *Transcoder) noteType(at int) {
	if h, next := ReadHead(t.src, at); next > 0 && h.Major == MajorText && h.Arg <= uint64(len(t.src)-next) {
		end := next + int(h.Arg)
		t.info.Type = t.src[next:end:end]
	}
}

// rises reports whether b may follow a: longer, or bytewise greater (D1).
func (t *Transcoder) rises(a, b span) bool {
	if la, lb := a.end-a.start, b.end-b.start; la != lb {
		return la < lb
	}
	return bytes.Compare(t.src[a.start:a.end], t.src[b.start:b.end]) < 0
}

// repeats reports whether the map of n pairs at src[at:], which was found sound,
// has a key twice. Only maps in an odd order are read again for it; sorting
// spares comparing each key with each.
func (t *Transcoder) repeats(at int, n uint64) bool {
	var few [32][]byte // enough for nearly all maps, and no allocation
	keys := few[:0]
	for range n {
		_, size, next := t.head(at)
		end := next + int(size)
		keys = append(keys, t.src[next:end])
		at, _, _ = Skip(t.src, end)
	}
	slices.SortFunc(keys, bytes.Compare)
	for i := 1; i < len(keys); i++ {
		if bytes.Equal(keys[i-1], keys[i]) {
			return true
		}
	}
	return false
}
