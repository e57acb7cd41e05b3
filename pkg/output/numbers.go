package output

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Thousands prints n with a comma between groups of three digits.
func Thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, digit := range []byte(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(digit)
	}
	return b.String()
}

// Span prints d to the precision that a glance needs: "1.2 s", "35 s",
// "4 min", "7.5 h", "3.1 d". Below zero it is "0.0 s".
func Span(d time.Duration) string {
	seconds := max(d, 0).Seconds()
	switch {
	case seconds < 9.95:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 119.5:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 7170:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.1f h", seconds/3600)
	default:
		return fmt.Sprintf("%.1f d", seconds/86400)
	}
}
