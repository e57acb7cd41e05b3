package health

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// statusPage is one document: style and script are part of it, so that looking
// at it fetches nothing but itself and its stream.
var statusPage = template.Must(template.New("page").Parse(pageHTML))

// pagePolicy lets the page load what it brought with it, by hash, and talk to
// where it came from; nothing else, whatever a text in it says.
var pagePolicy = "default-src 'none'; style-src '" + hashOf(pageCSS) + "'; script-src '" + hashOf(pageJS) +
	"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// status answers / with the page as it is now; a script keeps it so.
func (m *Monitor) status(w http.ResponseWriter, _ *http.Request) {
	var page bytes.Buffer
	graphs := m.graphs()
	err := statusPage.Execute(&page, struct {
		View   View
		Graphs []Graph
		Down   bool // a graph shows a time that was not ready
		CSS    template.CSS
		JS     template.JS
	}{m.View(), graphs, graphs[0].Down != "", template.CSS(pageCSS), template.JS(pageJS)})
	if err != nil {
		http.Error(w, "build the status page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	_, _ = w.Write(page.Bytes()) // the caller is gone if this fails
}
