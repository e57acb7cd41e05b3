package output

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fhctl/fhctl/pkg/template"
	"github.com/fhctl/fhctl/pkg/text"
)

// Template prints events through a template in the language of text/template,
// which sees the JSON of an event: {{.seq}}, {{(index .data.ops 0).path}}. "json" prints a value as JSON.
type Template struct {
	parsed *template.Template
	safe   bool
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
	start := len(dst)
	made, err := t.parsed.Append(dst, e.values())
	if err != nil {
		return made[:start], fmt.Errorf("run the template: %w", err)
	}
	if t.safe {
		made = append(made[:start], escapeLines(string(made[start:]))...)
	}
	if !bytes.HasSuffix(made[start:], []byte("\n")) {
		made = append(made, '\n')
	}
	return made, nil
}

// values are the keys of AppendJSON. What the entry holds stays JSON, of which the
// template reads what it names.
func (e *Event) values() map[string]any {
	number := func(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }
	v := map[string]any{"v": number(1), "source": e.Source, "time": nil, "kind": e.Kind, "seq": nil, "did": nil}
	if e.ID != "" {
		v["id"] = e.ID
	}
	switch {
	case e.Sent != "":
		v["time"] = e.Sent
	case !e.At.IsZero():
		v["time"] = e.At.UTC().Format(stamp)
	}
	if e.Seq > 0 {
		v["seq"] = number(int64(e.Seq))
	}
	if e.Outline.DID != "" {
		v["did"] = e.Outline.DID
	}
	switch op := e.op(); {
	case e.Alone && op != nil:
		v["index"], v["ops"], v["op"] = number(int64(e.Op)), number(int64(len(e.Outline.Ops))), template.JSON(op.JSON)
	case e.Fault != "":
		v["data"], v["fault"] = nil, e.Fault
		if e.Fields != nil {
			v["fields"] = fieldValues(e.Fields)
		}
	default:
		v["data"] = template.JSON(strings.TrimSpace(e.Data))
		if e.Skipped > 0 {
			v["skipped"] = number(int64(e.Skipped))
		}
	}
	return v
}

func fieldValues(fields []string) (list []any) {
	for _, value := range fields {
		if utf8.ValidString(value) {
			list = append(list, value)
		} else {
			list = append(list, map[string]any{"$bytes": base64.RawStdEncoding.EncodeToString([]byte(value))})
		}
	}
	return list
}

// escapeLines is Escape, but line breaks and tabs stay.
func escapeLines(foreign string) string {
	var b strings.Builder
	for {
		i := strings.IndexAny(foreign, "\n\t")
		if i < 0 {
			b.WriteString(text.Escape(foreign))
			return b.String()
		}
		b.WriteString(text.Escape(foreign[:i]))
		b.WriteByte(foreign[i])
		foreign = foreign[i+1:]
	}
}
