package output

import (
	"strings"

	"github.com/fhctl/fhctl/pkg/text"
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
		row[i] = text.Escape(cell)
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
