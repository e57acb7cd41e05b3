package shell

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
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

// A release refers to its own documents, everything else to the newest ones.
func TestDocumentsOfARelease(t *testing.T) {
	defer func(before string) { build.Version = before }(build.Version)
	for given, branch := range map[string]string{
		"": "main", "1.2.3": "v1.2.3", "1.2.3-rc.1": "v1.2.3-rc.1", "1.2.4-next": "v1.2.4-next", "(devel)": "main", "1.2": "main",
	} {
		build.Version = given
		if got, want := WithAddresses("docs/a-b.md#c"), repository+"/blob/"+branch+"/docs/a-b.md#c"; got != want {
			t.Errorf("version %q: %s, want %s", given, got, want)
		}
	}
}
