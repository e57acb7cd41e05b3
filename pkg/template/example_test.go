package template_test

import (
	"fmt"
	"html"
	"log"

	"github.com/fhctl/fhctl/pkg/template"
)

func Example() {
	t, err := template.Parse(`<p>{{.seq}}{{range .data.ops}} {{.path}}{{end}}</p>`, html.EscapeString)
	if err != nil {
		log.Fatal(err)
	}
	text, err := t.Append(nil, template.JSON(`{"seq":7000000123,"data":{"ops":[{"path":"a<b/c"}]}}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", text)

	_, err = template.Parse("one\n{{.two", nil)
	fmt.Println(err)
	// Output:
	// <p>7000000123 a&lt;b/c</p>
	// template: template:2: unclosed action
}
