package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// I12: a password that is in use appears in nothing that fhctl writes: not in
// what any command prints, not on an endpoint, not in a key of Redis, not in a
// file. It may come by URL, environment or file, be right or wrong, and Redis
// may be there or not.
func TestSecretsAppearNowhere(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	const canary = "c4n4ry/of+a:pass"
	quoted := strings.NewReplacer("/", "%2F", "+", "%2B", ":", "%3A").Replace(canary)
	c := newCorpus(t, 3000)
	relay := c.serve(t, "", slow(2000))
	server := redistest.Start(t, "--requirepass", canary)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inURL := "REDIS_URL=" + strings.Replace(server.URL(), "redis://", "redis://:"+quoted+"@", 1)
	ways := map[string][]string{
		"in the URL":  {inURL},
		"in a file":   {"REDIS_URL=" + server.URL(), "FHCTL_REDIS_PASSWORD_FILE=" + file},
		"wrong":       {strings.Replace(inURL, quoted+"@", quoted+"x@", 1)},
		"unencoded":   {"REDIS_URL=redis://user:" + canary + "@" + server.Addr()},
		"nobody here": {"REDIS_URL=redis://user:" + quoted + "@127.0.0.1:1"},
	}
	clean := func(what, text string) {
		t.Helper()
		for _, form := range []string{canary, quoted, "c4n4ry"} {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s shows the password:\n…%.300s", what, text[max(0, at-100):])
				return
			}
		}
	}

	rejects := t.TempDir()
	p := start(t, append(environment(relay.URL(), server.URL()), append(ways["in the URL"], "LOG_LEVEL=DEBUG", "FHCTL_REJECTS="+rejects)...), "ingest", "--from=oldest")
	p.says(`"msg":"Ready"`, 30*time.Second)
	p.says("Processed 1,000 events", 30*time.Second)
	_, rest, _ := strings.Cut(p.output(), `"metrics":"`)
	base, _, _ := strings.Cut(rest, `/metrics"`)
	for _, path := range []string{"/", "/livez", "/readyz", "/metrics"} {
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if len(body) == 0 {
			t.Errorf("%s answers nothing", path)
		}
		clean(path, string(body))
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: canary, Protocol: 2})
	defer client.Close()
	clean("Redis", dump(t, client))

	for name, way := range ways {
		commands := [][]string{
			{"config", "show"}, {"cursor", "get"}, {"stream", "stats"},
			{"cursor", "get", "--redis-url", strings.TrimPrefix(way[0], "REDIS_URL=")},
		}
		if name == "in the URL" {
			commands = append(commands, []string{"config", "show", "-o", "json"}, []string{"cursor", "get", "-o", "json"}, []string{"cursor", "history"},
				[]string{"cursor", "set", "1", "--dry-run"}, []string{"stream", "stats", "-o", "json"}, []string{"doctor"}, []string{"doctor", "-o", "json"},
				[]string{"tail", "--limit", "1", "--from", "oldest"}, []string{"verify"})
		}
		for _, args := range commands {
			clean("fhctl "+args[0]+", password "+name, printed(t, append(way, "RELAY_URL="+relay.URL(), "LOG_LEVEL=DEBUG", "FHCTL_TIMEOUT=5s"), args...))
		}
	}
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 15*time.Second)
	clean("ingest", p.output())
	clean("Redis after the stop", dump(t, client))
	entries, _ := os.ReadDir(rejects)
	for _, e := range entries {
		text, _ := os.ReadFile(filepath.Join(rejects, e.Name()))
		clean(e.Name(), string(text))
	}
}

// printed is all that a command writes.
func printed(t *testing.T, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, fhctlPath(t), args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	out, _ := cmd.CombinedOutput() // that some of them fail is the point
	if len(out) == 0 {
		t.Errorf("fhctl %v prints nothing", args)
	}
	return string(out)
}

// dump is every key and value that is not the stream itself.
func dump(t *testing.T, client *redis.Client) string {
	t.Helper()
	var all strings.Builder
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) < 3 {
		t.Fatalf("keys %v: %v", keys, err)
	}
	for _, key := range keys {
		all.WriteString(key + "=" + client.Get(t.Context(), key).Val() + "\n")
	}
	names, _ := client.ClientList(t.Context()).Result()
	return all.String() + names
}
