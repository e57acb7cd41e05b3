package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notForOperators are the pages of people who read the code, and those that the
// code generates, whose head leads to the glossary.
var notForOperators = []string{
	"docs/README.md", "docs/glossary.md", "docs/architecture.md", "docs/benchmarks.md", "docs/changelog.md",
	"docs/gotchas.md", "docs/invariants.md", "docs/adr/", "docs/examples/",
	"docs/configuration.md", "docs/json.md", "docs/metrics.md",
}

// glossaryTerm is a row of the glossary that pages lead to.
type glossaryTerm struct {
	anchor string
	use    *regexp.Regexp
}

// glossary reads the terms that must be explained where they first appear.
func glossary(t *testing.T) (terms []glossaryTerm) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "glossary.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile(`(?m)^\| <a id="([a-z-]+)"></a>([^|]+) \|`).FindAllStringSubmatch(string(text), -1) {
		var words []string
		for word := range strings.SplitSeq(row[2], ", ") {
			words = append(words, strings.ReplaceAll(regexp.QuoteMeta(word), " ", `\s+`))
		}
		terms = append(terms, glossaryTerm{row[1], regexp.MustCompile(`(?:^|[^\w-])(?:` + strings.Join(words, "|") + `)(?:s|es)?(?:[^\w-]|$)`)})
	}
	if len(terms) < 30 {
		t.Fatalf("the glossary has %d terms", len(terms))
	}
	return terms
}

var (
	notProse = []*regexp.Regexp{ // code, comments, headings, pictures, rows of a generated table
		regexp.MustCompile("(?ms)^ *```.*?^ *```"), regexp.MustCompile(`(?s)<!--.*?-->`), regexp.MustCompile(`(?m)^#.*$`),
		regexp.MustCompile("(?m)^\\| `[a-z-]+` \\| (?:error|warning) .*$"),
		regexp.MustCompile("`[^`\n]*`"), regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)`), regexp.MustCompile(`<[^>\n]*>`),
	}
	led = regexp.MustCompile(`\[[^\]]*\]\([^)]*\)|\*[^*\n]+\*`) // a link, or words explained on the spot
)

// blanked is a text with spaces where a pattern matches.
func blanked(text string, patterns ...*regexp.Regexp) string {
	for _, p := range patterns {
		text = p.ReplaceAllStringFunc(text, func(found string) string {
			return strings.Map(func(r rune) rune {
				if r == '\n' {
					return r
				}
				return ' '
			}, found)
		})
	}
	return text
}

// unexplained are the lines where a term appears first, and neither a link leads on
// from it nor do the words stand out that explain it.
func unexplained(text string, terms []glossaryTerm) (found map[string]int) {
	found = map[string]int{}
	prose := blanked(text, notProse...)
	open := blanked(prose, led)
	for _, t := range terms {
		first := t.use.FindStringIndex(prose)
		if first != nil && t.use.MatchString(open[first[0]:first[1]]) {
			found[t.anchor] = 1 + strings.Count(prose[:first[0]+1], "\n")
		}
	}
	return found
}

// Who reads a page at night has not read the ones before it: each term leads to its
// explanation where a page has it first.
func TestTermsAreExplainedWhereTheyFirstAppear(t *testing.T) {
	terms, root := glossary(t), moduleRoot(t)
	for _, page := range docPages(t, root) {
		if slices.ContainsFunc(notForOperators, func(prefix string) bool { return strings.HasPrefix(page, prefix) }) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for anchor, line := range unexplained(string(text), terms) {
			t.Errorf("%s:%d: link the first %s to glossary.md#%s, or set it in *italics* and explain it there", page, line, anchor, anchor)
		}
	}
	for _, page := range []string{"docs/configuration.md", "docs/json.md", "docs/metrics.md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil || !strings.Contains(string(text), "(glossary.md)") {
			t.Errorf("%s does not lead to the glossary: %v", page, err)
		}
	}
}

// Links to the glossary end at a term.
func TestGlossaryLinksLead(t *testing.T) {
	known := map[string]bool{}
	for _, term := range glossary(t) {
		known[term.anchor] = true
	}
	root := moduleRoot(t)
	for _, page := range docPages(t, root) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`glossary\.md#([\w-]+)`).FindAllStringSubmatch(string(text), -1) {
			if !known[link[1]] {
				t.Errorf("%s: the glossary has no %q", page, link[1])
			}
		}
	}
}

// The check itself sees what it must.
func TestUnexplainedTerms(t *testing.T) {
	terms := []glossaryTerm{{"relay", regexp.MustCompile(`(?:^|[^\w-])(?:relay)(?:s|es)?(?:[^\w-]|$)`)}}
	for text, line := range map[string]int{
		"one\na relay": 2, "relays": 1, "# relay\n\na relay": 3, "`relay`\n\nthe relay.": 3,
		"a [relay](glossary.md#relay), a relay": 0, "a *relay* (what we read)": 0, "`relay`": 0, "relay-url": 0, "relayed": 0,
		"```sh\nrelay\n```": 0, "a relay, a [relay](x)": 1,
	} {
		if got := unexplained(text, terms)["relay"]; got != line {
			t.Errorf("%q: line %d, want %d", text, got, line)
		}
	}
}
