package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// repository is where our documents can be read. An installed program has none
// beside it.
const repository = "https://github.com/fhctl/fhctl"

// pageName is a document as our texts name it, from the repository's top.
var pageName = regexp.MustCompile(`\bdocs/([a-z-]+\.md)\b`)

// withAddresses turns the names of documents in a text for people into addresses:
// those of the release this program is, or of the main branch.
func withAddresses(text string) string {
	if !strings.Contains(text, "docs/") {
		return text
	}
	return pageName.ReplaceAllString(text, documents()+"$1")
}

// documents is the address that the names of documents are put behind.
func documents() string {
	branch := "main"
	if released.MatchString(version) {
		branch = "v" + version
	}
	return repository + "/blob/" + branch + "/docs/"
}

// released is the version of a release, which has a tag of that name.
var released = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$`)

// addressHelp does the same to everything that help shows of a command and those
// below it.
func addressHelp(cmd *cobra.Command) {
	cmd.Long, cmd.Example = withAddresses(cmd.Long), withAddresses(cmd.Example)
	cmd.Flags().VisitAll(addressFlag)
	cmd.PersistentFlags().VisitAll(addressFlag)
	for _, member := range cmd.Commands() {
		addressHelp(member)
	}
}

func addressFlag(f *pflag.Flag) { f.Usage = withAddresses(f.Usage) }
