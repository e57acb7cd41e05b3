package redisstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

func bulk(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

// startSentinel serves what go-redis asks of a Sentinel, except for what change
// answers; the master is at addr.
func startSentinel(t *testing.T, addr string, change map[string]func() io.Reader) *hostile {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	storetest.Must(t, err)
	s := startHostile(t, "127.0.0.1:1")
	answers := map[string]func() io.Reader{
		"HELLO":              sends("-ERR unknown command 'HELLO'\r\n"),
		"CLIENT":             sends("+OK\r\n"),
		"PING":               sends("+PONG\r\n"),
		"SENTINEL GET":       sends(bulk(host, port)),
		"SENTINEL SENTINELS": sends("*0\r\n"),
		"SENTINEL REPLICAS":  sends("*0\r\n"),
		"SUBSCRIBE":          sends("*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$20\r\n+replica-reconf-done\r\n:2\r\n"),
	}
	for name, reply := range change {
		answers[name] = reply
	}
	answer := func(command []string) io.Reader {
		line := strings.ToUpper(strings.Join(command, " "))
		for name, reply := range answers {
			if strings.HasPrefix(line, name) {
				return reply()
			}
		}
		return strings.NewReader("-ERR unknown command\r\n")
	}
	s.answer.Store(&answer)
	return s
}

// The master's address and the messages of a Sentinel are what go-redis takes for
// granted: of another form they would end the process.
func TestHostileSentinel(t *testing.T) {
	server := startEmbedded(t)
	message := func(payload string) string { return bulk("message", "+switch-master", payload) }
	for name, change := range map[string]map[string]func() io.Reader{
		"sound":               {},
		"no address":          {"SENTINEL GET": sends("*0\r\n")},
		"half an address":     {"SENTINEL GET": sends("*1\r\n$9\r\n127.0.0.1\r\n")},
		"numbers for address": {"SENTINEL GET": sends("*2\r\n:1\r\n:2\r\n")},
		"an address in a map": {"SENTINEL GET": sends("%1\r\n+a\r\n+b\r\n")},
		"large address":       {"SENTINEL GET": sends("$1000000\r\n")},
		"large list":          {"SENTINEL SENTINELS": sends("*30000000\r\n")},
		"short message":       {"SUBSCRIBE": sends(message("m"))},
		"message in words":    {"SUBSCRIBE": sends(message("m 127.0.0.1 1"))},
		"empty message":       {"SUBSCRIBE": sends("*0\r\n")},
		"null message":        {"SUBSCRIBE": sends("*-1\r\n")},
		"message of numbers":  {"SUBSCRIBE": sends("*3\r\n:1\r\n:2\r\n:3\r\n")},
		"nested message":      {"SUBSCRIBE": sends("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*1\r\n:1\r\n")},
		"short subscription":  {"SUBSCRIBE": sends("*2\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n")},
		"subscription, text":  {"SUBSCRIBE": sends(bulk("subscribe", "c", "1"))},
		"pattern message":     {"SUBSCRIBE": sends(bulk("pmessage", "c"))},
		"pong":                {"SUBSCRIBE": sends("*2\r\n$4\r\npong\r\n:1\r\n")},
		"large message":       {"SUBSCRIBE": goesOn("", bulk("message", "+x", strings.Repeat("y", 1<<20)))},
		"endless messages":    {"SUBSCRIBE": goesOn("", message("other 127.0.0.1 1 127.0.0.1 2"))},
		"push":                {"SUBSCRIBE": sends(">30000000\r\n")},
		"map":                 {"SUBSCRIBE": sends("%6000000\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			bounded(t, func() {
				sentinel := startSentinel(t, server.Addr(), change)
				r, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: "redis-sentinel://" + sentinel.addr + "/m", CommandTimeout: 2 * time.Second}})
				if strings.Contains(name, "address") {
					storetest.WantErr(t, err, fault.Unreachable)
					if hint := fault.HintOf(err); !strings.Contains(hint, "look at what") {
						t.Errorf("%v: hint %q", err, hint)
					}
					return
				}
				storetest.Must(t, err)
				defer r.Close()
				storetest.Eventually(t, "the subscription", func() bool { return sentinel.asked.Load() >= 5 })
				for range 20 { // the messages are read beside this
					if _, err := r.Cursor(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// A name that no Sentinel knows is the URL's fault while nothing has worked yet. One
// Sentinel that could not be asked may know it, and is waited for.
func TestSentinelThatDoesNotKnowTheMaster(t *testing.T) {
	t.Parallel()
	for _, null := range []string{"$-1\r\n", "*-1\r\n", "_\r\n"} {
		sentinel := startSentinel(t, "127.0.0.1:1", map[string]func() io.Reader{"SENTINEL GET": sends(null)})
		wantUnknownMaster(t, "redis-sentinel://"+sentinel.addr+"/othr", sentinel.addr)
		_, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: "redis-sentinel://" + sentinel.addr + ",127.0.0.1:1/othr"}})
		storetest.WantErr(t, err, fault.Unreachable)
		if !strings.Contains(err.Error(), `no master named "othr"`) {
			t.Errorf("one of two: %v", err)
		}
	}
}

func wantUnknownMaster(t *testing.T, url, addr string) {
	t.Helper()
	c := conn.Connection{URL: url, CommandTimeout: 2 * time.Second}
	_, reading := reader.Open(t.Context(), reader.Config{Connection: c})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, writing := Open(ctx, Config{Connection: c, Identity: Identity{Relay: storetest.Relay}})
	for _, err := range []error{reading, writing} {
		storetest.WantErr(t, err, fault.Usage)
		if !strings.HasSuffix(err.Error(), "the Sentinel at "+addr+` knows no master named "othr"`) || strings.Contains(err.Error(), "unreachable") {
			t.Errorf("got %v", err)
		}
		if hint := fault.HintOf(err); !strings.Contains(hint, "last part of the Redis URL") || !strings.Contains(hint, "SENTINEL MASTERS") {
			t.Errorf("hint %q", hint)
		}
	}
}

// A node that a cluster, or a redirection, points to is bounded like the first.
func TestHostileClusterNode(t *testing.T) {
	server := startEmbedded(t)
	for attack, reply := range attacks() {
		for _, where := range []string{"first", "owner", "redirected"} {
			t.Run(where+"/"+attack, func(t *testing.T) {
				bounded(t, func() { attackCluster(t, server.Addr(), where, reply) })
			})
		}
	}
}

func attackCluster(t *testing.T, backend, where string, reply func() io.Reader) {
	first, other := startHostile(t, backend), startHostile(t, backend)
	host, port, _ := net.SplitHostPort(first.addr)
	if where == "owner" {
		host, port, _ = net.SplitHostPort(other.addr)
	}
	slots := fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%s\r\n", len(host), host, port)
	answer := func(command []string) io.Reader {
		switch {
		case strings.EqualFold(command[0], "cluster") && where == "first":
			return reply()
		case strings.EqualFold(command[0], "cluster"):
			return strings.NewReader(slots)
		case strings.HasPrefix(strings.ToLower(command[0]), "xr") && where == "redirected":
			return strings.NewReader("-MOVED 1 " + other.addr + "\r\n")
		}
		return nil
	}
	first.answer.Store(&answer)
	other.behave("", reply)
	err := func() error {
		r, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: "redis-cluster://" + first.addr, CommandTimeout: 5 * time.Second}})
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.Last(t.Context(), 3)
		return err
	}()
	storetest.WantErr(t, err, fault.Unreachable)
	if hint := fault.HintOf(err); !strings.Contains(hint, "look at what") {
		t.Errorf("%v: hint %q", err, hint)
	}
}

// A cluster may not name more nodes than there can be: each is a client.
func TestHostileClusterOfManyNodes(t *testing.T) {
	first := startHostile(t, "127.0.0.1:1")
	var slots strings.Builder
	fmt.Fprintf(&slots, "*1\r\n*%d\r\n:0\r\n:16383\r\n", 2+20_000)
	for i := range 20_000 {
		fmt.Fprintf(&slots, "*2\r\n$1\r\nh\r\n:%d\r\n", i+1)
	}
	answer := func(command []string) io.Reader {
		if strings.EqualFold(command[0], "cluster") {
			return strings.NewReader(slots.String())
		}
		return strings.NewReader("-ERR unknown command\r\n")
	}
	first.answer.Store(&answer)
	_, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: "redis-cluster://" + first.addr}})
	storetest.WantErr(t, err, fault.Unreachable)
	if !strings.Contains(err.Error(), "CLUSTER SLOTS") {
		t.Errorf("got %v", err)
	}
}

// A server that is alone in the URL and a node of a cluster in truth is named,
// not asked for ever.
func TestClusterBehindAPlainURL(t *testing.T) {
	h := startHostile(t, startEmbedded(t).Addr())
	for _, text := range []string{"-MOVED 1234 127.0.0.1:7001\r\n", "-ASK 1234 127.0.0.1:7001\r\n"} {
		for _, command := range []string{"XLEN", "EVALSHA"} {
			h.behave("", nil)
			h.behave(command, sends(text))
			_, err := Open(t.Context(), Config{Connection: conn.Connection{URL: "redis://" + h.addr, CommandTimeout: 2 * time.Second}, Identity: Identity{Relay: storetest.Relay}})
			if command == "EVALSHA" && err == nil {
				continue // asked when it stores
			}
			storetest.WantErr(t, err, fault.Usage)
			var reply redis.Error
			if !strings.Contains(fault.HintOf(err), "redis-cluster://") || !errors.As(err, &reply) {
				t.Errorf("%s: %v (%s)", command, err, fault.HintOf(err))
			}
		}
	}
	h.behave("XLEN", sends("-MOVED 1234 127.0.0.1:7001\r\n"))
	r, err := reader.Open(t.Context(), reader.Config{Connection: conn.Connection{URL: "redis://" + h.addr}})
	storetest.Must(t, err)
	defer r.Close()
	_, err = r.Bounds(t.Context())
	storetest.WantErr(t, err, fault.Usage)
}
