package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// redisCommand is what scripts talk to Redis with:
//
//	redis start           starts a server of the script's own, as $REDIS_URL;
//	                      embedded where no redis-server is installed
//	redis COMMAND ARG...  runs a command; its reply, one value a line, can be
//	                      matched like a program's output
type redisCommand struct {
	t       *testing.T // owns the servers
	mu      sync.Mutex
	servers map[string]*redistest.Server // by script
}

func (c *redisCommand) run(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: redis start, or redis COMMAND [ARG...]")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	server := c.servers[ts.Name()]
	if args[0] == "start" {
		server = redistest.Start(c.t)
		c.servers[ts.Name()] = server
		ts.Setenv("REDIS_URL", server.URL())
		return
	}
	if server == nil {
		ts.Fatalf("redis: say first: redis start")
	}
	command := make([]any, len(args))
	for i, arg := range args {
		command[i] = arg
	}
	reply, err := server.Ask(command...)
	ts.Check(err)
	printReply(ts.Stdout(), reply)
}

// condition knows [redis]: the script's server is a real one.
func condition(name string) (bool, error) {
	if name == "redis" {
		return redistest.Available(), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

func printReply(w io.Writer, reply any) {
	switch value := reply.(type) {
	case nil:
		fmt.Fprintln(w, "(nil)")
	case []any:
		for _, v := range value {
			printReply(w, v)
		}
	default:
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprint(value), "\n"))
	}
}
