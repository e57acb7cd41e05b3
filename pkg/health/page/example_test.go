package page_test

import (
	"fmt"
	"math"
	"time"

	"github.com/fhctl/fhctl/pkg/health/page"
)

// Two values with a hole between them, and the words for those who cannot see the graph.
func Example() {
	began := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	var points []page.Point
	for i, v := range []float64{120, math.NaN(), 250} {
		at := began.Add(time.Duration(i) * time.Minute)
		points = append(points, page.Point{From: at, At: at.Add(time.Minute), Value: v, Ready: v > 0})
	}
	g := page.Draw(page.Graph{Key: "rate", Title: "Stored", Unit: "entries/s"}, points,
		page.Scale{Until: began.Add(3 * time.Minute), Most: time.Hour, Step: time.Minute, Least: 10})
	fmt.Println(g.Said)
	fmt.Println(g.Start, "to now, 0 to", g.Top)
	// Output:
	// Stored over the last 5 min in entries/s: now 250, highest 250
	// −5 min to now, 0 to 400
}
