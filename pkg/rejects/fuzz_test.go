package rejects

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamesRoundTrip(t *testing.T) {
	for _, name := range []string{"noseq-text-1.frame", "0000007000000123-record_cbor-42.frame"} {
		seq, reason, number, ok := parseName(name)
		if !ok || fileName(seq, reason, number) != name {
			t.Errorf("%s: %v %v %v %v", name, seq, reason, number, ok)
		}
	}
	for _, name := range []string{
		"", ".frame", "-", "noseq-text-1", "noseq-text-01.frame", "noseq-text--1.frame", "noseq-Text-1.frame", "noseq--1.frame",
		"0000000000000000-car-1.frame", "1-car-1.frame", "../noseq-car-1.frame", "noseq-../../x-1.frame", "noseq-a/b-1.frame",
		"noseq-car-99999999999999999999.frame", "noseq-car-1.frame.part", "noseq-car-1.frame\n",
	} {
		if _, _, _, ok := parseName(name); ok {
			t.Errorf("%q is taken for ours", name)
		}
	}
}

// No index can make us open or remove a file that is not a frame of ours.
func FuzzReadLines(f *testing.F) {
	sum := strings.Repeat("ab", 32)
	f.Add([]byte(`{"time":"2026-07-04T12:00:00Z","seq":1,"reason":"car","bytes":3,"sha256":"` + sum + `","file":"0000000000000001-car-1.frame"}` + "\n"))
	f.Add([]byte(`{"reason":"car","sha256":"` + sum + `","file":"../../etc/passwd"}` + "\n{}\n\x00"))
	f.Add(bytes.Repeat([]byte("x"), 3*maxLine))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := readLines(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for key, line := range lines {
			if line.File != "" && (key != line.File || filepath.Base(line.File) != line.File || !strings.HasSuffix(line.File, suffix)) {
				t.Fatalf("line %q names %q", key, line.File)
			}
			if _, err := recordOf(line).encode(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
