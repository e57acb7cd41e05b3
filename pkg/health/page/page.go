package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/fhctl/fhctl/pkg/template"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// statusPage is one document: style and script are part of it, so that looking
// at it fetches nothing but itself and its stream. Values may stand as text and
// in the attributes that TestPagePutsValuesWhereTheyAreSafe lists: they are
// escaped for those, not for links, scripts or styles.
var statusPage = func() *template.Template {
	text := strings.NewReplacer("{{.CSS}}", pageCSS, "{{.JS}}", pageJS).Replace(pageHTML)
	parsed, err := template.Parse(text, html.EscapeString)
	if err != nil {
		panic(err) // a typing mistake that the first test run shows
	}
	return parsed
}()

// pagePolicy lets the page load what it brought with it, by hash, and talk to
// where it came from; nothing else, whatever a text in it says.
var pagePolicy = "default-src 'none'; style-src '" + hashOf(pageCSS) + "'; script-src '" + hashOf(pageJS) +
	"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Write answers with the page, which nobody may keep.
func Write(w http.ResponseWriter, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	_, _ = w.Write(page) // the caller is gone if this fails
}

// Document is the page: view as JSON, whose names page.html uses, and its graphs. The
// template sees the JSON that the stream of updates sends, so that both say the same.
func Document(view any, graphs []Graph) ([]byte, error) {
	data, err := json.Marshal(struct {
		View   any     `json:"view"`
		Graphs []Graph `json:"graphs"`
		Down   bool    `json:"down"` // a graph shows a time that was not ready
	}{view, graphs, len(graphs) > 0 && graphs[0].Down != ""})
	if err != nil {
		return nil, fmt.Errorf("build page: %w", err)
	}
	from := json.NewDecoder(bytes.NewReader(data))
	from.UseNumber()
	var value any
	if err := from.Decode(&value); err != nil {
		return nil, fmt.Errorf("build page: %w", err)
	}
	return statusPage.Append(nil, value)
}
