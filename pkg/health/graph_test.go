package health_test

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
)

// drawn is a graph as the page gets it.
type drawn struct {
	Key    string
	Line   string
	Down   string
	Start  string
	Values []*float64
	Times  []int64
	Step   float64
	Span   float64
	Until  int64
}

// graphs reads the graphs that a page is sent first.
func graphs(t *testing.T, m *health.Monitor) (all []drawn) {
	t.Helper()
	answer := openStream(t, serve(t, m)+"/live")
	defer answer.Body.Close()
	for read := bufio.NewReader(answer.Body); ; {
		line, err := read.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &all); err != nil {
				t.Fatal(err)
			}
			return all
		}
	}
}

// stores lets time pass, with a hundred entries a second.
func stores(m *health.Monitor, c *clock, d time.Duration) {
	for range int(d / (2 * time.Second)) {
		c.advance(2 * time.Second)
		m.Stored(&event.Batch{}, event.Receipt{Appended: 200, Cursor: 1})
		m.Tick()
	}
}

// A graph shows time: a pause takes the width that it lasted, nothing is drawn in
// it, and what was before it moves to the left by as much.
func TestGraphsShowTimeAndHoles(t *testing.T) {
	for name, pause := range map[string]time.Duration{"of 75 s": 75 * time.Second, "of 20 min": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			m, c := newMonitor(t)
			m.Link(up())
			stores(m, c, 10*time.Minute)
			before := graphs(t, m)[0]
			began := c.Now()
			c.advance(pause)
			stores(m, c, 5*time.Minute)
			after := graphs(t, m)[0]
			if grown := after.Span - before.Span; grown != (pause + 5*time.Minute).Seconds() {
				t.Errorf("the axis grew by %v s, want %v", grown, pause+5*time.Minute)
			}
			if n := strings.Count(after.Line, "M"); n != 2 {
				t.Errorf("%d lines, want one before the pause and one behind: %s", n, after.Line)
			}
			if len(after.Times) != len(after.Values) {
				t.Fatalf("%d times of %d values", len(after.Times), len(after.Values))
			}
			for i, at := range after.Times {
				if inside := time.UnixMilli(at); inside.After(began) && inside.Before(began.Add(pause-10*time.Second)) {
					t.Errorf("a point stands inside the pause: %v", inside)
				}
				if i > 0 && at <= after.Times[i-1] {
					t.Errorf("times do not rise: %v", after.Times)
				}
			}
			if last := after.Times[len(after.Times)-1]; last != after.Until {
				t.Errorf("the newest point is of %d, the right end of %d", last, after.Until)
			}
		})
	}
}

// What is older than an hour is not shown, however few points there are; a clock
// that is set back takes what was later away.
func TestGraphsShowAnHourAtMost(t *testing.T) {
	m, c := newMonitor(t)
	m.Link(up())
	stores(m, c, 10*time.Minute)
	c.advance(2 * time.Hour)
	stores(m, c, 20*time.Second)
	g := graphs(t, m)[0]
	if g.Span != 300 || len(g.Times) != 2 {
		t.Errorf("%d points over %v s", len(g.Times), g.Span)
	}
	c.advance(-24 * time.Hour)
	stores(m, c, time.Minute)
	g = graphs(t, m)[0]
	if g.Span != 300 || len(g.Times) != 6 && len(g.Times) != 5 || strings.Contains(g.Line, "-") || strings.Contains(g.Line, "NaN") {
		t.Errorf("%d points over %v s: %s", len(g.Times), g.Span, g.Line)
	}
	for _, at := range g.Times {
		if at > g.Until {
			t.Errorf("a point is later than the end")
		}
	}
}

// Pointing at a hole tells nothing, pointing beside it tells the value and its
// own time.
func TestPointingAtAHole(t *testing.T) {
	b := openBrowser(t)
	desk := b.tab(1200, 812, "light")
	m, c := newMonitor(t)
	m.Link(up())
	stores(m, c, 10*time.Minute)
	c.advance(10 * time.Minute)
	stores(m, c, 10*time.Minute)
	desk.visit(serve(t, m) + "/")
	desk.until(`document.getElementById("link").textContent === "live"`)
	for at, want := range map[string]string{"0.1": "12:03:02  100", "0.5": "", "0.9": "12:27:02  100"} {
		got := desk.eval(`(() => { const svg = document.querySelector("figure svg"), box = svg.getBoundingClientRect();
			svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + box.width * ` + at + `, clientY: box.top + 5}));
			return document.querySelector("figure output").textContent; })()`)
		if got != want {
			t.Errorf("at %s of the width: %q, want %q", at, got, want)
		}
	}
	desk.visit("about:blank")
}
