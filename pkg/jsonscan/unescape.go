package jsonscan

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// escapeChars is the length of \uXXXX.
const escapeChars = 6

// Unescape is what a sound JSON string says, given what stands between its quotes.
// Half of a surrogate pair is U+FFFD, as in encoding/json. It takes no more memory
// than the result, and none where nothing is escaped.
func Unescape(raw string) string {
	at := strings.IndexByte(raw, '\\')
	if at < 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(UnescapedLen(raw))
	for ; at >= 0; at = strings.IndexByte(raw, '\\') {
		b.WriteString(raw[:at])
		r, n := escaped(raw[at:])
		b.WriteRune(r)
		raw = raw[at+n:]
	}
	b.WriteString(raw)
	return b.String()
}

// AppendUnescaped appends what Unescape gives.
func AppendUnescaped(dst []byte, raw string) []byte {
	for at := strings.IndexByte(raw, '\\'); at >= 0; at = strings.IndexByte(raw, '\\') {
		dst = append(dst, raw[:at]...)
		r, n := escaped(raw[at:])
		dst = utf8.AppendRune(dst, r)
		raw = raw[at+n:]
	}
	return append(dst, raw...)
}

// UnescapedLen is the length of what Unescape gives, in bytes.
func UnescapedLen(raw string) (size int) {
	for at := strings.IndexByte(raw, '\\'); at >= 0; at = strings.IndexByte(raw, '\\') {
		r, n := escaped(raw[at:])
		size += at + utf8.RuneLen(r)
		raw = raw[at+n:]
	}
	return size + len(raw)
}

// escaped reads the escape that text begins with, or two that are one character.
func escaped(text string) (r rune, n int) {
	switch text[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(text[1]), 2
	}
	r = unit(text)
	if !utf16.IsSurrogate(r) {
		return r, escapeChars
	}
	if len(text) >= 2*escapeChars && text[escapeChars] == '\\' && text[escapeChars+1] == 'u' {
		if pair := utf16.DecodeRune(r, unit(text[escapeChars:])); pair != utf8.RuneError {
			return pair, 2 * escapeChars
		}
	}
	return utf8.RuneError, escapeChars
}

// unit is the number in \uXXXX.
func unit(text string) rune {
	n, _ := strconv.ParseUint(text[2:escapeChars], 16, 16) // sound, so it cannot fail
	return rune(n)
}
