package jsonscan_test

import (
	"fmt"
	"testing"

	"github.com/fhctl/fhctl/pkg/jsonscan"
)

func TestMembersAsTheyStand(t *testing.T) {
	for object, want := range map[string]string{
		`{}`:                                 " true",
		` {"a":1, "b\u0063" : [1,{"x":2}] }`: `a=1 bc=[1,{"x":2}]  true`,
		`{"a":"x","a":null}`:                 `a="x" a=null  true`,
		`[1]`:                                " false",
		`"text"`:                             " false",
		``:                                   " false",
		`{"a":1`:                             "a=1  false",
		`{"a":1} x`:                          "a=1  false",
		`{"a":tru}`:                          " false",
	} {
		got := ""
		ok := jsonscan.Members(object, func(name, value string) { got += name + "=" + value + " " })
		if got = fmt.Sprint(got, " ", ok); got != want {
			t.Errorf("%s: %q, want %q", object, got, want)
		}
	}
}

func TestTextOfAText(t *testing.T) {
	for value, want := range map[string]string{`"hej"`: "hej true", `"a\nb"`: "a\nb true", `""`: " true", `1`: " false", `"open`: " false", ``: " false", `"a" "b"`: " false"} {
		text, ok := jsonscan.Text(value)
		if got := fmt.Sprint(text, " ", ok); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}
