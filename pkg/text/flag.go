package text

import (
	"bytes"
	"unicode/utf8"
)

// mostFlagTags is how many tags a flag has at most, its end included.
const mostFlagTags = 7

// FlagLength is how many bytes of b are the flag of a part of a country that b begins
// with, whose tags [Escape] lets pass; 0 where it begins with none. whole is false where
// b ends too early to tell.
func FlagLength(b []byte) (n int, whole bool) {
	first := utf8.RuneLen(blackFlag)
	if !bytes.HasPrefix(b, []byte(string(blackFlag))) {
		return 0, true
	}
	if tags := flagTags.Find(b[first:]); tags != nil {
		return first + len(tags), true
	}
	rest := b[first:]
	for range mostFlagTags {
		if !utf8.FullRune(rest) {
			return 0, false
		}
		r, size := utf8.DecodeRune(rest)
		if r < 0xe0020 || r > 0xe007e { // no tag that could go on
			break
		}
		rest = rest[size:]
	}
	return 0, true
}
