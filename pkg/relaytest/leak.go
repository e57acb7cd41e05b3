package relaytest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leakPatience is how long goroutines may take to end after the last test.
const leakPatience = 5 * time.Second

// Run runs a package's tests and is their exit code: 1 also when goroutines of
// this module are left after the last one. TestMain is os.Exit(Run(m)).
func Run(m *testing.M) int {
	code := m.Run()
	deadline := time.Now().Add(leakPatience)
	left := goroutines()
	for len(left) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
		left = goroutines()
	}
	if code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", strings.Join(left, "\n\n"))
		code = 1
	}
	return code
}

// goroutines are the stacks that pass through this module, but for the
// caller's. Counting all would count the test framework's own.
func goroutines() (stacks []string) {
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	for i, stack := range strings.Split(string(all), "\n\n") {
		if i > 0 && strings.Contains(stack, "fhctl/fhctl/pkg/") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}
