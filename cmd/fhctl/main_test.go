package main

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// update refreshes what tests compare with: the scripts' expected output and
// the generated files of docs and completions.
var update = flag.Bool("update", false, "rewrite expected output and generated files")

// TestMain makes this test binary the fhctl that scripts run. Tests mostly wait
// for programs of their own, whose faults and retries take their time: more of
// them at once than there are processors end sooner. -parallel says otherwise.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	testscript.Main(m, map[string]func(){"fhctl": main})
}

// TestScript runs testdata/script/*.txtar. Scripts see an empty environment but
// for what they set; "exits N COMMAND" checks a code other than 0, and "redis"
// is a server of their own, see redisCommand.
func TestScript(t *testing.T) {
	t.Parallel()
	server := &redisCommand{t: t, servers: map[string]*redistest.Server{}}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Condition:     condition,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "redis": server.run},
	})
}
