package shell

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
)

// repository is where our documents can be read. An installed program has none
// beside it.
const repository = "https://github.com/fhctl/fhctl"

// pageName is a document as our texts name it, from the repository's top.
var pageName = regexp.MustCompile(`\bdocs/([a-z-]+\.md)\b`)

// WithAddresses turns the names of documents in a text for people into addresses:
// those of the release this program is, or of the main branch.
func WithAddresses(text string) string {
	if !strings.Contains(text, "docs/") {
		return text
	}
	return pageName.ReplaceAllString(text, Documents()+"$1")
}

// Documents is the address that the names of documents are put behind.
func Documents() string {
	branch := "main"
	if released.MatchString(build.Version) {
		branch = "v" + build.Version
	}
	return repository + "/blob/" + branch + "/docs/"
}

// released is the version of a release, which has a tag of that name.
var released = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$`)

// AddressHelp does the same to everything that help shows of a command and those
// below it.
func AddressHelp(cmd *cobra.Command) {
	cmd.Long, cmd.Example = WithAddresses(cmd.Long), WithAddresses(cmd.Example)
	cmd.Flags().VisitAll(addressFlag)
	cmd.PersistentFlags().VisitAll(addressFlag)
	for _, member := range cmd.Commands() {
		AddressHelp(member)
	}
}

func addressFlag(f *pflag.Flag) { f.Usage = WithAddresses(f.Usage) }
