package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fhctl.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A value means in the file what it means in a flag: YAML does not calculate.
func TestFileValuesAreAsWritten(t *testing.T) {
	cfg, err := Load(nil, []string{"FHCTL_CONFIG=" + fileOf(t, `
batch-size: 010          # ten, not eight
stream-key: 0123
cursor-key: 1.50
idle-timeout: 90s
dashboard: no
health-addr: off
redis-url:               # no value: the default
collection: [app.bsky.feed.post, "app.bsky.feed.like"]
`)})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"batch-size": "010", "stream-key": "0123", "cursor-key": "1.50", "dashboard": "no", "health-addr": "off",
		"redis-url": "redis://localhost:6379",
	} {
		for _, v := range cfg.Values {
			if v.Name == name && v.Text != want {
				t.Errorf("%s is %q, want %q", name, v.Text, want)
			}
		}
	}
	if cfg.Redis.StreamKey != "0123" || cfg.Ingest.IdleTimeout != 90*time.Second {
		t.Errorf("stream %q, idle timeout %s", cfg.Redis.StreamKey, cfg.Ingest.IdleTimeout)
	}
}

func TestFilesRefusedByName(t *testing.T) {
	for text, want := range map[string]string{
		"log-level: INFO\n---\nbatch-size: 20\n": "a second document begins here",
		"batch-size: 0x10\n":                     `"0x10" is not a whole number`,
		"batch-size: 1e3\n":                      `"1e3" is not a whole number`,
		"batch-size: 5\nbatch-size: 6\n":         "already defined",
		"config: other.yaml\n":                   `unknown key "config"`,
		"confg: other.yaml\n":                    `unknown key "confg"`,
		"- batch-size: 5\n":                      "line 1: it holds no settings by name",
		"batch-size\n":                           "line 1: it holds no settings by name",
		"stream-key: {a: b}\n":                   "line 1: stream-key holds keys of its own",
		"collection: \"\"\n":                     "holds nothing, and that would mean everything",
		"kind: [\"\", \" \"]\n":                  "holds nothing, and that would mean everything",
		"did: \",\"\n":                           "holds nothing, and that would mean everything",
		"a: &a [*a]\n":                           "contains itself",
		strings.Repeat("[", 20000):               "depth",
	} {
		_, err := Load(nil, []string{"FHCTL_CONFIG=" + fileOf(t, text)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "did you mean config?") {
			t.Errorf("%.40q: the hint repeats what was wrong", text)
		}
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "null\n", "{}\n", "---\nbatch-size: 5\n...\n"} {
		if _, err := Load(nil, []string{"FHCTL_CONFIG=" + fileOf(t, text)}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Schemes are read in capitals as well, ours like those of others.
func TestSchemesInCapitals(t *testing.T) {
	c, err := Load(nil, []string{"RELAY_URL=SIM://?rate=5", "REDIS_URL=Embedded://"})
	if err != nil || c.Relay.URL != "sim://?rate=5" || c.Redis.URL != "embedded://" {
		t.Errorf("%q, %q, %v", c.Relay.URL, c.Redis.URL, err)
	}
	if _, err := Load(nil, []string{"RELAY_URL=sim://?rate=x"}); err == nil || !strings.Contains(err.Error(), "rate") {
		t.Errorf("%v", err)
	}
}
