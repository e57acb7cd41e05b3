package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/verify"
)

// TestVerifyPageListsTheRules compares docs/verify.md with the code, with remedies as the
// command writes them; -update
// writes its table.
func TestVerifyPageListsTheRules(t *testing.T) {
	path := filepath.Join(moduleRoot(t), "docs", "verify.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| rule | severity | what it means | how to fix it |\n| --- | --- | --- | --- |\n"
	before, _, ok := strings.Cut(string(page), head)
	if !ok {
		t.Fatal("docs/verify.md has no table of rules")
	}
	var table strings.Builder
	for _, r := range verify.Rules() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", r.ID, r.Severity, r.Means, shell.Typed(r.Fix))
	}
	want := before + head + table.String()
	if *update {
		write(t, path, []byte(want))
	} else if string(page) != want {
		t.Error("docs/verify.md does not list the rules as they are: run go test ./cmd/fhctl -run VerifyPage -update")
	}
}
