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
// must escape: controls, quote and backslash. A borrow may mark a byte behind
// a true mark, never one before it, so the first mark is exact.
func specials(w uint64) uint64 {
	quote := w ^ '"'*ones
	slash := w ^ '\\'*ones
	return ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
}

// AppendString appends text as a JSON string, escaping only what JSON demands
// (J4). ok is false when text is not UTF-8; dst is then unchanged.
func AppendString[T ~string | ~[]byte](dst []byte, text T) (out []byte, ok bool) {
	return appendString(dst, []byte(text))
}

func appendString(dst, text []byte) ([]byte, bool) {
	mark, high := survey(text)
	if high&highs != 0 && !utf8.Valid(text) {
		return dst, false
	}
	if mark != 0 {
		return append(appendEscaped(append(dst, '"'), text), '"'), true
	}
	// One growth check for text and quotes together.
	start, end := len(dst), len(dst)+len(text)+2
	if end > cap(dst) {
		dst = slices.Grow(dst, len(text)+2)
	}
	dst = dst[:end]
	dst[start] = '"'
	copy(dst[start+1:], text)
	dst[end-1] = '"'
	return dst, true
}

// survey scans text eight bytes at a time. mark is zero when nothing needs an
// escape; high has a high bit set when a byte is not ASCII.
func survey(text []byte) (mark, high uint64) {
	n := len(text)
	if n < 8 {
		return surveyShort(text)
	}
	for i := 0; i < n-8; i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		mark |= specials(w)
		high |= w
	}
	// The last eight bytes, some of them for the second time.
	w := binary.LittleEndian.Uint64(text[n-8:])
	return mark | specials(w), high | w
}

// surveyShort is for texts of less than eight bytes, mostly keys. Padding with
// 'a' marks nothing.
func surveyShort(text []byte) (mark, high uint64) {
	w := uint64('a' * ones)
	if n := len(text); n >= 4 {
		w = uint64(binary.LittleEndian.Uint32(text)) | uint64(binary.LittleEndian.Uint32(text[n-4:]))<<32
	} else {
		for _, c := range text {
			w = w<<8 | uint64(c)
		}
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
		if mark := specials(binary.LittleEndian.Uint64(text[i:])); mark != 0 {
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
