package dagcbor

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

const (
	ones  = 0x0101_0101_0101_0101
	highs = 0x8080_8080_8080_8080
)

// specials marks, in the high bit of each byte of eight, those that JSON text
// must escape: controls, quote and backslash. The first two are one test, since
// turning over the bit that '"' has above ' ' puts it just above the controls
// and leaves both classes below all others. A borrow may mark a byte behind a
// true mark, never one before it, so the first mark is exact. The other bits of
// the result mean nothing.
func specials(w uint64) uint64 {
	return (((w ^ 0x02*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) &^ w
}

// AppendString appends text as a JSON string, escaping only what JSON demands
// (J4). ok is false when text is not UTF-8; dst is then unchanged.
func AppendString[T ~string | ~[]byte](dst []byte, text T) (out []byte, ok bool) {
	return appendString(dst, []byte(text))
}

func appendString(dst, text []byte) ([]byte, bool) {
	// One growth check for text and quotes together.
	start, end := len(dst), len(dst)+len(text)+2
	room := dst
	if end > cap(dst) {
		room = slices.Grow(dst, len(text)+2)
	}
	out := room[start:end]
	mark, high := copyText(out[1:], text)
	if high&highs != 0 && !utf8.Valid(text) {
		return dst, false
	}
	if mark&highs != 0 {
		return append(appendEscaped(append(room[:start], '"'), text), '"'), true
	}
	out[0], out[len(out)-1] = '"', '"'
	return room[:end], true
}

// copyText copies text, eight bytes at a time, and looks at it on the way. The
// high bits of mark are zero when nothing needs an escape, those of high when
// all bytes are ASCII.
func copyText(dst, text []byte) (mark, high uint64) {
	n := len(text)
	if n < 8 {
		return copyShort(dst, text)
	}
	dst = dst[:n]
	for i := 0; i < n-8; i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		binary.LittleEndian.PutUint64(dst[i:], w)
		mark |= specials(w)
		high |= w
	}
	// The last eight bytes, some of them for the second time.
	w := binary.LittleEndian.Uint64(text[n-8:])
	binary.LittleEndian.PutUint64(dst[n-8:], w)
	return mark | specials(w), high | w
}

// copyShort is for texts of less than eight bytes, mostly keys. Padding with
// 'a' marks nothing.
func copyShort(dst, text []byte) (mark, high uint64) {
	w := uint64('a' * ones)
	switch n := len(text); {
	case n >= 4:
		front, back := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[n-4:])
		binary.LittleEndian.PutUint32(dst, front)
		binary.LittleEndian.PutUint32(dst[n-4:], back)
		w = uint64(front) | uint64(back)<<32
	case n > 0: // three bytes, some of them for the second time
		first, middle, last := text[0], text[n/2], text[n-1]
		dst[0], dst[n/2], dst[n-1] = first, middle, last
		w = w<<24 | uint64(first)<<16 | uint64(middle)<<8 | uint64(last)
	}
	return specials(w), w
}

// appendEscaped copies runs without specials whole.
func appendEscaped(dst, text []byte) []byte {
	for len(text) > 0 {
		run := plainRun(text)
		dst = append(dst, text[:run]...)
		if run < len(text) {
			dst = appendEscape(dst, text[run])
			run++
		}
		text = text[run:]
	}
	return dst
}

// plainRun is how many bytes at the front of text need no escape.
func plainRun(text []byte) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if mark := specials(binary.LittleEndian.Uint64(text[i:])) & highs; mark != 0 {
			return i + bits.TrailingZeros64(mark)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// StringSize is the length of what AppendString appends for text that is UTF-8.
func StringSize[T ~string | ~[]byte](text T) int {
	n := len(text) + 2
	for i := range len(text) {
		n += int(escapes[text[i]])
	}
	return n
}

// escapes is how many bytes each byte takes beyond itself.
var escapes = func() (more [256]uint8) {
	for c := range more {
		more[c] = uint8(len(appendEscaped(nil, []byte{byte(c)})) - 1)
	}
	return more
}()

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
