package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/fault"
)

func TestEveryClassHasItsCode(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "exit-codes.md"))
	if err != nil {
		t.Fatal(err)
	}
	page = regexp.MustCompile(`\[([^]]+)\]\([^)]+\)`).ReplaceAll(page, []byte("$1")) // a class may lead to the glossary
	seen := map[int]bool{}
	for class := fault.Internal; class <= fault.Interrupted; class++ {
		code, ok := shell.ExitCodes[class]
		if !ok || seen[code] || code == 0 {
			t.Errorf("%s has code %d", class, code)
		}
		seen[code] = true
		if row := fmt.Sprintf("| %d | %s |", code, class); !strings.Contains(string(page), row) {
			t.Errorf("docs/exit-codes.md lacks %q", row)
		}
		if line := fmt.Sprintf("\n  %-4d ", code); !strings.Contains(rootLong, line) {
			t.Errorf("the help lacks exit code %d", code)
		}
	}
}
