package main

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
)

// Who installed a package has no docs directory where they stand: what help,
// errors and the log refer to is an address.
func TestDocumentsAreNamedByAddress(t *testing.T) {
	const want = "https://github.com/fhctl/fhctl/blob/main/docs/scaling.md"
	var said bytes.Buffer
	report(&said, fault.New(fault.Usage, errors.New("too many"), "see docs/scaling.md"))
	if !strings.Contains(said.String(), "hint: see "+want) {
		t.Errorf("an error says %q", said.String())
	}
	for _, format := range []string{config.FormatJSON, config.FormatText} {
		said.Reset()
		newLogger(&said, config.Log{Format: format}, slog.LevelInfo, false).Warn("Held", "hint", "see docs/scaling.md")
		if !strings.Contains(said.String(), "see "+want) {
			t.Errorf("the %s log says %q", format, said.String())
		}
	}
}

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

// A release refers to its own documents, everything else to the newest ones.
func TestDocumentsOfARelease(t *testing.T) {
	defer func(before string) { version = before }(version)
	for given, branch := range map[string]string{
		"": "main", "1.2.3": "v1.2.3", "1.2.3-rc.1": "v1.2.3-rc.1", "1.2.4-next": "v1.2.4-next", "(devel)": "main", "1.2": "main",
	} {
		version = given
		if got, want := withAddresses("docs/a-b.md#c"), repository+"/blob/"+branch+"/docs/a-b.md#c"; got != want {
			t.Errorf("version %q: %s, want %s", given, got, want)
		}
	}
}
