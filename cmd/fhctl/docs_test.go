package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// docBlock is a fenced block of shell commands in a document, and what the
// comment above it says.
type docBlock struct {
	line    int
	section int // of the page: each begins with the cursor as it was
	text    string
	skip    string // why it is not run
	code    int    // with which it ends
	beside  bool   // an ingest runs meanwhile
}

var (
	fence    = regexp.MustCompile("^( *)```(\\w*)$")
	comment  = regexp.MustCompile(`^ *<!-- (network|not run: .+|exits \d+(?:: .+)?|beside ingest) -->$`)
	indented = regexp.MustCompile(`^ {4}(fhctl|redis-cli|systemctl|curl|npm|docker) `)
)

// docBlocks reads the sh blocks of a page. Commands must stand in such blocks,
// so that none escapes being run.
func docBlocks(t *testing.T, page, text string) (blocks []docBlock) {
	t.Helper()
	lines, section := strings.Split(text, "\n"), 0
	for i := 0; i < len(lines); i++ {
		open := fence.FindStringSubmatch(lines[i])
		if open == nil {
			if strings.HasPrefix(lines[i], "## ") {
				section++
			}
			if indented.MatchString(lines[i]) {
				t.Errorf("%s:%d: a command outside of a ```sh block is never run", page, i+1)
			}
			continue
		}
		b := docBlock{line: i + 1, section: section}
		if i > 0 {
			b.told(t, lines[i-1])
		}
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			b.text += strings.TrimPrefix(lines[i], open[1]) + "\n"
		}
		switch open[2] {
		case "sh":
			blocks = append(blocks, b)
		case "bash", "console", "shell":
			t.Errorf("%s:%d: write ```sh", page, b.line)
		}
	}
	return blocks
}

func (b *docBlock) told(t *testing.T, line string) {
	said := comment.FindStringSubmatch(line)
	switch {
	case said == nil && strings.HasPrefix(strings.TrimSpace(line), "<!--"):
		t.Errorf("line %d: nobody understands %s", b.line-1, line)
	case said == nil:
	case said[1] == "beside ingest":
		b.beside = true
	case strings.HasPrefix(said[1], "exits "):
		code, _, _ := strings.Cut(strings.TrimPrefix(said[1], "exits "), ":")
		b.code, _ = strconv.Atoi(code)
	default:
		b.skip = said[1]
	}
}

// Every command of every document is run, in a sandbox with a Redis, a relay and
// a stream of its own, or says above itself why it is not.
func TestEveryCommandInTheDocsRuns(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	for _, tool := range []string{"bash", "redis-cli", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s on PATH: documents use it", tool)
		}
	}
	root := moduleRoot(t)
	ran := 0
	for _, page := range docPages(t, root) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		blocks := docBlocks(t, page, string(text))
		blocks = slices.DeleteFunc(blocks, func(b docBlock) bool { return b.skip != "" })
		ran += len(blocks)
		if len(blocks) > 0 {
			t.Run(page, func(t *testing.T) {
				t.Parallel()
				newSandbox(t).run(page, blocks)
			})
		}
	}
	if ran < 10 {
		t.Errorf("only %d blocks were found", ran)
	}
}

// section is the part of a page below a heading.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), page))
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no part %q", page, heading)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	return part
}

// What the migration guide takes for the newest entry is the newest with a seq: with
// an older one the next start would store everything behind it again. The app's own
// producer writes accounts and identities without one.
func TestMigrationFindsTheNewestSeq(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	part := section(t, "docs/migration.md", "Cut over from the app's own TypeScript producer")
	line := regexp.MustCompile(`(?m)^ *fhctl cursor set .*--yes$`).FindString(part)
	if line == "" {
		t.Fatal("the guide does not move the cursor")
	}
	s := newSandbox(t)
	last, err := s.server.Client().XRevRangeN(t.Context(), "firehose:events", "+", "-", 1).Result()
	if err != nil || len(last) == 0 {
		t.Fatalf("the stream ends with %v, %v", last, err)
	}
	for range 150 {
		s.server.Do("XADD", "firehose:events", "*", "type", "identity", "data", `{"did":"did:plc:a","handle":"did:plc:a"}`, "seq", "")
	}
	s.server.Do("DEL", "firehose:python_cursor", "firehose:python_cursor:meta", "firehose:python_cursor:history")
	code, out := s.bash(line, false)
	if got := s.server.Client().Get(t.Context(), "firehose:python_cursor").Val(); code != 0 || got != last[0].Values["seq"] {
		t.Errorf("exit code %d, the cursor is %q, want %s\n%s", code, got, last[0].Values["seq"], out)
	}
}

// Rolled back to the bridge from another relay, nothing is left that the bridge
// would ask bsky.network for.
func TestMigrationBackToTheBridgeLeavesNoCursor(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	part := section(t, "docs/migration.md", "Roll back")
	line := regexp.MustCompile(`(?m)^ *fhctl cursor set .*$`).FindString(part)
	byHand := regexp.MustCompile("`(redis-cli DEL [^`]+)`").FindStringSubmatch(part)
	if line == "" || byHand == nil {
		t.Fatal("the guide does not remove the cursor")
	}
	s := newSandbox(t)
	for _, command := range []string{line, byHand[1]} {
		s.reset()
		code, out := s.bash(command, false)
		if n := s.server.Client().Exists(t.Context(), "firehose:python_cursor", "firehose:python_cursor:meta").Val(); code != 0 || n != 0 {
			t.Errorf("%s: exit code %d, %d keys are left\n%s", command, code, n, out)
		}
	}
}

// docPages are the pages that people follow; the reference of commands is
// generated, and its examples are checked elsewhere.
func docPages(t *testing.T, root string) []string {
	t.Helper()
	pages := []string{"README.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (name == "docs/cli" || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(name, ".md") {
			pages = append(pages, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// sandbox is a machine as the documents take it to be: fhctl on PATH, a Redis
// with a stream that two workers have begun to read, a relay.
type sandbox struct {
	t      *testing.T
	dir    string
	server *redistest.Server
	env    []string
}

// docRelay has been running for long, so that any process finds the same events.
const docRelay = "sim://?rate=200&backlog=400"

// The commands that documents use, as they shall run here: those that go on
// until they are stopped get a moment, and ingest until it has stored something.
const (
	shimFhctl = `#!/bin/bash
moment=
for word in "$@"; do case $word in -f|--follow|--watch|--serve) moment=1;; esac; done
case "$1" in record) moment=1;; esac
case "$*" in *--limit*|*--dry-run*) moment=;; esac
status=0
if [ "$1" = ingest ] && [[ "$*" != *--until-seq* ]]; then
	log=$(mktemp)
	%[1]q "$@" 2>"$log" &
	for _ in {1..600}; do
		if grep -q '"msg":"Ready"' "$log" || ! kill -0 $! 2>/dev/null; then break; fi
		sleep 0.1
	done
	kill -TERM $! || true
	wait $! || status=$?
	cat "$log" >&2
	exit $status
fi
%[1]q "$@" ${moment:+--timeout 1s} || status=$?
if [ -n "$moment" ] && [ $status = 124 ]; then status=0; fi
exit $status
`
	shimGo = `#!/bin/bash
case "$1 $2" in "run ./cmd/fhctl") shift 2; exec fhctl "$@";; esac
echo "documents run no other go command here: $*" >&2; exit 1
`
	shimRedis = `#!/bin/bash
case "$1" in --latency*) timeout 1 %[1]q -u "$REDIS_URL" "$@" || true; exit;; esac
exec %[1]q -u "$REDIS_URL" "$@"
`
)

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{t: t, dir: t.TempDir(), server: redistest.Start(t)}
	redisCLI, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, text := range map[string]string{
		"fhctl": fmt.Sprintf(shimFhctl, fhctlPath(t)), "go": shimGo, "redis-cli": fmt.Sprintf(shimRedis, redisCLI),
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.env = []string{
		"HOME=" + s.dir, "PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(),
		"REDIS_URL=" + s.server.URL(), "RELAY_URL=" + docRelay, "FHCTL_HEALTH_ADDR=127.0.0.1:0",
	}
	s.fill()
	return s
}

// stream.fill stores what the relay has had, and lets two workers read of it.
func (s *sandbox) fill() {
	s.t.Helper()
	p := start(s.t, s.env, "ingest", "--from=oldest")
	eventually(s.t, time.Minute, func() error {
		if n := s.server.Client().XLen(s.t.Context(), "firehose:events").Val(); n < 400 {
			return fmt.Errorf("%d entries", n)
		}
		return nil
	})
	p.kill()
	// A writer that was killed leaves its last heartbeat for ten seconds.
	s.server.Do("DEL", "firehose:status")
	s.server.Do("XGROUP", "CREATE", "firehose:events", "firehose-processors", "0")
	for _, worker := range []string{"worker-0-p0", "worker-1-p0"} {
		s.server.Do("XREADGROUP", "GROUP", "firehose-processors", worker, "COUNT", 5, "STREAMS", "firehose:events", ">")
	}
}

// reset puts the cursor to the end of the stream, and gives it back to the relay of
// these pages, whatever a section did to it.
func (s *sandbox) reset() {
	last, err := s.server.Client().XRevRangeN(s.t.Context(), "firehose:events", "+", "-", 1).Result()
	if err != nil || len(last) == 0 {
		s.t.Fatalf("the stream ends with %v, %v", last, err)
	}
	// With the tool for it: a cursor and a side key that contradict each other are
	// the work of a stranger, and ingest refuses them.
	seq := fmt.Sprint(last[0].Values["seq"])
	start(s.t, s.env, "cursor", "set", seq, "--relay", docRelay, "--yes", "--force").mustExit(0, time.Minute)
	s.server.Do("DEL", "firehose:python_cursor:history", "firehose:status")
}

func (s *sandbox) run(page string, blocks []docBlock) {
	section := 0
	for _, b := range blocks {
		if b.section != section {
			section = b.section
			s.reset()
		}
		code, out := s.bash(b.text, b.beside || strings.Contains(b.text, "127.0.0.1:9477"))
		if code != b.code {
			s.t.Errorf("%s:%d: exit code %d, want %d\n%s\n%s", page, b.line, code, b.code, b.text, out)
		}
	}
}

// bash runs a block as typed, but for the addresses and names that are the
// reader's own.
func (s *sandbox) bash(text string, beside bool) (code int, out string) {
	s.t.Helper()
	health := "127.0.0.1:0"
	if beside {
		p := start(s.t, s.env, "ingest")
		p.says(`"msg":"Ready"`, time.Minute)
		eventually(s.t, time.Minute, s.overtaken)
		_, rest, _ := strings.Cut(p.output(), `"metrics":"http://`)
		health, _, _ = strings.Cut(rest, "/")
		defer func() {
			p.kill()
			s.server.Do("DEL", "firehose:status", "firehose:python_cursor:lease")
			if code != 0 {
				out += "\nThe ingest beside it said:\n" + p.output()
			}
		}()
	}
	pending := s.server.Do("XPENDING", "firehose:events", "firehose-processors", "-", "+", 1)
	id := "0-1"
	if rows, ok := pending.([]any); ok && len(rows) > 0 {
		id = fmt.Sprint(rows[0].([]any)[0])
	}
	text = strings.NewReplacer("redis://localhost:6379", s.server.URL(), "wss://bsky.network", "'"+docRelay+"'", "--relay bsky.network", "--relay '"+docRelay+"'",
		"127.0.0.1:9477", health, "127.0.0.1:9478", "127.0.0.1:0", "127.0.0.1:7000", "127.0.0.1:0",
		" GROUP", " firehose-processors", "cursor set SEQ ", "cursor set "+s.before()+" ", "--since ID", "--since "+id).Replace(text)
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", text)
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.dir, s.env, time.Second
	said, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), lastOf(string(said))
}

// overtaken waits until the stream goes as far as that of a shadow run, which began
// live while the stream was behind.
func (s *sandbox) overtaken() error {
	newest := func(key string) event.Seq {
		last, _ := s.server.Client().XRevRangeN(s.t.Context(), key, "+", "-", 1).Result()
		if len(last) == 0 {
			return 0
		}
		seq, _ := event.ParseSeq(fmt.Sprint(last[0].Values["seq"]))
		return seq
	}
	if ours, shadow := newest("firehose:events"), newest("shadow:events"); ours < shadow {
		return fmt.Errorf("the stream is at %d, the shadow at %d", ours, shadow)
	}
	return nil
}

// verify.before is the seq before the first that is stored.
func (s *sandbox) before() string {
	first, err := s.server.Client().XRangeN(s.t.Context(), "firehose:events", "-", "+", 1).Result()
	if err != nil || len(first) == 0 {
		s.t.Fatalf("the stream begins with %v, %v", first, err)
	}
	seq, _ := event.ParseSeq(fmt.Sprint(first[0].Values["seq"]))
	return (seq - 1).String()
}

// The index leads to every page.
func TestIndexLinksEveryPage(t *testing.T) {
	root := moduleRoot(t)
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range docPages(t, root)[1:] {
		if page = strings.TrimPrefix(page, "docs/"); page != "README.md" && !strings.Contains(string(index), "]("+page+")") {
			t.Errorf("docs/README.md does not link to %s", page)
		}
	}
}
