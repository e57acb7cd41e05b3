package output

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/text"
)

// Visible is a writer for JSON that a terminal shows. JSON may hold characters that
// steer a terminal or reorder what it shows: C1 controls, bidirectional controls, line
// separators, invisible characters. They become \u…, which says the same: in JSON they
// occur inside texts only. The tags of the flag of a part of a country stay. All else passes as it is, a terminal's own control
// characters among it.
func Visible(w io.Writer) io.Writer { return &visible{to: w} }

type visible struct {
	to   io.Writer
	rest []byte // the beginning of a character, or of a flag
	out  []byte
}

// Write passes p on; the beginning of a character waits for its end.
func (v *visible) Write(p []byte) (int, error) {
	left := p
	if len(v.rest) > 0 {
		left = append(v.rest, p...)
	}
	v.out = v.out[:0]
	for len(left) > 0 {
		if left[0] < utf8.RuneSelf && left[0] != 0x7f {
			v.out = append(v.out, left[0])
			left = left[1:]
			continue
		}
		r, n := utf8.DecodeRune(left)
		if r == utf8.RuneError && n == 1 && !utf8.FullRune(left) {
			break
		}
		if flag, whole := text.FlagLength(left); !whole {
			break
		} else if flag > 0 {
			n = flag
		}
		if text.IsUnsafe(r) {
			v.out = appendUnits(v.out, r)
		} else {
			v.out = append(v.out, left[:n]...)
		}
		left = left[n:]
	}
	v.rest = append(v.rest[:0:0], left...)
	if _, err := v.to.Write(v.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// appendUnits writes a character as JSON escapes it.
func appendUnits(dst []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(dst, `\u%04x`, r)
}
