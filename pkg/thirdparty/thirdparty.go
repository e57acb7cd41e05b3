package thirdparty

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Path is a file or directory of the data; the test is skipped without it.
func Path(tb testing.TB, parts ...string) string {
	tb.Helper()
	path, ok := Find(parts...)
	if !ok {
		tb.Skipf("no third-party test data: %s", path)
	}
	return path
}

// Find is where a file or directory of the data is, or would be.
func Find(parts ...string) (path string, ok bool) {
	path = filepath.Join(append([]string{root()}, parts...)...)
	return path, exists(path)
}

func root() string {
	if dir := os.Getenv("FHCTL_TESTDATA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for !exists(filepath.Join(dir, "go.mod")) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, "..", "shared", "testdata")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Read is the content of a file of the data.
func Read(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	data, err := os.ReadFile(Path(tb, parts...))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// JSON is a file of the data, decoded.
func JSON[V any](tb testing.TB, parts ...string) (v V) {
	tb.Helper()
	if err := json.Unmarshal(Read(tb, parts...), &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// Frames are the recorded frames: each a 32-bit little-endian length and one
// message, all of it zstd.
func Frames(tb testing.TB) [][]byte {
	tb.Helper()
	f, err := os.Open(Path(tb, "firehose", "frames.bin.zst"))
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
	var frames [][]byte
	for len(data) > 0 {
		n := int(binary.LittleEndian.Uint32(data)) + 4
		frames = append(frames, data[4:n:n])
		data = data[n:]
	}
	return frames
}
