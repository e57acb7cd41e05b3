package text

import "fmt"

// PerSecond is a rate of events, for people: 12.5/s, and an hour's where that is few.
func PerSecond(rate float64) string {
	switch {
	case rate > 0 && rate < 0.05:
		return fmt.Sprintf("%.1f/h", rate*3600)
	case rate < 99.95:
		return fmt.Sprintf("%.1f/s", rate)
	}
	return Thousands(int64(rate+0.5)) + "/s"
}
