package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// goFile is a Go file of the module, tests included, with comments and with names
// resolved as far as the file alone tells.
type goFile struct {
	name string // below the module's root
	*ast.File
}

func (f goFile) dir() string  { return path.Dir(f.name) }
func (f goFile) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

// inLibrary reports whether the file is shipped as part of a library: test kits are not.
func (f goFile) inLibrary() bool {
	return strings.HasPrefix(f.name, "pkg/") && !f.isTest() && longest(f.dir(), testKits) == ""
}

// importName is what the file calls a package, "" where it does not import it. The
// path of a package with a version ends in that: go-redis/v9 is called redis.
func (f goFile) importName(target, usual string) string {
	for _, spec := range f.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p == target || strings.HasPrefix(p, target+"/v") {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return usual
		}
	}
	return ""
}

// goFiles parses the whole module, once for all guards.
var goFiles = sync.OnceValues(func() (files []goFile, err error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	err = fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || isModule(filepath.Join(root, name))) {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(set, filepath.Join(root, name), nil, parser.ParseComments)
		files = append(files, goFile{name, file})
		return err
	})
	return files, err
})

// finding is what a guard objects to; the same finding may occur several times.
type finding struct{ where, what string }

// guard is one rule about the text of the code.
type guard struct {
	find func([]goFile) []finding
	// advice says what to do about a finding.
	advice string
	// allowed is what the rule finds today and may find: how often, by finding. The
	// numbers only fall, and what is found no more must go from the list.
	allowed map[finding]int
	// bad are small files, by name, in which the rule finds something, and good are
	// files in which it finds nothing: a guard that cannot fail guards nothing.
	bad, good map[string]string
}

func TestGuards(t *testing.T) {
	for name, g := range guards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := goFiles()
			if err != nil {
				t.Fatal(err)
			}
			for _, objection := range judge(g.find(files), g.allowed) {
				t.Errorf("%s: %s", objection, g.advice)
			}
			for _, file := range slices.Sorted(maps.Keys(g.bad)) {
				if got := g.find(parsed(t, map[string]string{file: g.bad[file]})); len(got) == 0 {
					t.Errorf("the guard finds nothing in\n// %s\n%s", file, g.bad[file])
				}
			}
			if got := g.find(parsed(t, g.good)); len(got) != 0 {
				t.Errorf("the guard finds %v where nothing is wrong", got)
			}
		})
	}
}

// judge says what was found that is not allowed, and what is allowed that was not found.
func judge(all []finding, allowed map[finding]int) (objections []string) {
	found := map[finding]int{}
	for _, f := range all {
		found[f]++
	}
	for f, n := range found {
		if n > allowed[f] {
			objections = append(objections, fmt.Sprintf("%s: %s, %d times and %d allowed", f.where, f.what, n, allowed[f]))
		}
	}
	for f, n := range allowed {
		if found[f] < n {
			objections = append(objections, fmt.Sprintf("%s: %s, %d times and %d allowed: take the number down", f.where, f.what, found[f], n))
		}
	}
	slices.Sort(objections)
	return objections
}

func TestJudge(t *testing.T) {
	a, b := finding{"a.go", "x"}, finding{"b.go", "x"}
	for _, c := range []struct {
		found      []finding
		allowed    map[finding]int
		objections int
	}{
		{[]finding{a, a}, map[finding]int{a: 2}, 0},
		{[]finding{a, a}, map[finding]int{a: 1}, 1}, // one more
		{[]finding{a}, map[finding]int{a: 2}, 1},    // one less: the exception is too wide
		{[]finding{a}, map[finding]int{b: 1}, 2},    // another file
		{[]finding{a}, nil, 1},
		{nil, map[finding]int{a: 1}, 1},
	} {
		if got := judge(c.found, c.allowed); len(got) != c.objections {
			t.Errorf("judge(%v, %v) objects %q", c.found, c.allowed, got)
		}
	}
}

// parsed is files that are not on disk.
func parsed(t *testing.T, texts map[string]string) (files []goFile) {
	t.Helper()
	set := token.NewFileSet()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		file, err := parser.ParseFile(set, name, texts[name], parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, goFile{name, file})
	}
	return files
}

const redisPath, cobraPath, pflagPath = "github.com/redis/go-redis", "github.com/spf13/cobra", "github.com/spf13/pflag"

// redisRoom is the package whose clients are those of go-redis.
const redisRoom = "pkg/redisstream/conn"

var guards = map[string]guard{
	"command line libraries": {
		find: func(files []goFile) (found []finding) {
			for _, f := range files {
				inCommand := strings.HasPrefix(f.name, "cmd/fhctl/")
				if !inCommand && f.importName(cobraPath, "cobra") != "" {
					found = append(found, finding{f.name, "imports cobra"})
				}
				if !inCommand && f.dir() != "pkg/config" && f.importName(pflagPath, "pflag") != "" {
					found = append(found, finding{f.name, "imports pflag"})
				}
			}
			return found
		},
		advice: "a library takes plain structs; only commands know flags",
		bad: map[string]string{
			"pkg/replay/run.go":    `package replay; import "github.com/spf13/cobra"; var _ cobra.Command`,
			"pkg/replay/x_test.go": `package replay; import flags "github.com/spf13/pflag"; var _ flags.Flag`,
		},
		good: map[string]string{
			"cmd/fhctl/internal/tail/tail.go": `package tail; import "github.com/spf13/cobra"; var _ cobra.Command`,
			"pkg/config/flags.go":             `package config; import "github.com/spf13/pflag"; var _ pflag.Flag`,
		},
	},
	"commands apart": {
		find:   commandsThatImportCommands,
		advice: "commands do not know one another: what they share belongs in a library, or in shell",
		bad:    map[string]string{"cmd/fhctl/internal/tail/tail.go": `package tail; import _ "github.com/fhctl/fhctl/cmd/fhctl/internal/replay"`},
		good: map[string]string{
			"cmd/fhctl/internal/tail/tail.go": `package tail; import (_ "github.com/fhctl/fhctl/cmd/fhctl/internal/shell"; _ "github.com/fhctl/fhctl/cmd/fhctl/internal/tail/view")`,
			"cmd/fhctl/main.go":               `package main; import _ "github.com/fhctl/fhctl/cmd/fhctl/internal/tail"`,
		},
	},
	"words of the command line": {
		find:    commandLineWords,
		advice:  "a library says what is wrong and what would help; the command says which flag or command does that",
		allowed: commandLineWordsToday,
		bad: map[string]string{
			"pkg/stats/a.go": `package stats; const hint = "run fhctl doctor first"`,
			"pkg/stats/b.go": "package stats; var hint = map[string]string{`x`: `set --max-stream-len=0`}",
		},
		good: map[string]string{
			"pkg/stats/a.go":      `package stats; const writer, dash = "fhctl/host-1", "-- a comment --" // fhctl doctor --all`,
			"pkg/stats/a_test.go": `package stats; const hint = "run fhctl doctor --all"`,
			"pkg/config/a.go":     `package config; const hint = "--config FILE"`,
		},
	},
	"go-redis in signatures": {
		find:   redisInSignatures,
		advice: "callers would depend on the library: say it in types of our own, or of the standard library",
		bad: map[string]string{
			"pkg/redisstream/a.go": `package redisstream; import "github.com/redis/go-redis/v9"; func Client() *redis.Client { return nil }`,
			"pkg/a/a.go":           `package a; import "github.com/redis/go-redis/v9"; func Client() *redis.Client { return nil }`,
			"pkg/a/b.go":           `package a; import r "github.com/redis/go-redis/v9"; type T struct{ C map[string][]r.Cmder }`,
			"pkg/a/c.go":           `package a; import "github.com/redis/go-redis/v9"; type T interface{ Do(redis.Cmder) }`,
			"pkg/a/d.go":           `package a; import "github.com/redis/go-redis/v9"; var ErrNil = redis.Nil`,
			"pkg/a/e.go":           `package a; import "github.com/redis/go-redis/v9"; type T struct{ redis.Client }`,
			"pkg/a/f.go":           `package a; import "github.com/redis/go-redis/v9"; func (t *T) Use(c redis.Cmdable) {}; type T struct{}`,
		},
		good: map[string]string{"pkg/a/a.go": `package a
			import "github.com/redis/go-redis/v9"
			type T struct{ client *redis.Client }
			type hidden struct{ Client *redis.Client }
			func (h *hidden) Open() redis.Cmder { return nil }
			func dial() *redis.Client { return nil }
			func Do() error { var c *redis.Client; return c.Close() }`,
			redisRoom + "/a.go": `package conn; import "github.com/redis/go-redis/v9"; func Client() *redis.Client { return nil }`},
	},
	"contexts in structs": {
		find:   contextsInStructs,
		advice: "a context belongs to a call: one that is kept is nobody's to end. Pass it to the functions that need it",
		allowed: map[finding]int{
			{"pkg/relayserver", "Server"}: 1, // servers end with Close
		},
		bad: map[string]string{
			"pkg/a/a.go": `package a; import "context"; type T struct{ ctx context.Context }`,
			"pkg/a/b.go": `package a; import c "context"; func f() { _ = struct{ c.Context }{} }`,
		},
		good: map[string]string{"pkg/a/a.go": `package a; import "context"; type T struct{ run func(context.Context) }; func (t T) f(ctx context.Context) {}`},
	},
	"init functions": {
		find: func(files []goFile) (found []finding) {
			for _, f := range files {
				for _, decl := range f.Decls {
					if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !f.isTest() {
						found = append(found, finding{f.name, "func init"})
					}
				}
			}
			return found
		},
		advice: "what runs because a package is imported cannot be called, ordered or tested: make it a function or a value",
		bad:    map[string]string{"pkg/a/a.go": `package a; func init() {}`},
		good:   map[string]string{"pkg/a/a.go": `package a; type T struct{}; func (T) init() {}; func initial() {}`},
	},
	"package state": {
		find:   packageState,
		advice: "what is written after start is shared by all that use the package, and by tests at the same time: keep it in a value that somebody makes",
		allowed: map[finding]int{
			{"pkg/redisstream/reader", "replies"}: 1, // a pool
			{"pkg/dagcbor", "keyHighs"}:           1, // the others are read through a pointer
			{"pkg/frame", "keys"}:                 1,
			{"pkg/verify", "table"}:               1,
		},
		bad: map[string]string{
			"pkg/a/a.go": `package a; var n int; func f() { n++ }`,
			"pkg/a/b.go": `package a; var m = map[string]int{}; func f() { m["a"] = 1 }`,
			"pkg/a/c.go": `package a; var t struct{ n []int }; var g = func() { (t.n)[0], _ = 1, 2 }`,
			"pkg/a/d.go": `package a; var m map[int]int; func f() { delete(m, 1) }`,
			"pkg/a/e.go": `package a; import "net/http"; func f() { http.DefaultClient.Timeout = 1 }`,
			"pkg/a/f.go": `package a; import "sync"; var once sync.Once`,
			"pkg/a/g.go": `package a; import "sync/atomic"; var last = &atomic.Int64{}`,
			"pkg/a/h.go": `package a; import "encoding/json"; var v any; func f() { json.Unmarshal(nil, &v) }`,
			"pkg/a/i.go": `package a; var p *int; func f() { *p = 1 }`,
			"pkg/a/j.go": `package a; var n int; func f() { for n = range 3 {} }`,
		},
		good: map[string]string{"pkg/a/a.go": `package a
			import "sync"
			var n, _ = 1, 2
			var names = map[string]int{"a": n}
			var load = sync.OnceValue(func() int { return n })
			type T struct{ n int }
			func (t *T) f(names map[string]int) { t.n++; names["a"]++; n := n; n++ }`,
			"pkg/a/a_test.go": `package a; func g() { n++ }`},
	},
	"texts of packages": {
		find:   packageTexts,
		advice: "the text of a package stands alone in doc.go, says what it is for, and links to what to call first",
		bad: map[string]string{
			"pkg/a/a.go": "package a; func F() {}",
		},
		good: map[string]string{
			"pkg/a/doc.go":          "// Package a does. Call [Open] and [T.Close], see [T.N]; it gives an [event.Event] [1].\npackage a",
			"pkg/a/a.go":            `package a; import "github.com/fhctl/fhctl/pkg/event"; type T struct{ N int }; func Open() (*T, event.Event) { panic(1) }; func (*T) Close() {}`,
			"pkg/internal/b/b.go":   "package b",
			"pkg/internal/b/b_t.go": "package b",
		},
	},
	"examples": {
		find:   withoutExample,
		advice: "show the ordinary use in a func Example of package x_test, with its output",
		bad: map[string]string{
			"pkg/a/a.go":   "package a",
			"pkg/a/b/c.go": "package b",
		},
		good: map[string]string{
			"pkg/a/a.go":            "package a",
			"pkg/a/example_test.go": "package a_test; func Example() {\n f()\n // Output: 1\n}",
			"pkg/internal/b/b.go":   "package b",
			"pkg/relaytest/x.go":    "package relaytest",
		},
	},
	"sinks": {
		find:   untestedSinks,
		advice: "hand it to sinktest.Run",
		bad: map[string]string{
			"pkg/a/a.go": `package a; type T struct{}; func (T) Resume() {}; func (T) Commit() {}; func (*T) Poll() {}; func (T) Rebase() {}; func Open() *T { return nil }`,
		},
		good: map[string]string{
			"pkg/a/a.go":      `package a; type T struct{}; func (T) Resume() {}; func (T) Commit() {}; func (*T) Poll() {}; func (T) Rebase() {}; func Open() *T { return nil }`,
			"pkg/a/a_test.go": `package a_test; import "github.com/fhctl/fhctl/pkg/endtest/sinktest"; func f() { sinktest.Run(a.Open()) }`,
			"pkg/b/b.go":      `package b; type T struct{}; func (T) Resume() {}; func (T) Commit() {}`,
		},
	},
}
