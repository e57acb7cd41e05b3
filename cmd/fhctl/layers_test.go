package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fhctl/fhctl"

// room is where a package lives: its floor, and a step on floor 1, since the codecs
// build on one another, and on floor 2 within pkg/redisstream.
type room struct{ floor, step int }

// divided are the rooms of floor 2 that consist of several packages, each of which has
// a step: those above import those below.
var divided = []string{"pkg/redisstream"}

// rooms is docs/architecture.md. A directory inside a room belongs to it,
// unless it has a line of its own.
var rooms = map[string]room{
	"pkg/syntax": {0, 0}, "pkg/event": {0, 0}, "pkg/fault": {0, 0},
	"pkg/files": {0, 0}, "pkg/wait": {0, 0}, "pkg/text": {0, 0},
	"pkg/dagcbor": {1, 0}, "pkg/jsonscan": {1, 0}, "pkg/filter": {1, 0}, "pkg/place": {1, 0}, "pkg/tlsfiles": {1, 0},
	"pkg/blocks": {1, 1}, "pkg/entry": {1, 1},
	"pkg/mst": {1, 2}, "pkg/frame": {1, 2}, "pkg/template": {1, 2},
	"pkg/redisstream/resp": {1, 0},
	"pkg/relay":            {2, 0}, "pkg/relayserver": {2, 0}, "pkg/capture": {2, 0}, "pkg/sim": {2, 0},
	"pkg/redisstream": {2, 9}, "pkg/redisstream/partitions": {2, 5}, "pkg/redisstream/strangers": {2, 5}, "pkg/redisstream/floor": {2, 5}, "pkg/redisstream/preflight": {2, 5},
	"pkg/redisstream/admin": {2, 5}, "pkg/redisstream/reader": {2, 4}, "pkg/redisstream/dashboard": {2, 3},
	"pkg/redisstream/script": {2, 2}, "pkg/redisstream/conn": {2, 1},
	"pkg/redisstream/keyspace": {2, 0}, "pkg/redisstream/lease": {2, 0}, "pkg/redisstream/embedded": {2, 0},
	"pkg/identity": {2, 0},
	"pkg/output":   {2, 0}, "pkg/verify": {2, 0}, "pkg/health": {2, 0}, "pkg/rejects": {2, 0},
	"pkg/systemd":  {2, 0},
	"pkg/pipeline": {3, 0}, "pkg/stats": {3, 0}, "pkg/cursor": {3, 0}, "pkg/doctor": {3, 0}, "pkg/replay": {3, 0}, "pkg/coverage": {3, 0}, "pkg/audit": {3, 0},
	"pkg/config": {4, 0}, "pkg/atproto": {4, 0}, "pkg/ingest": {4, 0},
	"cmd/fhctl/internal/build": {5, 0}, "cmd/fhctl/internal/settings": {5, 0},
	"cmd/fhctl/internal/shell":    {5, 1},
	"cmd/fhctl/internal/ranges":   {5, 2},
	"cmd/fhctl/internal/endpoint": {5, 3},
	"cmd/fhctl/internal":          {5, 4}, // the commands
	"cmd/fhctl":                   {6, 0},
}

// testKits stand outside the floors: they may import anything, and only tests
// may import them.
var testKits = []string{"pkg/redisstream/internal/storetest", "pkg/redisstream/internal/testkit", "pkg/thirdparty", "pkg/relaytest", "pkg/redistest", "pkg/endtest", "pkg/pipeline/follow/followtest"}

// doors lists, per outside library, the rooms that may import it, so that
// replacing a library touches those rooms alone. The longest prefix counts.
var doors = map[string][]string{
	"github.com/gorilla/websocket":                      {"pkg/relay", "pkg/relayserver"},
	"github.com/redis/go-redis":                         {"pkg/redisstream"},
	"github.com/alicebob/miniredis":                     {"pkg/redisstream/embedded"},
	"github.com/fxamacker/cbor":                         {"pkg/dagcbor"},
	"github.com/ipld/go-car":                            {"pkg/blocks"},
	"github.com/ipfs/go-cid":                            {"pkg/blocks", "pkg/mst"},
	"github.com/bluesky-social/indigo/atproto/repo/mst": {"pkg/mst"},
	"github.com/bluesky-social/indigo/atproto/identity": {"pkg/identity"},
	"github.com/bluesky-social/indigo/atproto/atcrypto": {"pkg/identity", "pkg/sim"},
	"gitlab.com/yawning/secp256k1-voi":                  {"pkg/sim"},
	"github.com/klauspost/compress":                     {"pkg/capture", "pkg/identity"},
	"github.com/prometheus/client_golang":               {"pkg/health"},
	"github.com/spf13/viper":                            {"pkg/config"},
	"go.yaml.in/yaml/v3":                                {"pkg/config"},
	"github.com/spf13/pflag":                            {"pkg/config", "cmd/fhctl"},
	"github.com/spf13/cobra":                            {"cmd/fhctl"},
	"golang.org/x/net":                                  {"pkg/relay"},
	"github.com/rivo/uniseg":                            {"pkg/output"},
	"golang.org/x/term":                                 {"cmd/fhctl", "pkg/output"},
	"golang.org/x/sys":                                  {"pkg/systemd"},
	"golang.org/x/sync":                                 {"pkg/pipeline", "pkg/replay", "pkg/ingest"},
}

// longest is the longest of the names that is name or a directory above it.
func longest(name string, names []string) (best string) {
	for _, n := range names {
		if (name == n || strings.HasPrefix(name, n+"/")) && len(n) > len(best) {
			best = n
		}
	}
	return best
}

func keys[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	return names
}

func TestImportsGoDownOnly(t *testing.T) {
	for file, imports := range productionImports(t) {
		dir := path.Dir(file)
		if longest(dir, testKits) != "" {
			continue
		}
		from := longest(dir, keys(rooms))
		if from == "" {
			t.Errorf("%s: no floor is known for %s: give it one in layers_test.go and docs/architecture.md", file, dir)
			continue
		}
		for _, name := range imports {
			if inside, ok := strings.CutPrefix(name, module+"/"); ok {
				checkInside(t, file, from, inside)
			} else if strings.Contains(strings.Split(name, "/")[0], ".") {
				checkDoor(t, file, from, name)
			} else if name == "text/template" || name == "html/template" {
				t.Errorf("%s imports %s, whose interpreter makes the binary nine megabytes larger: pkg/template runs templates", file, name)
			}
		}
	}
}

func checkInside(t *testing.T, file, from, target string) {
	if longest(target, testKits) != "" {
		t.Errorf("%s imports %s: a test kit is for tests only", file, target)
		return
	}
	to := longest(target, keys(rooms))
	if to == "" || to == from {
		return // unknown rooms are reported where they are; a room may be divided
	}
	a, b := rooms[from], rooms[to]
	switch {
	case a.floor < b.floor:
		t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", file, a.floor, to, b.floor)
	case a.floor == 2 && b.floor == 2 && longest(from, divided) != "" && longest(from, divided) == longest(to, divided):
		if a.step <= b.step {
			t.Errorf("%s (step %d) imports %s (step %d): within %s imports go down only", file, a.step, to, b.step, longest(from, divided))
		}
	case a.floor == 2 && b.floor == 2:
		t.Errorf("%s imports %s: the ends of the pipeline do not know one another; join them in cmd/fhctl/internal/endpoint", file, to)
	case a.floor == 1 && b.floor == 1 && a.step <= b.step:
		t.Errorf("%s imports %s: codecs build in the order dagcbor, blocks, then mst and frame; entry needs dagcbor and jsonscan only", file, to)
	case a.floor == 0 && b.floor == 0:
		t.Errorf("%s imports %s: words do not depend on one another", file, to)
	}
}

func checkDoor(t *testing.T, file, from, library string) {
	door := longest(library, keys(doors))
	if door == "" {
		t.Errorf("%s imports %s: no door is known for it: choose the one package that may, here and in docs/architecture.md, and say why in docs/adr", file, library)
		return
	}
	if !slices.Contains(doors[door], doorway(from)) {
		t.Errorf("%s imports %s, whose door is %s: use that package, so that replacing the library touches it alone", file, library, strings.Join(doors[door], " and "))
	}
}

// doorway is the room as doors names it: the commands and what they share are one, and
// so is what speaks Redis.
func doorway(room string) string {
	for _, wide := range []string{"cmd/fhctl", "pkg/redisstream"} {
		if strings.HasPrefix(room, wide+"/") && longest(room, keys(doorsOfTheirOwn)) == "" {
			return wide
		}
	}
	return room
}

// doorsOfTheirOwn are packages below those that doors names by themselves.
var doorsOfTheirOwn = map[string]bool{"pkg/redisstream/embedded": true}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// productionImports is what each Go file that is not a test imports, by path
// below the module.
func productionImports(t *testing.T) map[string][]string {
	t.Helper()
	root := moduleRoot(t)
	imports := map[string][]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() && name != "." && isModule(filepath.Join(root, name)) {
			return fs.SkipDir // what is measured against is not what is shipped
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports[name] = nil
		for _, spec := range file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[name] = append(imports[name], target)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// moduleRoot is the directory of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// TestTopLevel keeps the first page a newcomer sees: chores go into go
// commands, their configuration into hidden files.
func TestTopLevel(t *testing.T) {
	allowed := []string{"cmd", "pkg", "docs", "completions", "go.mod", "go.sum", "README.md", "LICENSE", licenceFile}
	entries, err := os.ReadDir(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		built := name == "dist" || name == "fhctl" || name == "fhctl.exe" || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".out") // see .gitignore
		if !strings.HasPrefix(name, ".") && !slices.Contains(allowed, name) && !built {
			t.Errorf("%s lies at the top level, which is %s and hidden files only", name, strings.Join(allowed, ", "))
		}
	}
	for _, name := range append(allowed, ".goreleaser.yaml", ".gitignore", ".ci/run") {
		if _, err := os.Stat(filepath.Join(moduleRoot(t), name)); err != nil {
			t.Errorf("the top level lacks %s", name)
		}
	}
}
