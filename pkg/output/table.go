package output

import (
	"fmt"
	"strings"
	"unicode"
)

// Table lays out text in columns as wide as their widest cell. Cells may hold
// untrusted text: they are escaped. The zero Table is empty and ready.
type Table struct {
	// Right lists the columns, from 0, whose cells end together, as numbers do.
	Right []int
	rows  [][]string
}

// Add appends a row, or the heads of the columns. Rows may differ in length.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = Escape(cell)
	}
	t.rows = append(t.rows, row)
}

// Lines is the table, each line behind indent and without trailing spaces.
func (t *Table) Lines(indent string) []string {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	right := make([]bool, len(widths))
	for _, i := range t.Right {
		if i < len(right) {
			right[i] = true
		}
	}
	lines := make([]string, len(t.rows))
	for n, row := range t.rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(gap(i, indent))
			fill := strings.Repeat(" ", widths[i]-Width(cell))
			if right[i] {
				b.WriteString(fill + cell)
			} else {
				b.WriteString(cell + fill)
			}
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// gap is what stands before a cell.
func gap(column int, indent string) string {
	if column == 0 {
		return indent
	}
	return "  "
}

// Width is how many columns text takes on a terminal: two for a wide character,
// none for a mark that combines with the one before.
func Width(text string) (columns int) {
	for _, r := range text {
		columns += cells(r)
	}
	return columns
}

// Cut shortens text to that many columns and marks the cut with an ellipsis.
func Cut(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	used := 0
	for i, r := range text {
		used += cells(r)
		if used > columns-1 {
			if columns < 1 {
				return ""
			}
			return text[:i] + "…"
		}
	}
	return text
}

// wide are the blocks whose characters take two columns, coarsely: a mistake
// costs a column of alignment.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, // Hangul Jamo
		{Lo: 0x2e80, Hi: 0xa4cf, Stride: 1}, // CJK, kana, Yi
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, // Hangul
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1}, // CJK compatibility
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, // full-width forms
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

func cells(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me) || r == 0x200d:
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Bytes prints a size to the precision a glance needs: "512 B", "1.4 MiB".
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", max(n, 0))
	}
	size, unit := float64(n)/1024, 0
	for size >= 1023.95 && unit < 4 {
		size, unit = size/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTP"[unit])
}
