package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// rightsOf are the rights of docs/deploy/README.md for a user, made for keys that share
// a slot where asked.
func rightsOf(t *testing.T, user, more string) []any {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range setUser.FindAllStringSubmatch(string(page), -1) {
		if m[1] != user {
			continue
		}
		words := []any{"acl", "setuser", user}
		for _, word := range strings.Fields(strings.NewReplacer("\\\n", " ", "'", "").Replace(m[2]) + " " + more) {
			words = append(words, word)
		}
		return words
	}
	t.Fatalf("docs/deploy/README.md names no user %s", user)
	return nil
}

// asUser runs what each of the documented users may do, and what one without a right is
// told.
func asUser(t *testing.T, url func(user string) string, env []string, servers ...*redistest.Server) {
	t.Helper()
	run := func(user string, exit int, args ...string) {
		t.Helper()
		p := start(t, append([]string{"REDIS_URL=" + url(user), "RELAY_URL=sim://?count=300&rate=0", "FHCTL_HEALTH_ADDR=off"}, env...), args...)
		if got := p.exit(time.Minute); got != exit {
			t.Errorf("%s, %v: exit code %d, want %d:\n%s", user, args, got, exit, lastOf(p.output()))
		}
		for _, line := range strings.Split(p.output(), "\n") {
			if exit == 0 && strings.Contains(line, "NOPERM") && !strings.Contains(line, "xdel") { // which it does without
				t.Errorf("%s, %v: %s", user, args, line)
			}
		}
	}
	run("fhctl", 0, "ingest", "--from=oldest", "--until-seq=7000000300")
	for _, user := range []string{"fhctl", "fhctl-look"} {
		run(user, 0, "tail", "-n", "3")
		run(user, 0, "tail", "-f", "--limit", "3")
		run(user, 0, "stream", "stats")
		run(user, 0, "verify")
		run(user, 0, "cursor", "get")
		run(user, 0, "cursor", "history")
	}
	run("fhctl", 0, "cursor", "set", "7000000100", "--yes")
	run("fhctl", 0, "doctor", "--wait", "1m")
	nothingDenied(t, servers)
	run("fhctl-look", 5, "cursor", "set", "7000000050", "--yes")
	run("fhctl-look", 5, "ingest")
	for right, commands := range map[string][][]string{
		"-xrange": {{"tail"}, {"verify"}}, "-xread": {{"tail", "-f"}}, "-get": {{"cursor", "get"}}, "-evalsha": {{"ingest"}}, "-xadd": {{"ingest"}},
	} {
		for _, server := range servers {
			server.Do("acl", "setuser", "fhctl", right)
		}
		for _, args := range commands {
			run("fhctl", 5, args...)
		}
		for _, server := range servers {
			server.Do("acl", "setuser", "fhctl", "+"+right[1:])
		}
	}
}

// nothingDenied: nothing is tried that the documented users may not do, but for what
// it does without.
func nothingDenied(t *testing.T, servers []*redistest.Server) {
	t.Helper()
	for _, server := range servers {
		for _, entry := range server.Do("acl", "log", "100").([]any) {
			if fields := entry.([]any); !slices.Contains([]any{"xdel", "del"}, fields[slices.Index(fields, any("object"))+1]) {
				t.Errorf("refused: %v", fields[slices.Index(fields, any("object"))+1])
			}
		}
	}
}

// The documented users work on Redis Cluster, and what they lack is refused there too.
func TestDocumentedUsersOnACluster(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	more := clusterRights(t)
	for _, node := range cluster.Masters {
		node.Do(rightsOf(t, "fhctl", more)...)
		node.Do(rightsOf(t, "fhctl-look", more)...)
	}
	asUser(t, func(user string) string {
		return strings.Replace(cluster.URL(), "://", "://"+user+":CHANGE-ME@", 1)
	}, []string{"REDIS_CURSOR_KEY={firehose:events}:cursor"}, cluster.Masters...)
}

// The documented users work where a Sentinel names the primary.
func TestDocumentedUsersWithSentinel(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	primary := redistest.Start(t)
	host, port, err := net.SplitHostPort(primary.Addr())
	if err != nil {
		t.Fatal(err)
	}
	sentinel := redistest.StartSentinel(t, "main", host, port)
	primary.Do(rightsOf(t, "fhctl", "")...)
	primary.Do(rightsOf(t, "fhctl-look", "")...)
	asUser(t, func(user string) string { return "redis-sentinel://" + user + ":CHANGE-ME@" + sentinel + "/main" }, nil, primary)
}

// clusterRights are what docs/deploy/README.md adds for Redis Cluster.
func clusterRights(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy", "README.md"))
	_, row, found := strings.Cut(string(page), "\n| Redis Cluster | ")
	if err != nil || !found {
		t.Fatalf("docs/deploy/README.md has no row for Redis Cluster, %v", err)
	}
	row, _, _ = strings.Cut(row, "\n")
	var words []string
	for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row, -1) {
		words = append(words, strings.ReplaceAll(quoted[1], "'", ""))
	}
	return strings.Join(words, " ")
}

// What ingest refuses of the keys in a Redis Cluster, doctor refuses as well.
func TestDoctorRefusesKeysOfSeveralSlots(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	server := redistest.Start(t, "--cluster-enabled", "yes")
	server.Do("cluster", "addslotsrange", 0, 16383)
	eventually(t, time.Minute, func() error {
		_, err := server.Client().Get(t.Context(), "x").Result()
		if err == redis.Nil {
			return nil
		}
		return fmt.Errorf("the cluster serves no slots yet: %w", err)
	})
	env := environment("sim://", "redis-cluster://"+server.Addr())
	for _, args := range [][]string{{"ingest"}, {"doctor"}, {"cursor", "set", "5", "--yes"}} {
		p := start(t, env, args...)
		p.mustExit(2, 20*time.Second)
		if out := p.output(); !contains(out, "name the cursor {firehose:events}:cursor") {
			t.Errorf("%v says\n%s", args, out)
		}
	}
}
