package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// docs/deploy: the user stands in the URL and the password in a file. It is the
// same for whatever takes a Redis.
func TestPasswordFileGoesWithTheURLsUser(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	const secret = "c4n4ry/of:a@password"
	server := redistest.Start(t, "--requirepass", "other")
	user := strings.Replace(server.URL(), "redis://", "redis://fhctl@", 1)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("  "+secret+" \r\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(url string, more ...string) []string {
		return append(environment("sim://?count=50&rate=0", url), more...)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: "other"})
	defer client.Close()
	if err := client.Do(t.Context(), "acl", "setuser", "fhctl", "on", ">"+secret, "~*", "&*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  []string
		args []string
	}{
		{env(user, "FHCTL_REDIS_PASSWORD_FILE="+file), []string{"ingest", "--from=oldest", "--until-seq=7000000010"}},
		{env("redis://localhost:1"), []string{"ingest", "--from=oldest", "--until-seq=7000000010", "--redis-url=" + user, "--redis-password-file=" + file}},
		{env(user, "FHCTL_REDIS_PASSWORD_FILE="+file), []string{"stream", "stats"}},
		{env(user, "FHCTL_REDIS_PASSWORD_FILE="+file), []string{"cursor", "get"}},
		{env(user, "FHCTL_REDIS_PASSWORD_FILE="+file), []string{"replay", "stream", user, "--to-stream=copy", "--to-password-file=" + file}},
	} {
		p := start(t, c.env, c.args...)
		p.mustExit(0, 20*time.Second)
		if out := p.output(); contains(out, "c4n4ry") || contains(out, "visible to every user") {
			t.Errorf("%v says\n%s", c.args, out)
		}
	}
}

// The hint of a login that failed names what the login was made of.
func TestHintOfALoginNamesWhatItWasMadeOf(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "right")
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrong, settings := file("wrong", "c4n4ry\n"), file("fhctl.yaml", "redis-url: "+strings.Replace(server.URL(), "redis://", "redis://:c4n4ry@", 1)+"\n")
	inURL := strings.Replace(server.URL(), "redis://", "redis://:c4n4ry@", 1)
	for _, c := range []struct {
		env   []string
		args  []string
		code  int
		hint  string
		never string
	}{
		{[]string{"REDIS_URL=" + server.URL(), "FHCTL_REDIS_PASSWORD_FILE=" + wrong}, []string{"cursor", "get"}, 5,
			"the password is from the file of FHCTL_REDIS_PASSWORD_FILE, where nothing is percent-encoded, and the user from REDIS_URL", "percent-encode @"},
		{[]string{"REDIS_URL=" + server.URL()}, []string{"ingest", "--redis-password-file", wrong}, 5, "the file of --redis-password-file", "percent-encode @"},
		{[]string{"REDIS_URL=" + inURL}, []string{"ingest"}, 5, "check REDIS_URL, and percent-encode", "file"},
		{nil, []string{"stream", "stats", "--redis-url", inURL}, 5, "check --redis-url, and percent-encode", "REDIS_URL"},
		{nil, []string{"cursor", "get", "--config", settings}, 5, "check redis-url in " + settings, "REDIS_URL"},
		{nil, []string{"cursor", "get", "--redis-url", server.URL()}, 5, "write it into --redis-url as", "REDIS_URL"},
		{[]string{"REDIS_URL=" + server.URL(), "FHCTL_REDIS_PASSWORD_FILE=" + file("bom", "\ufeffright\r\n")}, []string{"stream", "stats"}, 4, "", "hint: Redis refuses"},
		{nil, []string{"verify", inURL}, 5, "check the URL given as SOURCE", "REDIS_URL"},
		{nil, []string{"bench", "ingest", "--into", inURL}, 5, "check --into", "REDIS_URL"},
		{nil, []string{"replay", inURL, "-"}, 5, "check the URL in the argument", "REDIS_URL"},
	} {
		p := start(t, append([]string{"RELAY_URL=sim://?count=20", "FHCTL_HEALTH_ADDR=127.0.0.1:0"}, c.env...), c.args...)
		p.mustExit(c.code, 20*time.Second)
		if out := p.output(); !contains(out, c.hint) || contains(out, c.never) || contains(out, "c4n4ry") {
			t.Errorf("%v %v says\n%s", c.env, c.args, out)
		}
	}
}

// A database that the server does not have is a setting that is wrong.
func TestDatabaseOutOfRangeIsUsage(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	server := redistest.Start(t)
	for _, args := range [][]string{{"ingest"}, {"cursor", "get"}, {"stream", "stats"}} {
		p := start(t, environment("sim://?count=5", server.URL()+"/99"), args...)
		p.mustExit(2, 10*time.Second)
		if out := p.output(); !contains(out, "hint: this Redis has fewer databases") {
			t.Errorf("%v says\n%s", args, out)
		}
	}
}

// Naming the client is a courtesy: who may not, or cannot, goes on without.
func TestClientNameIsBestEffort(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	server := redistest.Start(t)
	if err := server.Client().Do(t.Context(), "acl", "setuser", "shy", "on", ">pw", "~*", "&*", "+@all", "-client").Err(); err != nil {
		t.Fatal(err)
	}
	url := strings.Replace(server.URL(), "redis://", "redis://shy:pw@", 1)
	start(t, environment("sim://?rate=0&count=20", url), "ingest", "--from=oldest", "--until-seq=7000000010").mustExit(0, 20*time.Second)
	p := start(t, environment("sim://?rate=0&count=20", server.URL()), "ingest")
	p.says("Connected to firehose successfully", 10*time.Second)
	if list, _ := server.Client().ClientList(t.Context()).Result(); !strings.Contains(list, "name=fhctl ") {
		t.Errorf("no client is named fhctl:\n%s", list)
	}
}
