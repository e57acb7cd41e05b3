package blocks_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared finds the directory of third-party test data, which lies beside the
// module, and skips the test where there is none.
func shared(tb testing.TB, parts ...string) string {
	tb.Helper()
	root := os.Getenv("FHCTL_TESTDATA")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			tb.Fatal(err)
		}
		for !exists(filepath.Join(dir, "go.mod")) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared", "testdata")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if !exists(path) {
		tb.Skipf("no third-party test data: %s", path)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readShared(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	data, err := os.ReadFile(shared(tb, parts...))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func jsonShared[V any](tb testing.TB, parts ...string) (v V) {
	tb.Helper()
	if err := json.Unmarshal(readShared(tb, parts...), &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func unbase64(tb testing.TB, text string) []byte {
	tb.Helper()
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
