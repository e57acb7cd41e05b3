package text

import (
	"strings"
	"unicode/utf8"
)

// Clip is the beginning of text, at most so many bytes of it, without the half of a
// character at its end. Bytes that are no UTF-8 are cut where they stand. The result
// shares memory with text.
func Clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for end := most; end >= 0 && end > most-utf8.UTFMax; end-- {
		if utf8.RuneStart(text[end]) {
			return text[:end]
		}
	}
	return text[:most]
}

// Shorten is text if it takes at most so many bytes, else what [Clip] gives of it
// without what is no UTF-8, and an ellipsis.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
