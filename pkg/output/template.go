package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fhctl/fhctl/pkg/template"
)

// Template prints events through a template in the language of text/template,
// which sees the JSON of an event: {{.seq}}, {{(index .data.ops 0).path}}. "json" prints a value as JSON.
type Template struct {
	parsed     *template.Template
	safe       bool
	line, text []byte
}

// NewTemplate parses text. With safe set everything printed goes through
// Escape, save for the line breaks and tabs of the template.
func NewTemplate(text string, safe bool) (*Template, error) {
	parsed, err := template.Parse(text, nil)
	if err != nil {
		return nil, err
	}
	return &Template{parsed: parsed, safe: safe}, nil
}

// Append appends what the template makes of e, and ends the line.
func (t *Template) Append(dst []byte, e *Event) ([]byte, error) {
	t.line = AppendJSON(t.line[:0], e)
	from := json.NewDecoder(bytes.NewReader(t.line))
	from.UseNumber() // integers stay exact
	var value map[string]any
	if err := from.Decode(&value); err != nil {
		return dst, fmt.Errorf("read event for the template: %w", err)
	}
	made, err := t.parsed.Append(t.text[:0], value)
	t.text = made
	if err != nil {
		return dst, fmt.Errorf("run the template: %w", err)
	}
	out := string(made)
	if t.safe {
		out = escapeLines(out)
	}
	dst = append(dst, out...)
	if !strings.HasSuffix(out, "\n") {
		dst = append(dst, '\n')
	}
	return dst, nil
}

// escapeLines is Escape, but line breaks and tabs stay.
func escapeLines(text string) string {
	var b strings.Builder
	for {
		i := strings.IndexAny(text, "\n\t")
		if i < 0 {
			b.WriteString(Escape(text))
			return b.String()
		}
		b.WriteString(Escape(text[:i]))
		b.WriteByte(text[i])
		text = text[i+1:]
	}
}
