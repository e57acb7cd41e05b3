package output

import (
	"math"
	"strings"
)

var bars = []rune("▁▂▃▄▅▆▇█")

// Sparkline draws the last width values as one character each, newest last. The
// scale begins at 0 and ends at the largest value drawn; a value that is not a
// number is a blank, for a time nothing is known of.
func Sparkline(values []float64, width int) string {
	values = values[max(0, len(values)-max(width, 0)):]
	top := 0.0
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			top = max(top, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(bar(v, top))
	}
	return b.String()
}

func bar(v, top float64) rune {
	switch {
	case math.IsNaN(v):
		return ' '
	case v <= 0 || top <= 0:
		return bars[0]
	}
	// Anything above nothing is seen to be so.
	step := math.Ceil(v / top * float64(len(bars)-1))
	return bars[min(int(step), len(bars)-1)]
}
