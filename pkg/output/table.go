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
	// Most is how many columns of a terminal a line may take: the first cells are
	// shortened to that, from their middle, to 12 at the least. 0 shortens nothing.
	Most int
	rows [][]string
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
	t.shorten(widths, Width(indent))
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

// leastName is how short a name may become.
const leastName = 12

// shorten cuts the cells of the first column, where lines would be too wide.
func (t *Table) shorten(widths []int, whole int) {
	if t.Most <= 0 || len(widths) == 0 {
		return
	}
	for i, width := range widths {
		whole += width + len(gap(i, ""))
	}
	room := max(widths[0]-max(whole-t.Most, 0), leastName)
	if room >= widths[0] {
		return
	}
	widths[0] = 0
	for _, row := range t.rows {
		if Width(row[0]) > room { // names differ at their ends
			row[0] = Cut(row[0], room/2) + strings.TrimPrefix(cutHead(row[0], room-room/2+1), "…")
		}
		widths[0] = max(widths[0], Width(row[0]))
	}
}

// gap is what stands before a cell.
func gap(column int, indent string) string {
	if column == 0 {
		return indent
	}
	return "  "
}
