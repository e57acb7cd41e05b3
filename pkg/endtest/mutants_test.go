package endtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mutant is a bug of one line, planted to see whether the tests notice. was
// stands in the file exactly once.
type mutant struct {
	file    string // below the module
	was     string
	becomes string
	harm    string   // what it breaks
	tests   []string // where it is expected to be caught: see suites
}

// suites are the tests that a mutant is tried on, in the order its row names
// them, until one fails.
var suites = map[string][]string{
	"sim":        {"./pkg/endtest", "^TestSimulation$"},
	"append":     {"./pkg/redisstream/...", "Append|Commit|Start|Resume|Cursor|Jump|Rebase|Moved|Missing|Behind|Conflict|Partial|Rollback|Model|Side|Restart|Reply"},
	"lease":      {"./pkg/redisstream/...", "Lease|Lead"},
	"strangers":  {"./pkg/redisstream/...", "Stranger|Takeover|Others|OperatorIsNo|PartialIsNo"},
	"start":      {"./pkg/redisstream/...", "^TestStart"},
	"retention":  {"./pkg/redisstream/...", "Trim|Room|Full|Block|Loss|Ledger|Lapse|Group"},
	"partitions": {"./pkg/redisstream/...", "Partition"},
	"unread":     {"./pkg/redisstream", "^Test(UnreadEntries|Consumers|EntriesRemoved)"},
	"again":      {"./pkg/redisstream/...", "Return"},
	"store":      {"./pkg/redisstream/...", "."},
	"peer":       {"./pkg/redisstream/...", "Hostile|LastWords|TLS|TooMany|ClusterBehind"},
	"resp":       {"./pkg/redisstream/resp", "."},
	"tlsfiles":   {"./pkg/tlsfiles", "."},
	"pipeline":   {"./pkg/pipeline", "."},
	"follow":     {"./pkg/pipeline/follow", "."},
	"replay":     {"./pkg/replay", "."},
	"relay":      {"./pkg/relay", "."},
	"event":      {"./pkg/event", "."},
	"filter":     {"./pkg/filter", "."},
	"frame":      {"./pkg/frame", "."},
	"entry":      {"./pkg/entry", "."},
	"jsonscan":   {"./pkg/jsonscan", "."},
	"blocks":     {"./pkg/blocks", "."},
	"dagcbor":    {"./pkg/dagcbor", "."},
	"fault":      {"./pkg/fault", "."},
	"spill":      {"./pkg/capture/spill", "."},
	"sinktest":   {"./pkg/endtest/sinktest", "."},
	"block":      {"./pkg/capture/block", "."},
	"capture":    {"./pkg/capture", "."},
	"verify":     {"./pkg/verify", "Large|Crowded|Stream|Fuzz"},
	"audit":      {"./pkg/audit", "."},
	"coverage":   {"./pkg/coverage", "."},
}

// Each row can still be planted: the table does not rot.
func TestMutantsFitTheCode(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range mutants() {
		if m.was == m.becomes || m.harm == "" || len(m.tests) == 0 || seen[m.file+m.was+m.becomes] {
			t.Errorf("%s: %q is not a mutant of its own", m.file, m.was)
		}
		seen[m.file+m.was+m.becomes] = true
		for _, name := range m.tests {
			if suites[name] == nil {
				t.Errorf("%s: there is no suite %q", m.file, name)
			}
		}
		text, err := os.ReadFile(filepath.Join(root(t), m.file))
		if err != nil {
			t.Error(err)
		} else if n := strings.Count(string(text), m.was); n != 1 {
			t.Errorf("%s holds %q %d times, want once: change the row with the code", m.file, m.was, n)
		}
	}
	if n := len(mutants()); n < 60 {
		t.Errorf("%d mutants, want at least 60", n)
	}
}

// TestMutants plants one after another, in copies that only the compiler sees,
// and wants each caught by a test. docs/reliability.md quotes its last line.
func TestMutants(t *testing.T) {
	if os.Getenv("FHCTL_MUTANTS") == "" {
		t.Skip("plants bugs for half an hour: FHCTL_MUTANTS=1 go test ./pkg/endtest -run '^TestMutants$' -v -timeout 0")
	}
	all := mutants()
	todo := make(chan mutant)
	var mu sync.Mutex
	var missed []string
	tried := 0
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for m := range todo {
				began := time.Now()
				by, err := m.try(t)
				mu.Lock()
				tried++
				switch {
				case err != nil:
					missed = append(missed, fmt.Sprintf("%s: %q could not be tried: %v", m.file, m.becomes, err))
				case by == "":
					missed = append(missed, fmt.Sprintf("%s: %q instead of %q: %s", m.file, m.becomes, m.was, m.harm))
				}
				fmt.Fprintf(os.Stderr, "%d/%d %s: %s: caught by %q in %.0f s\n", tried, len(all), filepath.Base(m.file), m.harm, by, time.Since(began).Seconds())
				mu.Unlock()
			}
		})
	}
	for _, m := range all {
		if chosen(m, os.Getenv("FHCTL_MUTANTS")) {
			todo <- m
		}
	}
	close(todo)
	workers.Wait()
	for _, s := range missed {
		t.Errorf("not caught: %s", s)
	}
	t.Logf("mutants: %d of %d caught", tried-len(missed), tried)
}

// chosen reports whether only, "1" or words with | between them, means the row: words of
// its file's path or of its description.
func chosen(m mutant, only string) bool {
	return only == "1" || slices.ContainsFunc(strings.Split(only, "|"), func(words string) bool {
		return words != "" && strings.Contains(m.file+m.harm, words)
	})
}

// try plants the mutant and runs its suites until one notices; "" if none does.
func (m mutant) try(t *testing.T) (caughtBy string, err error) {
	dir := t.TempDir()
	path := filepath.Join(root(t), m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	planted, overlay := filepath.Join(dir, "planted"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(planted, []byte(strings.Replace(string(text), m.was, m.becomes, 1)), 0o600); err != nil {
		return "", err
	}
	swap, _ := json.Marshal(map[string]any{"Replace": map[string]string{path: planted}})
	if err := os.WriteFile(overlay, swap, 0o600); err != nil {
		return "", err
	}
	for _, name := range m.tests {
		suite := suites[name]
		caught, err := m.run(overlay, root(t), suite[0], suite[1])
		if caught && err == nil && name != "sim" { // once may be chance, on a busy machine
			caught, err = m.run(overlay, root(t), suite[0], suite[1])
		}
		if caught || err != nil {
			return name, err
		}
	}
	return "", nil
}

// ran reports whether a package of those that passed had a test to run.
func ran(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "ok") && !strings.Contains(line, "no tests to run") {
			return true
		}
	}
	return false
}

// mutantPatience ends a suite that a mutant keeps from ending: that is caught
// as well.
const mutantPatience = 2 * time.Minute

func (m mutant) run(overlay, dir, pkg, tests string) (caught bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), mutantPatience+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast", "-timeout", mutantPatience.String(), "-run", tests, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "FHCTL_MUTANTS=", "FHCTL_SEEDS=200")
	out, err := cmd.CombinedOutput()
	text := string(out)
	var exit *exec.ExitError
	switch {
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"):
		return false, fmt.Errorf("it does not compile:\n%s", text)
	case err == nil && !ran(text):
		return false, fmt.Errorf("no test of %s matches %s", pkg, tests)
	case err == nil:
		return false, nil
	case ctx.Err() != nil, errors.As(err, &exit) && (strings.Contains(text, "--- FAIL") || strings.Contains(text, "panic:") || strings.Contains(text, "fatal error:")):
		return true, nil
	}
	return false, fmt.Errorf("%w:\n%s", err, text)
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
