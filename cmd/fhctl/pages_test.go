package main

import (
	"regexp"
	"strings"
	"testing"
)

// What help shows refers to addresses as well.
func TestHelpNamesDocumentsByAddress(t *testing.T) {
	bare := regexp.MustCompile(`(^|[^/\w])docs/[a-z-]+\.md`)
	for _, cmd := range documented(fresh()) {
		texts := []string{cmd.Long, cmd.Example, cmd.UsageString()}
		for _, text := range texts {
			if name := bare.FindString(text); name != "" {
				t.Errorf("%s refers to %q", cmd.CommandPath(), strings.TrimSpace(name))
			}
		}
	}
}
