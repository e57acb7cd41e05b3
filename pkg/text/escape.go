package text

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes untrusted text harmless on a terminal. What would move the
// cursor, colour, reorder or hide other text becomes a visible escape: \n, \r,
// \t; \xNN for other control characters up to 7f and for bytes that are not
// UTF-8; \uNNNN or \UNNNNNNNN for C1 controls, line separators, bidirectional
// controls and invisible characters. The joiners that emoji and several scripts
// need stay. Backslashes stay as they are: the result is for eyes, not for
// decoding.
func Escape(s string) string {
	if isSafe(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == blackFlag {
			size += len(flagTags.FindString(s[i+size:]))
		}
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case IsUnsafe(r):
			writeEscape(&b, r)
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

func writeEscape(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r <= 0x7f:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

func isSafe(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return utf8.ValidString(s) && !strings.ContainsFunc(s, IsUnsafe)
		}
	}
	return true
}

// invisible are characters without a shape of their own that can hide or fake
// text, besides the bidirectional controls, which Unicode lists.
var invisible = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, // soft hyphen
		{Lo: 0x180e, Hi: 0x180e, Stride: 1},
		{Lo: 0x200b, Hi: 0x200b, Stride: 1}, // zero-width space
		{Lo: 0x2028, Hi: 0x2029, Stride: 1}, // line and paragraph separators
		{Lo: 0x2060, Hi: 0x206f, Stride: 1}, // word joiner, isolates, old format controls
		{Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, // byte order mark
		{Lo: 0xfff9, Hi: 0xfffb, Stride: 1}, // interlinear annotation
	},
	R32:         []unicode.Range32{{Lo: 0xe0000, Hi: 0xe007f, Stride: 1}}, // tags
	LatinOffset: 1,
}

// blackFlag with tags behind it is the flag of a part of a country: of Scotland, for one.
// They are three to six letters or digits and an end (UTS 51). Other tags are invisible.
const blackFlag = '\U0001f3f4'

var flagTags = regexp.MustCompile("^[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")

// IsUnsafe reports whether [Escape] makes an escape of r: where r could move the cursor,
// colour, reorder or hide other text.
func IsUnsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, invisible)
}
