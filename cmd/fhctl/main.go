// Command fhctl reads an atproto relay and feeds Redis.
//
// This package is the edge: it turns typed words into one composition of the
// packages below it, and the result into an exit code. Nothing decodes or
// speaks Redis here.
package main

import (
	"os"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
)

func main() {
	os.Exit(shell.Run(os.Args[1:], shell.NewEnv(), newRoot))
}
