package frame_test

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
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

// capture is the recorded frames: each a 32-bit little-endian length and one
// message, all of it zstd.
func capture(tb testing.TB) [][]byte {
	tb.Helper()
	f, err := os.Open(shared(tb, "firehose", "frames.bin.zst"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	data, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	var out [][]byte
	for len(data) > 0 {
		n := int(binary.LittleEndian.Uint32(data)) + 4
		out = append(out, data[4:n:n])
		data = data[n:]
	}
	return out
}
