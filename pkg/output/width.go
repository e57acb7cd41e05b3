package output

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Width is how many columns text takes on a terminal. It counts what people see
// as characters, which may be of several code points: two for a wide one or an
// emoji, none for a mark that combines with the one before.
func Width(text string) (columns int) {
	if isPlain(text) {
		return len(text)
	}
	for state := -1; text != ""; {
		var width int
		_, text, width, state = nextCharacter(text, state)
		columns += width
	}
	return columns
}

// nextCharacter takes what people see as one character off a text. State is that
// of the call before, -1 at first.
func nextCharacter(text string, state int) (character, rest string, columns, next int) {
	if isPlain(text[:1]) && (len(text) == 1 || text[1] < utf8.RuneSelf) {
		return text[:1], text[1:], 1, -1 // nothing that follows can belong to it
	}
	character, rest, columns, next = uniseg.FirstGraphemeClusterInString(text, state)
	if columns == 1 && strings.Contains(character, emojiStyle) {
		columns = 2 // a keycap, which the library takes for its digit
	}
	return character, rest, columns, next
}

// emojiStyle is what makes an emoji of the character before it.
const emojiStyle = "\ufe0f"

// Cut shortens text to that many columns and marks the cut with an ellipsis. No
// character is cut in two.
func Cut(text string, columns int) string {
	if isPlain(text) && len(text) <= columns || Width(text) <= columns {
		return text
	}
	if columns < 1 {
		return ""
	}
	kept, rest, state := 0, text, -1
	for used := 0; rest != ""; {
		var character string
		var width int
		character, rest, width, state = nextCharacter(rest, state)
		if used += width; used > columns-1 {
			break
		}
		kept += len(character)
	}
	return text[:kept] + "…"
}

// cutHead shortens text from its beginning.
func cutHead(text string, columns int) string {
	over := Width(text) - columns
	if over <= 0 {
		return text
	}
	if columns < 1 {
		return ""
	}
	rest, state := text, -1
	for over++; over > 0 && rest != ""; { // one more, for the mark
		var width int
		_, rest, width, state = nextCharacter(rest, state)
		over -= width
	}
	return "…" + rest
}

// isPlain reports whether each byte is a column.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
