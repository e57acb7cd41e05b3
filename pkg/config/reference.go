package config

import (
	"fmt"
	"io"
	"strings"
)

const referenceHead = `# Configuration

Every setting has one name: flag ` + "`--batch-size`" + `, key ` + "`batch-size`" + ` of the
YAML file, variable ` + "`FHCTL_BATCH_SIZE`" + `. The six variables of the wire contract
keep the names they have always had. What the words mean is in the
[glossary](glossary.md).

A value is taken from the flag, else the environment, else the file, else the
default. An empty variable is an unset one, and blanks and line ends around a value
are none of it. Unknown keys in the file and unknown
` + "`FHCTL_`" + ` variables are refused by name, and so are values that cannot be used.
` + "`fhctl config show`" + ` prints every value with where it came from; passwords are
masked there and everywhere else.

Name the file with ` + "`--config FILE`" + ` or ` + "`FHCTL_CONFIG`" + `; no file is read unasked:

` + "```yaml" + `
relay-url: wss://relay1.us-west.bsky.network
redis-url: rediss://fhctl@redis.example:6379
redis-password-file: /run/secrets/redis
max-stream-len: 1000000
collection: [app.bsky.feed.post, app.bsky.graph.*]
` + "```" + `

Lists are comma separated in variables and repeatable as flags. Durations are
written ` + "`20ms`, `60s`, `5m`" + `; sizes in bytes or as ` + "`8MiB`" + `.

A password stands in a file or a variable: a flag is visible to every user of the
machine. With ` + "`redis-password-file`" + ` the URL names the user alone, as in
` + "`rediss://fhctl@redis.example:6379`" + `. The forms of ` + "`redis-url`" + `, with @ : / ? # % in
a password percent-encoded:

| Form | What is there |
| --- | --- |
| ` + "`redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]`" + ` | one server; ` + "`rediss://`" + ` with TLS |
| ` + "`unix://[USER[:PASSWORD]@]/PATH[?db=DB]`" + ` | one server on this machine |
| ` + "`redis-sentinel://[USER[:PASSWORD]@]H1:P,H2:P/MASTER[/DB]`" + ` | what the Sentinels call the master; their own user as ` + "`?sentinel_username=U&sentinel_password=P`" + `; ` + "`rediss-sentinel://`" + ` with TLS |
| ` + "`redis-cluster://[USER[:PASSWORD]@]H1:P,H2:P`" + ` | Redis Cluster, of which some nodes are named; ` + "`rediss-cluster://`" + ` with TLS |

Other parameters are refused. TLS files are read again for each connection, so that
renewed ones need no restart.
`

// WriteReference writes the reference page of all settings, in Markdown. The
// text depends on the table alone.
func WriteReference(w io.Writer) error {
	var page strings.Builder
	page.WriteString(referenceHead)
	for _, group := range Groups() {
		fmt.Fprintf(&page, "\n## %s\n\n| Flag and key | Variable | Default | Meaning |\n| --- | --- | --- | --- |\n", group)
		for _, s := range Settings() {
			if s.Group == group {
				page.WriteString(s.row())
			}
		}
	}
	_, err := io.WriteString(w, page.String())
	return err
}

func (s *Setting) row() string {
	flag := "`--" + s.Name + "`"
	if !s.Switch() {
		flag = "`--" + s.Name + " " + s.Arg + "`"
	}
	value := ""
	if s.Default != "" {
		value = "`" + s.Default + "`"
	}
	doc := s.Doc
	if len(s.Choices) > 0 {
		doc += " (" + strings.Join(s.Choices, ", ") + ")"
	}
	if s.noFile {
		doc += "; not in the file itself"
	}
	return fmt.Sprintf("| %s | `%s` | %s | %s |\n", flag, s.Env, value, strings.ReplaceAll(doc, "|", `\|`))
}
