package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
//	redis users           makes the users of docs/deploy/README.md, as
//	                      $AS_FHCTL and so on
//	redis denied X...     prints what users were refused, but for X: []
//	redis unused USER     prints which of a documented user's rights nobody used: []
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
	switch {
	case args[0] == "users":
		c.users(ts, server)
		return
	case args[0] == "denied":
		denied(ts, server, args[1:])
		return
	case args[0] == "unused" && len(args) == 2:
		unused(ts, server, args[1])
		return
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

// setUser finds the users of docs/deploy/README.md.
var setUser = regexp.MustCompile(`(?s)redis-cli ACL SETUSER (\S+) (.*?)\n` + "```")

// users makes the documented Redis users, whose URLs become $AS_NAME.
func (c *redisCommand) users(ts *testscript.TestScript, server *redistest.Server) {
	for name, words := range documentedUsers(ts) {
		args := []any{"acl", "setuser", name}
		for _, word := range words {
			args = append(args, word)
		}
		_, err := server.Ask(args...)
		ts.Check(err)
		variable := "AS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		ts.Setenv(variable, "redis://"+name+":CHANGE-ME@"+server.Addr())
	}
}

func documentedUsers(ts *testscript.TestScript) map[string][]string {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy", "README.md"))
	ts.Check(err)
	users := map[string][]string{}
	for _, m := range setUser.FindAllStringSubmatch(string(page), -1) {
		users[m[1]] = strings.Fields(strings.NewReplacer("\\\n", " ", "'", "").Replace(m[2]))
	}
	if len(users) == 0 {
		ts.Fatalf("docs/deploy/README.md names no Redis user")
	}
	return users
}

// denied lists the commands, and keys, that the server refused to its users, but
// for those that fhctl does without.
func denied(ts *testscript.TestScript, server *redistest.Server, without []string) {
	log, err := server.Ask("acl", "log", "100")
	ts.Check(err)
	var refused []string
	for _, entry := range log.([]any) {
		fields := entry.([]any)
		what := fmt.Sprint(fields[slices.Index(fields, any("object"))+1])
		if !slices.Contains(without, what) {
			refused = append(refused, what)
		}
	}
	fmt.Fprintln(ts.Stdout(), refused)
}

// unused lists the rights of a documented user that nobody made use of since the
// server's start, or since config resetstat.
func unused(ts *testscript.TestScript, server *redistest.Server, user string) {
	stats, err := server.Ask("info", "commandstats")
	ts.Check(err)
	var idle []string
	for _, word := range documentedUsers(ts)[user] {
		name, right := strings.CutPrefix(word, "+")
		if right && !regexp.MustCompile("cmdstat_"+regexp.QuoteMeta(name)+"[:|]").MatchString(fmt.Sprint(stats)) {
			idle = append(idle, name)
		}
	}
	fmt.Fprintln(ts.Stdout(), idle)
}
