package entry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/entry"
)

func TestFieldsOf(t *testing.T) {
	for _, tc := range []struct{ list, want, missing string }{
		{"type,commit,data,{},seq,5", "commit {} 5 true", ""},
		{"type,commit,data,{},seq,5,extra,1,type,sync", "commit {} 5 true", ""},
		{"data,{},type,commit,seq,5", "commit {} 5 false", ""},
		{"x,y,type,commit,data,{},seq,5,seq,6", "commit {} 5 false", ""},
		{"type,commit,data,{}", "commit {}  false", "seq"},
		{"type,,data,,seq,", "   true", ""},
		{"data,type,seq,data,x", " type data false", "type"},
		{"type", "   false", "type data seq"},
		{"", "   false", "type data seq"},
	} {
		list := strings.Split(tc.list, ",")
		f := entry.FieldsOf(list)
		got, missing := fmt.Sprint(f.Type, " ", f.Data, " ", f.Seq, " ", f.InOrder), strings.Join(f.Missing(), " ")
		if got != tc.want || missing != tc.missing {
			t.Errorf("%s: %q without %q, want %q without %q", tc.list, got, missing, tc.want, tc.missing)
		}
		if n := testing.AllocsPerRun(10, func() { entry.FieldsOf(list) }); n != 0 {
			t.Errorf("%s: %v allocations", tc.list, n)
		}
	}
}

func ExampleFieldsOf() {
	f := entry.FieldsOf([]string{"type", "identity", "data", `{"did":"did:plc:x","handle":null}`, "seq", "7"})
	fmt.Println(f.Type, f.Seq, f.InOrder)
	// Output: identity 7 true
}
