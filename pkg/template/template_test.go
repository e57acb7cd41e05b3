package template

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"text/template"
)

const programData = `{"seq":7000000123,"kind":"commit","empty":"","none":null,"yes":true,"half":0.5,"zero":0,
"data":{"repo":"did:plc:x","ops":[{"action":"create","path":"a.b/c","record":{"text":"hej <3","n":12345678901234567890,"langs":["sv","en"]}},
{"action":"delete","path":"a.b/d"}]}}`

func programValue(t *testing.T) map[string]any {
	t.Helper()
	from := json.NewDecoder(strings.NewReader(programData))
	from.UseNumber()
	var v map[string]any
	if err := from.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The interpreter answers as text/template does.
func TestProgramsAreTextTemplates(t *testing.T) {
	for _, text := range []string{
		"", "plain", "{{/* nothing */}}", "{{.seq}} {{.kind}}", "{{.missing}}|{{.none}}|{{.yes}}|{{.half}}", "{{.data.repo}}",
		"{{(index .data.ops 0).path}}", "{{(index .data.ops 9).path}}", "{{index .data.ops 0 \"record\" \"langs\" 1}}", "{{index .data \"nope\"}}",
		"{{range .data.ops}}{{.action}},{{end}}", "{{range $i, $op := .data.ops}}{{$i}}={{$op.path}} {{end}}", "{{range $op := .data.ops}}{{$op.action}}{{end}}",
		"{{range .none}}x{{else}}none{{end}}", "{{range .empty}}x{{else}}none{{end}}", "{{range .yes}}{{end}}", "{{range $k, $v := .data}}{{$k}} {{end}}", "{{range 3}}{{.}}{{end}}",
		"{{range .data.ops}}{{if eq .action \"delete\"}}{{break}}{{end}}{{.path}}{{end}}", "{{range .data.ops}}{{if eq .action \"create\"}}{{continue}}{{end}}{{.path}}{{end}}",
		"{{if .yes}}a{{else}}b{{end}}{{if .none}}a{{else if .empty}}b{{else}}c{{end}}", "{{with .data}}{{.repo}} {{$.seq}}{{end}}{{with .none}}x{{else}}y{{end}}",
		"{{$x := .kind}}{{if .yes}}{{$x = \"other\"}}{{$y := 1}}{{end}}{{$x}}", "{{len .data.ops}} {{len .kind}} {{.kind | len}}", "{{len .yes}}",
		"{{eq .kind \"commit\" }} {{ne .kind \"commit\"}} {{eq .kind \"a\" \"commit\"}} {{lt 1 2}} {{ge 2 2}} {{gt \"b\" \"a\"}} {{le 3 2}}", "{{eq .none nil}}",
		"{{and .yes .kind}} {{and .none .missing.field}} {{or .none .kind}} {{or .kind .missing.field}} {{not .none}}",
		"{{printf \"%s|%q|%5s|%v\" .kind .kind .kind .yes}}", "{{print .kind .seq}} {{println 1 2}}", "{{slice .kind 1 3}} {{slice .kind 4}} {{slice .kind}}", "{{slice .kind 9}}",
		"{{slice .data.ops 1 | len}}", "{{.kind | printf \"%s-%s\" \"a\"}}", "{{.kind.x}}", "{{.missing.x}}", "{{.kind 1}}", "{{1.5}} {{0x10}} {{'a'}} {{true}} {{\"q\"}}",
		"{{- .kind -}}  x", "{{(len .data.ops) | printf \"%03d\"}}", "{{.}}", "{{eq .data .data}}", "{{eq .yes true}}", "{{lt .kind 1}}",
		"{{define \"x\"}}[{{.}} {{$}}]{{end}}{{$y := 1}}{{template \"x\" .kind}}{{template \"x\"}}", "{{template \"x\"}}", "{{block \"b\" .kind}}{{.}}{{end}}",
		"{{.seq", "{{nofunc .x}}", "{{$nope}}", "{{end}}", "{{break}}",
	} {
		want, errWant := reference(text, programValue(t))
		for name, data := range map[string]any{"decoded": programValue(t), "as JSON": JSON(programData)} {
			got, err := ours(text, data)
			if (err == nil) != (errWant == nil) || err == nil && got != want {
				t.Errorf("%s, %s: %q, %v; text/template: %q, %v", text, name, got, err, want, errWant)
			}
		}
	}
}

func reference(text string, v any) (string, error) {
	parsed, err := template.New("").Option("missingkey=zero").Parse(text)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, v)
	return out.String(), err
}

func ours(text string, v any) (string, error) {
	parsed, err := Parse(text, nil)
	if err != nil {
		return "", err
	}
	out, err := parsed.Append(nil, v)
	return string(out), err
}

// Numbers of JSON count and compare as numbers, which text/template cannot.
func TestProgramsKnowNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"{{gt .seq 6999999999}} {{eq .half 0.5}} {{lt .half 1}}":           "true true true",
		"{{if .zero}}some{{else}}none{{end}}":                              "none",
		"{{printf \"%012d %.2f\" .seq .half}}":                             "007000000123 0.50",
		"{{(index .data.ops 0).record.n}} {{index .data.ops .zero | len}}": "12345678901234567890 3",
	} {
		for _, data := range []any{programValue(t), JSON(programData)} {
			if got, err := ours(text, data); err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", text, got, err, want)
			}
		}
	}
	for _, text := range []string{`{{eq .seq "7000000123"}}`, `{{index .data.ops "0"}}`, `{{slice 1 2}}`, `{{printf}}`} {
		for _, data := range []any{programValue(t), JSON(programData)} {
			if got, err := ours(text, data); err == nil {
				t.Errorf("%s is taken: %q", text, got)
			}
		}
	}
}

// JSON is read as encoding/json reads it, whatever its form.
func TestJSONIsNotDecoded(t *testing.T) {
	data := JSON(`{"b" : {"y":1, "x":{"a":null},"y" : [ ] } , "\u0061":[ 1 , "\u0031]" ,[2,[ ]],{}], "b":2}`)
	for text, want := range map[string]string{
		"{{.}}":                              "map[a:[1 1] [2 []] map[]] b:2]",
		"{{len .}} {{len .a}} {{.b}}":        "2 4 2",
		"{{json .a}}":                        `[1,"\u0031]",[2,[]],{}]`,
		"{{json (slice .a 1 3)}}":            `["\u0031]",[2,[]]]`,
		"{{json (slice .a 2 2)}}":            "[]",
		"{{slice .a 3}}":                     "[map[]]",
		"{{range $k, $v := .}}{{$k}}{{end}}": "ab",
		"{{with index .a 3}}full{{else}}empty{{end}}{{with index .a 2}}full{{end}}": "emptyfull",
		`{{printf "%s %v" .a (index .a 2)}}`:                                        "[1 1] [2 []] map[]] [2 []]",
	} {
		if got, err := ours(text, data); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	long := strings.Repeat("x", 4094) + "å\"\x01€😀" + strings.Repeat("\u2028", 3000)
	encoded, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ours("{{json .}}", JSON(encoded).value()); err != nil || got != string(encoded) {
		t.Errorf("a long text is other JSON: %v", err)
	}
	if got, err := ours("{{.x.a}}", map[string]any{"x": JSON(`{"a":[true,false,null,"t",-1.5e3]}`)}); err != nil || got != "[true false <nil> t -1.5e3]" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEscapeGuardsDataOnly(t *testing.T) {
	parsed, err := Parse("<b>{{.x}}</b>", strings.ToUpper)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := parsed.Append([]byte("> "), map[string]any{"x": "data"}); err != nil || string(out) != "> <b>DATA</b>" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestTemplatesInTemplatesEnd(t *testing.T) {
	if _, err := ours(`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, nil); err == nil {
		t.Error("a template that runs itself ended without an error")
	}
}
