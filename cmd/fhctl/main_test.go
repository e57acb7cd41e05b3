package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// update refreshes what tests compare with: the scripts' expected output and
// the generated files of docs and completions.
var update = flag.Bool("update", false, "rewrite expected output and generated files")

// TestMain makes this test binary the fhctl that scripts run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fhctl": main})
}

// TestScript runs testdata/script/*.txtar. Scripts see an empty environment but
// for what they set; "exits N COMMAND" checks a code other than 0, and "redis"
// is a server of their own, see redisCommand.
func TestScript(t *testing.T) {
	server := &redisCommand{t: t, servers: map[string]*redistest.Server{}}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Condition:     condition,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "redis": server.run},
	})
}
