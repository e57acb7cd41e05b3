package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadsARegularFileUpToItsLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	for _, p := range []string{path, link} {
		if data, err := Read(p, 5); string(data) != "12345" || err != nil {
			t.Errorf("%s: %q, %v", p, data, err)
		}
	}
	var large *TooLarge
	if data, err := Read(path, 4); data != nil || !errors.As(err, &large) || !strings.Contains(err.Error(), "larger than 4 bytes") {
		t.Errorf("above the limit: %q, %v", data, err)
	}
	if _, err := Read(path+".none", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
