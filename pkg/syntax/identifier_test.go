package syntax_test

import (
	"os"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/syntax"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

func TestInteropSyntax(t *testing.T) {
	uri := func(s string) bool { _, ok := syntax.ParseATURI(s); return ok }
	for name, valid := range map[string]func(string) bool{
		"did":          syntax.StrictDID[string],
		"handle":       syntax.ValidHandle[string],
		"nsid":         syntax.ValidNSID[string],
		"recordkey":    syntax.ValidRecordKey[string],
		"tid":          syntax.ValidTID[string],
		"cid":          syntax.ValidCID[string],
		"aturi":        uri,
		"atidentifier": func(s string) bool { return syntax.StrictDID(s) || syntax.ValidHandle(s) },
	} {
		for suffix, want := range map[string]bool{"valid": true, "invalid": false} {
			t.Run(name+"/"+suffix, func(t *testing.T) {
				for _, text := range vectors(t, name+"_syntax_"+suffix+".txt") {
					if valid(text) != want {
						t.Errorf("%q: %v, want %v", text, !want, want)
					}
				}
			})
		}
	}
}

// vectors are the lines of an interop file without comments.
func vectors(t *testing.T, name string) []string {
	data, err := os.ReadFile(thirdparty.Path(t, "interop", "syntax", name))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(string(data), "\n"), "\n") {
		if line != "" && (!strings.HasPrefix(line, "#") || strings.HasPrefix(line, "#extra")) {
			out = append(out, line)
		}
	}
	return out
}

func TestContractDID(t *testing.T) {
	for did, want := range map[string]bool{
		"did:plc:aaaabbbbccccddddeeeeffff":    true,
		"did:web:example.com%3A3000":          true,
		"did:a1:x":                            true, // a digit in the method: consumers accept it
		"did:plc:x:":                          true,
		"did:web:" + strings.Repeat("a", 247): true,
		"did:web:" + strings.Repeat("a", 248): false,
		"":                                    false,
		"did:plc:":                            false,
		"did::x":                              false,
		"did:PLC:x":                           false,
		"did:plc:a b":                         false,
		"did:plc:é":                           false,
		"did:plc:x\n":                         false,
		"xdid:plc:x":                          false,
	} {
		if got := syntax.ValidDID(did); got != want {
			t.Errorf("%q: %v, want %v", did, got, want)
		}
		if got := syntax.ValidDID([]byte(did)); got != want {
			t.Errorf("bytes %q: %v, want %v", did, got, want)
		}
	}
}

func TestV2Rev(t *testing.T) {
	for rev, want := range map[string]bool{
		"3kaaaaaaaaa2a": true, "2222222222222": true, "jzzzzzzzzzzzz": true,
		"kzzzzzzzzzzzz": false, "3kaaaaaaaaa2": false, "3kaaaaaaaaa2aa": false, "": false,
		"1kaaaaaaaaa2a": false, "3kaaaaaaaaa1a": false, "3KAAAAAAAAA2A": false,
	} {
		if got := syntax.ValidTID(rev); got != want {
			t.Errorf("%q: %v, want %v", rev, got, want)
		}
	}
}

func TestV4Path(t *testing.T) {
	for path, want := range map[string]bool{
		"app.bsky.feed.post/3kaaaaaaaaa2a": true, "com.example.x/self": true,
		"app.bsky.feed.post": false, "app.bsky.feed.post/": false, "/self": false,
		"post/self": false, "a.b.c/d/e": false, "a.b.c/..": false,
	} {
		if got := syntax.ValidPath(path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

func TestPredicatesDoNotAllocate(t *testing.T) {
	did, path := []byte("did:plc:aaaabbbbccccddddeeeeffff"), []byte("app.bsky.feed.post/3kaaaaaaaaa2a")
	n := testing.AllocsPerRun(100, func() {
		_ = syntax.ValidDID(did) && syntax.StrictDID(did) && syntax.ValidPath(path) && syntax.ValidHandle(path)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
