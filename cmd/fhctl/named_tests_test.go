package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// These pages say how each of their lines is proven, and name the tests.
var pagesThatNameTests = []string{"docs/faults.md", "docs/security.md", "docs/reliability.md"}

var (
	testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z0-9]\w*`)
	tableRow = regexp.MustCompile(`(?m)^\|(.+)\|$`)
)

// Every test that a page names is there, and every row of its tables names one
// or a file that is there.
func TestNamedTestsExist(t *testing.T) {
	known := testNames(t)
	for _, page := range pagesThatNameTests {
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), page))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range testName.FindAllString(string(text), -1) {
			if !known[name] {
				t.Errorf("%s names %s, which no test is called", page, name)
			}
		}
		for _, row := range tableRow.FindAllString(string(text), -1) {
			if !proves(t, row) {
				t.Errorf("%s: this row names no test and no file that exists: %s", page, row)
			}
		}
	}
}

// proves reports whether a row says where its proof is; heads of tables need
// none.
func proves(t *testing.T, row string) bool {
	if strings.HasPrefix(row, "| ---") || strings.HasPrefix(row, "|---") || strings.HasSuffix(row, "| proof |") || strings.HasSuffix(row, "| test |") || testName.MatchString(row) {
		return true
	}
	for _, part := range strings.Split(row, "`") {
		if _, err := os.Stat(filepath.Join(moduleRoot(t), part)); err == nil && strings.ContainsAny(part, "./") {
			return true
		}
	}
	return false
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(moduleRoot(t), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range declared.FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
