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
	for content, want := range map[string]string{"canary": "canary", "canary\n": "canary", "canary\r\n": "canary", " a b \n\n": "a b", "\t\r\ncanary \n": "canary"} {
		got, err := ReadSecret(write("good", content))
		if got != want || err != nil {
			t.Errorf("ReadSecret of %q = %q, %v", content, got, err)
		}
	}
	for _, path := range []string{write("empty", " \n"), write("long", strings.Repeat("canary", 20000)), filepath.Join(dir, "none"), dir} {
		_, err := ReadSecret(path)
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "canary") {
			t.Errorf("ReadSecret(%s): %v", path, err)
		}
	}
}
