package text

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Integer is what counts things.
type Integer interface{ ~int | ~int64 | ~uint64 }

// Thousands prints n with a comma between groups of three digits. It takes nothing
// above what an int64 holds.
func Thousands[N Integer](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if digits[0] == '-' {
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

// About is a number, said to be an estimate where it is one: "1,200", "about 1,200".
func About[N Integer](n N, exact bool) string {
	if exact {
		return Thousands(n)
	}
	return "about " + Thousands(n)
}

// Counted is a number of things, named in the singular: "1 entry", "1,200 entries".
func Counted[N Integer](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		noun = stem + "ie"
	}
	return Thousands(n) + " " + noun + "s"
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

// Time prints t in UTC, to the second, as pkg/place reads it.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// Lasting prints d as something that goes on shows it: "0.8 s", "2 min 05 s", "3 d 4 h".
// Below zero it is "0.0 s".
func Lasting(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}
