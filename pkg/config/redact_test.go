package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/fault"
)

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for content, want := range map[string]string{"canary": "canary", "canary\n": "canary", "canary\r\n": "canary", " a b \n\n": "a b", "\t\r\ncanary \n": "canary", "\ufeffcanary\r\n": "canary"} {
		got, err := ReadSecret(write("good", content))
		if got != want || err != nil {
			t.Errorf("ReadSecret of %q = %q, %v", content, got, err)
		}
	}
	wide := write("wide", "\xff\xfec\x00a\x00n\x00")
	for _, path := range []string{write("empty", " \n"), write("long", strings.Repeat("canary", 20000)), wide, dir} {
		_, err := ReadSecret(path)
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "canary") {
			t.Errorf("ReadSecret(%s): %v", path, err)
		}
	}
}

// Somebody writes the password where the name of its file is due.
func TestPasswordInPlaceOfItsFile(t *testing.T) {
	for _, path := range []string{"canary", "/canary/of/slashes", strings.Repeat("canary", 100), "can\tary", filepath.Join(t.TempDir(), "canary")} {
		_, err := ReadSecret(path)
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" || strings.Contains(err.Error()+fault.HintOf(err), "can") && !strings.Contains(err.Error(), "cannot") {
			t.Errorf("ReadSecret(%.40s): %v", path, err)
		}
		cfg, err := Load(nil, []string{"FHCTL_REDIS_PASSWORD_FILE=" + path})
		if err != nil {
			t.Errorf("%.40s: %v", path, err)
			continue
		}
		for _, v := range cfg.Values {
			if v.Name == "redis-password-file" && v.Text != "***" {
				t.Errorf("shown as %q", v.Text)
			}
		}
	}
}

// What stands in a file that is not ours, or where a text is due, is not repeated;
// neither is a URL, wherever it was pasted, or the content of a key.
func TestWrongFilesAndValuesAreNotRepeated(t *testing.T) {
	for _, text := range []string{
		"canary\n", "root:$6$canary:19000:0:99999:7:::\nbin:*:1\n", "a: *canary\n", "canary: x\n", "c4n4ry canary: 1\nfoo: canary\n",
		"canary: 1\ncanary: 2\n", "batch-size: 5\nCanary9: x\n", "redis-url: {password: canary}\n", "redis-url: {canary: x}\n", "batch-size: [{a: canary}]\n",
		"collection: [{a: canary}]\n", "relay: {password: canary}\n", "- canary\n", "a: !canary [\n", "%canary\n---\na: b\n", "? {canary: b}\n: c\n", "'canary", "\"\\canary\"",
		"&canary a: &canary [*canary]\n", "<<: canary\n", "<<: *canary\n", "\tcanary\n", "a: b: canary\n",
	} {
		_, err := Load(nil, []string{"FHCTL_CONFIG=" + fileOf(t, text)})
		if err == nil {
			t.Errorf("%q is taken", text)
		} else if said := strings.ToLower(err.Error() + hintsOf(err)); strings.Contains(said, "canary") || strings.Contains(said, "map[") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, name := range []string{"FHCTL_COLLECTION", "FHCTL_DID", "FHCTL_KIND", "FHCTL_HEALTH_HOST", "REDIS_STREAM_KEY", "REDIS_CURSOR_KEY", "FHCTL_BATCH_SIZE", "LOG_LEVEL", "FHCTL_FROM", "REDIS_URL", "RELAY_URL"} {
		for _, value := range []string{"redis://u:canary@h:6379x", "redis://default:canary", "redis://h/canary", "redis-sentinel://h/m/canary", "redis://h#canary"} {
			_, err := Load(nil, []string{name + "=" + value})
			if err == nil || strings.Contains(err.Error()+hintsOf(err), "canary") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
	for _, pair := range []string{"REDIS_URL=canary", "REDIS_URL=redis://:canary", "RELAY_URL=wss://h/canary", "RELAY_URL=wss://h/#canary", "RELAY_URL=sim://?foo=canary", "RELAY_URL=sim://?canary",
		"RELAY_URL=sim://?rate=canary", "RELAY_URL=SIM://?rate=canary", "FHCTL_REDIS_TLS_KEY=-----BEGIN PRIVATE KEY-----\ncanary", "FHCTL_REDIS_TLS_CA=-----BEGIN canary"} {
		_, err := Load(nil, []string{pair})
		if err == nil || strings.Contains(err.Error()+hintsOf(err), "canary") {
			t.Errorf("%s: %v", pair, err)
		}
	}
}

// hintsOf is the hints of all parts of an error.
func hintsOf(err error) string {
	hints := fault.HintOf(err)
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range joined.Unwrap() {
			hints += " " + fault.HintOf(part)
		}
	}
	return hints
}

// Blanks and line ends around a value are none of it, in a file as elsewhere.
func TestBlanksInAFile(t *testing.T) {
	cfg, err := Load(nil, []string{"FHCTL_CONFIG=" + fileOf(t, "batch-size: \"500 \"\nredis-url: |\n  redis://u:pw@localhost:1\ncollection: [\" app.bsky.feed.post \"]\n")})
	if err != nil || cfg.Redis.URL != "redis://u:pw@localhost:1" || cfg.Ingest.BatchSize != 500 || cfg.Ingest.Collections[0] != "app.bsky.feed.post" {
		t.Errorf("%+v, %v", cfg, err)
	}
	if _, err := Load(nil, []string{"FHCTL_COLLECTION=, ,"}); err == nil || !strings.Contains(err.Error(), "holds nothing") {
		t.Errorf("a list of nothing: %v", err)
	}
}
