package main

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"testing"
)

// mostLines is how many lines of Go, without tests and doc.go, each package may have.
// The numbers only fall: what does not fit goes into a package of its own, or something
// else has to go. They are the sizes of today, rounded up to the next 50. Take a number down
// whenever its package has shrunk, first of all that of cmd/fhctl.
var mostLines = map[string]int{
	"cmd/fhctl":                  200,
	"cmd/fhctl/internal/replay":  1250,
	"pkg/atproto":                200,
	"pkg/audit":                  1100,
	"pkg/blocks":                 500,
	"pkg/capture":                1250,
	"pkg/capture/block":          850,
	"pkg/capture/spill":          2350,
	"pkg/config":                 1800,
	"pkg/coverage":               200,
	"pkg/cursor":                 950,
	"pkg/dagcbor":                1250,
	"pkg/doctor":                 1200,
	"pkg/endtest/sinktest":       350,
	"pkg/entry":                  650,
	"pkg/event":                  1950,
	"pkg/fault":                  450,
	"pkg/files":                  150,
	"pkg/filter":                 200,
	"pkg/frame":                  1350,
	"pkg/health":                 2600,
	"pkg/identity":               150,
	"pkg/jsonscan":               800,
	"pkg/mst":                    650,
	"pkg/output":                 1500,
	"pkg/pipeline":               2400,
	"pkg/pipeline/follow":        1050,
	"pkg/place":                  450,
	"pkg/redisstream":            2700,
	"pkg/redisstream/admin":      300,
	"pkg/redisstream/dashboard":  550,
	"pkg/redisstream/partitions": 1150,
	"pkg/redisstream/reader":     2300,
	"pkg/redisstream/keyspace":   100,
	"pkg/redisstream/lease":      350,
	"pkg/redisstream/script":     900,
	"pkg/redisstream/conn":       2150,
	"pkg/redisstream/embedded":   400,
	"pkg/redisstream/resp":       250,
	"pkg/redistest":              1250,
	"pkg/rejects":                700,
	"pkg/relay":                  1950,
	"pkg/relayserver":            1350,
	"pkg/relaytest":              150,
	"pkg/replay":                 1900,
	"pkg/sim":                    1700,
	"pkg/stats":                  1350,
	"pkg/syntax":                 550,
	"pkg/systemd":                150,
	"pkg/text":                   300,
	"pkg/template":               1000,
	"pkg/thirdparty":             100,
	"pkg/tlsfiles":               200,
	"pkg/verify":                 2500,
	"pkg/verify/block":           450,
	"pkg/wait":                   50,
}

// newPackage is what a package may have that has no line in mostLines yet.
const newPackage = 2700

func TestPackagesDoNotGrow(t *testing.T) {
	lines := map[string]int{}
	for name := range productionImports(t) {
		if path.Base(name) == "doc.go" {
			continue // words are welcome
		}
		text, err := os.ReadFile(filepath.Join(moduleRoot(t), name))
		if err != nil {
			t.Fatal(err)
		}
		lines[path.Dir(name)] += bytes.Count(text, []byte{'\n'})
	}
	for dir, n := range lines {
		most, known := mostLines[dir]
		if !known {
			most = newPackage
		}
		if n > most {
			t.Errorf("%s has %d lines, %d at most: move what is a thing of its own into a package below, or take something out", dir, n, most)
		}
	}
	for dir := range mostLines {
		if lines[dir] == 0 {
			t.Errorf("%s is gone: take its line out of mostLines", dir)
		}
	}
}
