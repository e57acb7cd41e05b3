package config

import (
	"slices"
	"strings"
	"testing"
)

func TestTableIsSound(t *testing.T) {
	contract := []string{"RELAY_URL", "REDIS_URL", "REDIS_STREAM_KEY", "REDIS_CURSOR_KEY", "REDIS_MAX_STREAM_LEN", "LOG_LEVEL"}
	seen := map[string]bool{}
	for _, s := range Settings() {
		if seen[s.Name] || seen[s.Env] {
			t.Errorf("%s or %s is there twice", s.Name, s.Env)
		}
		seen[s.Name], seen[s.Env] = true, true
		if s.Env != s.prefixed() && !slices.Contains(contract, s.Env) {
			t.Errorf("%s: variable %s is neither the contract's nor %s", s.Name, s.Env, s.prefixed())
		}
		if s.Doc == "" || strings.HasSuffix(s.Doc, ".") || strings.ContainsAny(s.Doc, "`\n") {
			t.Errorf("%s: doc %q is not one plain sentence without its full stop", s.Name, s.Doc)
		}
		if !slices.Contains(Groups(), s.Group) {
			t.Errorf("%s: group %q is not shown", s.Name, s.Group)
		}
		if s.Switch() && s.Default != "true" && s.Default != "false" {
			t.Errorf("%s: a switch defaults to %q", s.Name, s.Default)
		}
	}
	for _, name := range contract {
		if !seen[name] {
			t.Errorf("contract variable %s is gone", name)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"batch-size", "batch-age", "redis-url", "relay-url"}
	for word, want := range map[string]string{
		"batchsize": "batch-size", "batch_size": "batch-size", "BATCH-SIZE": "batch-size",
		"relay.url": "relay-url", "rediss-url": "redis-url", "zzz": "", "": "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestReferenceNamesEverySetting(t *testing.T) {
	var page strings.Builder
	if err := WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		if strings.Count(page.String(), "| `"+s.Env+"` |") != 1 || !strings.Contains(page.String(), "`--"+s.Name) {
			t.Errorf("the page does not name %s once", s.Name)
		}
	}
}
