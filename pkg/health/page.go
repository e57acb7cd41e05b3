package health

import (
	"net/http"
	"slices"

	"github.com/fhctl/fhctl/pkg/health/page"
)

// status answers / with the page as it is now; a script keeps it so.
func (m *Monitor) status(w http.ResponseWriter, _ *http.Request) {
	document, err := page.Document(m.View(), m.graphs())
	if err != nil {
		http.Error(w, "build the status page", http.StatusInternalServerError)
		return
	}
	page.Write(w, document)
}

// graphs draws the three lines.
func (m *Monitor) graphs() []page.Graph {
	m.mu.Lock()
	points, until := slices.Clone(m.t.history.points.items), m.t.history.since.Round(0)
	m.mu.Unlock()
	draw := func(g page.Graph, least float64, of func(point) float64) page.Graph {
		drawn := make([]page.Point, len(points))
		for i, p := range points {
			drawn[i] = page.Point{From: p.from, At: p.at, Value: of(p), Ready: p.ready}
		}
		return page.Draw(g, drawn, page.Scale{Until: until, Most: keepFor, Step: mostSpan, Least: least})
	}
	return []page.Graph{
		draw(page.Graph{Key: "rate", Title: "Stored", Unit: "entries/s", Blank: "nothing measured yet"}, 10,
			func(p point) float64 { return p.rate }),
		draw(page.Graph{Key: "lag", Title: "Relay lag", Unit: "seconds", Blank: "no event stored yet"}, 1,
			func(p point) float64 { return p.lag }),
		draw(page.Graph{Key: "backlog", Title: "Unread by the slowest group", Unit: "entries", Blank: "no consumer group"}, 10,
			func(p point) float64 { return p.backlog }),
	}
}
