package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tables of libraries name the packages that import them: in the README
// for some, in ADR 1 for each one that the program imports.
func TestLibrariesWorkWhereTheDocumentsSay(t *testing.T) {
	users := libraryUsers(t)
	documented := map[string]bool{}
	for _, name := range []string{"README.md", "docs/adr/0001-dependencies.md"} {
		rows := libraryRows(t, name)
		if len(rows) < 6 {
			t.Errorf("%s: only %d libraries found", name, len(rows))
		}
		for library, said := range rows {
			want := users(library)
			if !slices.Equal(said, want) {
				t.Errorf("%s: %s is said to work in %v, and is imported by %v", name, library, said, want)
			}
			documented[library] = true
		}
	}
	for library, rooms := range doors {
		if got := users(library); !slices.Equal(got, slices.Sorted(slices.Values(rooms))) {
			t.Errorf("%s may be imported by %v, and is by %v", library, rooms, got)
		}
		if longest(library, keys(documented)) == "" {
			t.Errorf("docs/adr/0001-dependencies.md has no row for %s", library)
		}
	}
}

// libraryUsers gives the rooms whose production code imports a library, sorted.
func libraryUsers(t *testing.T) func(library string) []string {
	imports := productionImports(t)
	return func(library string) (users []string) {
		for file, targets := range imports {
			dir := path.Dir(file)
			if longest(dir, testKits) != "" {
				continue
			}
			for _, target := range targets {
				if target == library || strings.HasPrefix(target, library+"/") {
					users = append(users, doorway(longest(dir, keys(rooms))))
				}
			}
		}
		slices.Sort(users)
		return slices.Compact(users)
	}
}

// libraryRows reads the rows of tables whose first cell is a library and whose
// second names packages. Rows about tests and tools are left out.
func libraryRows(t *testing.T, name string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), name))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	row := regexp.MustCompile(`(?m)^\| ([\w.-]+/[\w./-]+)(?: v\d+)? \| (` + "`[^|]*`" + `) \|`)
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		library := match[1]
		if host, _, _ := strings.Cut(library, "/"); !strings.Contains(host, ".") {
			library = "github.com/" + library
		}
		var said []string
		for _, room := range strings.Split(strings.ReplaceAll(match[2], "`", ""), ", ") {
			if !strings.Contains(room, "cmd/") && !strings.HasPrefix(room, "pkg/") {
				room = "pkg/" + room
			}
			said = append(said, room)
		}
		slices.Sort(said)
		rows[library] = said
	}
	return rows
}
