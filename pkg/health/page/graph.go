package page

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/text"
)

// A graph is drawn into a box of this size, which the page stretches.
const (
	graphWidth  = 360.0
	graphHeight = 100.0
	leastSpan   = 5 * time.Minute // a young process has a graph of this
)

// Graph is one line over the last hour at most, drawn: the same with and
// without scripts.
type Graph struct {
	Key    string    `json:"key"`
	Title  string    `json:"title"`
	Unit   string    `json:"unit"`
	Top    string    `json:"top"`    // label of the upper end; the lower one is 0
	Middle string    `json:"middle"` // and half way
	Start  string    `json:"start"`  // label of the left end; the right one is now
	Half   string    `json:"half"`
	Line   string    `json:"line"` // SVG paths
	Area   string    `json:"area"`
	Down   string    `json:"down"`   // where it was not ready
	Blank  string    `json:"blank"`  // why there is no line, where there is none
	Said   string    `json:"said"`   // for those who cannot see it
	Values []reading `json:"values"` // oldest first
	Times  []int64   `json:"times"`  // of each, Unix milliseconds
	Step   float64   `json:"step"`   // seconds before its time that a value is the measure of, at most
	Span   float64   `json:"span"`   // seconds that the width is
	Until  int64     `json:"until"`  // Unix milliseconds of the right end
}

// Point is one moment of a graph. An unknown value is NaN.
type Point struct {
	From, At time.Time // what it is the measure of
	Value    float64
	Ready    bool // at all that time
}

// Scale is what a graph shows of its points.
type Scale struct {
	Until time.Time     // the right end
	Most  time.Duration // the width, at most
	Step  time.Duration // that a point is the measure of, at most
	Least float64       // of the upper end
}

// reading is a number, null in JSON where it is NaN.
type reading float64

// MarshalJSON keeps what a graph of some pixels can show.
func (r reading) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(r)) || math.IsInf(float64(r), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(math.Round(float64(r)*100) / 100)
}

// Draw draws points, oldest first, into g. It keeps the word for a blank graph only where no
// value is known.
func Draw(g Graph, points []Point, s Scale) Graph {
	span := leastSpan
	if len(points) > 0 {
		span = min(max(span, s.Until.Sub(points[0].From)), s.Most)
	}
	g.Step, g.Span = s.Step.Seconds(), span.Seconds()
	if !s.Until.IsZero() {
		g.Until = s.Until.UnixMilli()
	}
	highest := 0.0
	for _, p := range points {
		g.Values, g.Times = append(g.Values, reading(p.Value)), append(g.Times, p.At.UnixMilli())
		if p.Value > highest {
			highest = p.Value
		}
	}
	top := niceTop(max(highest, s.Least))
	g.Top, g.Middle = tickLabel(top), tickLabel(top/2)
	g.Start, g.Half = ago(span), ago(span/2)
	g.draw(points, axis{s.Until, span, top})
	if g.Line != "" {
		g.Blank = ""
	}
	g.Said = fmt.Sprintf("%s over the last %s in %s: now %s, highest %s", g.Title, wide(span), g.Unit, g.now(), tickLabel(highest))
	return g
}

// axis is where times and values stand in the box.
type axis struct {
	until time.Time
	span  time.Duration
	top   float64
}

func (a axis) x(at time.Time) string {
	return short(graphWidth * max(0, 1-a.until.Sub(at).Seconds()/a.span.Seconds()))
}

func (a axis) y(v reading) string { return short(graphHeight * (1 - float64(v)/a.top)) }

// now is the newest value in words.
func (g *Graph) now() string {
	if n := len(g.Values); n > 0 && !math.IsNaN(float64(g.Values[n-1])) {
		return tickLabel(float64(g.Values[n-1]))
	}
	return "unknown"
}

// draw makes the paths. A run of known values without a hole between them is one
// line; a point alone is a short one, so that it can be seen.
func (g *Graph) draw(points []Point, a axis) {
	var line, area, down strings.Builder
	from := -1
	for i := 0; i <= len(points); i++ {
		if i < len(points) && !points[i].Ready {
			fmt.Fprintf(&down, "M%s 0H%sV%gH%sz", a.x(points[i].From), a.x(points[i].At), graphHeight, a.x(points[i].From))
		}
		known := i < len(points) && !math.IsNaN(float64(g.Values[i]))
		if from >= 0 && (!known || points[i].From.After(points[i-1].At)) {
			run(&line, &area, points[from:i], g.Values[from:i], a)
			from = -1
		}
		if known && from < 0 {
			from = i
		}
	}
	g.Line, g.Area, g.Down = line.String(), area.String(), down.String()
}

// run draws consecutive values; each stands at the end of its time.
func run(line, area *strings.Builder, points []Point, values []reading, a axis) {
	left := a.x(points[0].From)
	fmt.Fprintf(line, "M%s %s", left, a.y(values[0]))
	fmt.Fprintf(area, "M%s %gV%s", left, graphHeight, a.y(values[0]))
	for i, v := range values {
		at := "L" + a.x(points[i].At) + " " + a.y(v)
		line.WriteString(at)
		area.WriteString(at)
	}
	fmt.Fprintf(area, "V%gz", graphHeight)
}

func short(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// niceTop is the next of 1, 2, 4, 5 and 10 times a power of ten, whose half is
// short as well.
func niceTop(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 4, 5} {
		if v <= n*unit*1.0001 {
			return n * unit
		}
	}
	return 10 * unit
}

// tickLabel is a number on an axis.
func tickLabel(v float64) string {
	switch {
	case v >= 10_000_000:
		return short(v/1e6) + " M"
	case v >= 100_000:
		return short(v/1e3) + " k"
	case v >= 100:
		return text.Thousands(int64(math.Round(v)))
	}
	return short(v)
}

func ago(d time.Duration) string { return "−" + wide(d) }

// wide is a span on an axis: minutes, with seconds only where they matter.
func wide(d time.Duration) string {
	if d < 10*time.Minute && d%time.Minute != 0 {
		return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}
