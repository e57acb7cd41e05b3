// Command fhctl reads an atproto relay and feeds Redis.
//
// This package is the edge: it turns typed words into one composition of the
// packages below it, and the result into an exit code. Nothing decodes or
// speaks Redis here.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], newApp(), newRoot))
}
