package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
)

// Template prints events through a Go text/template, which sees the JSON of an
// event: {{.seq}}, {{(index .data.ops 0).path}}. "json" prints a value as JSON.
type Template struct {
	parsed *template.Template
	safe   bool
	line   []byte
	text   bytes.Buffer
}

// NewTemplate parses text. With safe set everything printed goes through
// Escape, save for the line breaks and tabs of the template.
func NewTemplate(text string, safe bool) (*Template, error) {
	parsed, err := template.New("template").Option("missingkey=zero").Funcs(template.FuncMap{"json": toJSON}).Parse(text)
	if err != nil {
		return nil, err
	}
	return &Template{parsed: parsed, safe: safe}, nil
}

func toJSON(value any) (string, error) {
	var b strings.Builder
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	err := to.Encode(value)
	return strings.TrimSuffix(b.String(), "\n"), err
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
	t.text.Reset()
	if err := t.parsed.Execute(&t.text, value); err != nil {
		return dst, err
	}
	out := t.text.String()
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
