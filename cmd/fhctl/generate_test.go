package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/relay"
)

//go:generate go test . -run ^TestGeneratedFiles$ -update

// generatedDirs hold generated files and nothing else, so that a page of a
// command that is gone does not stay.
var generatedDirs = []string{"completions", "docs/cli", "docs/man"}

// TestGeneratedFiles compares completions, man pages, the CLI reference, the
// configuration page and the licences of what is linked with what the program
// says of itself. With -update it
// writes them instead.
func TestGeneratedFiles(t *testing.T) {
	root := moduleRoot(t)
	want := generate(t)
	for _, name := range present(t, root) {
		if _, ok := want[name]; ok {
			continue
		}
		if !*update {
			t.Errorf("%s is not generated any more: run go generate ./cmd/fhctl", name)
		} else if err := os.Remove(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	for name, content := range want {
		path := filepath.Join(root, name)
		if *update {
			write(t, path, content)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s does not say what the program says: run go generate ./cmd/fhctl", name)
		}
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// present is every file in the generated directories.
func present(t *testing.T, root string) (names []string) {
	t.Helper()
	for _, dir := range generatedDirs {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil && !*update {
			t.Errorf("%v: run go generate ./cmd/fhctl", err)
		}
		for _, entry := range entries {
			names = append(names, dir+"/"+entry.Name())
		}
	}
	return names
}

// generate is every generated file by its path below the module. The content
// depends on nothing but the program: no date, no version, no machine.
func generate(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	put := func(name string, write func(*bytes.Buffer) error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files[name] = append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
	}
	put("docs/configuration.md", func(b *bytes.Buffer) error { return config.WriteReference(b) })
	put("docs/metrics.md", func(b *bytes.Buffer) error {
		return health.WriteReference(b, health.Config{RelayCauses: relay.Causes(), StoreCauses: conn.Causes()})
	})
	put(licenceFile, func(b *bytes.Buffer) error { return writeLicences(t, b) })
	put("completions/fhctl.bash", func(b *bytes.Buffer) error { return fresh().GenBashCompletionV2(b, true) })
	put("completions/fhctl.zsh", func(b *bytes.Buffer) error { return fresh().GenZshCompletion(b) })
	put("completions/fhctl.fish", func(b *bytes.Buffer) error { return fresh().GenFishCompletion(b, true) })
	put("completions/fhctl.ps1", func(b *bytes.Buffer) error { return fresh().GenPowerShellCompletionWithDesc(b) })
	for _, cmd := range documented(fresh()) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		put("docs/man/"+name+".1", func(b *bytes.Buffer) error { return manPage(cmd, b) })
		put("docs/cli/"+name+".md", func(b *bytes.Buffer) error { return cliPage(cmd, b) })
	}
	return files
}

// fresh is the command tree as a newcomer's shell sees it.
func fresh() *cobra.Command {
	root := newRoot(&shell.Env{Err: &shell.Terminal{W: &bytes.Buffer{}}, Out: &bytes.Buffer{}})
	root.Version = ""
	return root
}

func documented(cmd *cobra.Command) []*cobra.Command {
	cmd.DisableAutoGenTag = true
	cmd.InitDefaultHelpFlag()
	all := []*cobra.Command{cmd}
	for _, member := range cmd.Commands() {
		if member.IsAvailableCommand() {
			all = append(all, documented(member)...)
		}
	}
	return all
}

// aDay stands for the date that pages must not have.
var aDay = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)

// Options of a man page, as cobra writes them: --name[=false] and --name= .
var (
	switchOff   = regexp.MustCompile(`(?m)^(.*\\fB--[\w-]+\\fP)\[=false\]$`)
	switchOn    = regexp.MustCompile(`(?m)^(.*\\fB--[\w-]+\\fP)\[=true\]$`)
	emptyOption = regexp.MustCompile(`(?m)^(.*\\fB--([\w-]+)\\fP)=(""|\[\])?$`)
)

// manPage is cobra's page, without a date and with options as people type them:
// a switch that is off has no value, one that is on shows that it is, and what has no
// default shows the kind of value it takes.
func manPage(cmd *cobra.Command, b *bytes.Buffer) error {
	day := aDay
	var page bytes.Buffer
	err := doc.GenMan(listsApart(cmd), &doc.GenManHeader{Section: "1", Source: "fhctl", Manual: "fhctl", Date: &day}, &page)
	text := strings.Replace(page.String(), `"Jan 1970"`, `""`, 1)
	text = switchOff.ReplaceAllString(text, "$1")
	text = switchOn.ReplaceAllString(text, "$1=true")
	text = emptyOption.ReplaceAllStringFunc(text, func(line string) string {
		match := emptyOption.FindStringSubmatch(line)
		return match[1] + ` \fI` + kindOfValue(cmd, match[2]) + `\fP`
	})
	b.WriteString(text)
	return err
}

func kindOfValue(cmd *cobra.Command, name string) string {
	flag := cmd.Flag(name)
	if flag == nil {
		return "VALUE"
	}
	if kind, _ := pflag.UnquoteUsage(flag); kind != "" {
		return kind
	}
	return "VALUE"
}

// cliPage links pages by their file names, which hold dashes here.
func cliPage(cmd *cobra.Command, b *bytes.Buffer) error {
	return doc.GenMarkdownCustom(listsApart(cmd), b, func(name string) string {
		return strings.ReplaceAll(name, "_", "-")
	})
}

// listsApart fences the indented lists of a help text, which Markdown and man
// pages would otherwise run into one paragraph.
func listsApart(cmd *cobra.Command) *cobra.Command {
	if strings.Contains(cmd.Long, "```") {
		return cmd // done for the other kind of page
	}
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(cmd.Long) {
		if indented := strings.HasPrefix(line, "  "); indented != fenced {
			if fenced = indented; fenced {
				b.WriteString("\n```\n")
			} else {
				b.WriteString("```\n\n")
			}
		}
		b.WriteString(line)
	}
	if fenced {
		b.WriteString("\n```")
	}
	cmd.Long = b.String()
	return cmd
}

// No list of a man page is one paragraph, and no option looks like --help[=false].
func TestManPagesKeepTheirLists(t *testing.T) {
	for _, cmd := range documented(fresh()) {
		long := cmd.Long
		var b bytes.Buffer
		if err := manPage(cmd, &b); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		if strings.Contains(page, "[=") || strings.Contains(page, `\fP=`+"\n") {
			t.Errorf("%s: an option shows what nobody types:\n%s", cmd.CommandPath(), regexp.MustCompile(`(?m)^.*(\[=|\\fP=\n).*`).FindString(page))
		}
		inList := regexp.MustCompile(`(?s)\.EX\n(.*?)\n\.EE`).FindAllString(page, -1)
		for line := range strings.Lines(long) {
			words := strings.Fields(line)
			if !strings.HasPrefix(line, "  ") || len(words) == 0 {
				continue
			}
			if !slices.ContainsFunc(inList, func(list string) bool { return strings.Contains(list, words[len(words)-1]) }) {
				t.Errorf("%s: %q stands in no list of the page", cmd.CommandPath(), strings.TrimSpace(line))
			}
		}
	}
}

// TestEveryCommandIsExplained holds commands to the house's manners.
func TestEveryCommandIsExplained(t *testing.T) {
	for _, cmd := range documented(fresh()) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q is not one line without a full stop", cmd.CommandPath(), cmd.Short)
		}
		if cmd.Example == "" || !strings.HasPrefix(cmd.Example, "  ") {
			t.Errorf("%s: help shows no indented example", cmd.CommandPath())
		}
		if cmd.Args == nil {
			t.Errorf("%s: takes any arguments; say which with Args", cmd.CommandPath())
		}
		if cmd.PersistentPreRun != nil && cmd.HasParent() || cmd.PersistentPreRunE != nil {
			t.Errorf("%s: a persistent hook would replace the root's", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s: flag --%s is explained by %q", cmd.CommandPath(), f.Name, f.Usage)
			}
		})
	}
}

// TestExamplesParse keeps examples from rotting: every flag they show exists.
func TestExamplesParse(t *testing.T) {
	root := fresh()
	known := func(words []string) (*cobra.Command, []string, error) { return root.Find(words) }
	for _, cmd := range documented(root) {
		for line := range strings.Lines(cmd.Example) {
			words := strings.Fields(line)
			at := slices.Index(words, "fhctl")
			if at < 0 {
				continue
			}
			target, rest, err := known(words[at+1:])
			if err != nil || target == root && len(words) > at+1 && !strings.HasPrefix(words[at+1], "-") {
				t.Errorf("%s: example %q names no command", cmd.CommandPath(), strings.TrimSpace(line))
				continue
			}
			for _, word := range rest {
				name := strings.TrimPrefix(strings.Split(word, "=")[0], "--")
				if strings.HasPrefix(word, "--") && target.Flag(name) == nil {
					t.Errorf("%s: example %q uses --%s, which is unknown", cmd.CommandPath(), strings.TrimSpace(line), name)
				}
			}
		}
	}
}

// TestPagesLinkToFiles checks the relative links of our documents.
func TestPagesLinkToFiles(t *testing.T) {
	root := moduleRoot(t)
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	check := func(page string) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			target := filepath.Join(root, filepath.Dir(page), match[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, match[1])
			}
		}
	}
	for _, page := range []string{"README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"} {
		check(page)
	}
	err := fs.WalkDir(os.DirFS(root), "docs", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".md") {
			check(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
