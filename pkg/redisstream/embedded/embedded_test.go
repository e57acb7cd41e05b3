package embedded

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
)

func start(t *testing.T) (*Server, *redis.Client) {
	t.Helper()
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	client := redis.NewClient(&redis.Options{Addr: s.Addr()}) // RESP3, SETINFO, the library's defaults
	t.Cleanup(func() { _ = client.Close() })
	return s, client
}

func TestStartRefusesWhatOthersCouldReach(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "nonsense", "127.0.0.1"} {
		s, err := Start(addr)
		if err == nil {
			s.Close()
		}
		if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestStartTakesAFreePortWhenTheDefaultIsTaken(t *testing.T) {
	if taken, err := net.Listen("tcp", DefaultAddr); err == nil {
		defer taken.Close()
	}
	s, err := Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Addr() == DefaultAddr || !strings.HasPrefix(s.URL(), "redis://127.0.0.1:") {
		t.Fatalf("listens on %s", s.URL())
	}
	if _, err := Start(s.Addr()); fault.ClassOf(err) != fault.Usage {
		t.Fatalf("a given port that is taken: %v", err)
	}
}

func TestKeysExpire(t *testing.T) {
	_, client := start(t)
	ctx := context.Background()
	if err := client.Set(ctx, "k", "v", 150*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); client.Exists(ctx, "k").Val() == 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the key stays")
		}
	}
}

// TestClientsGetAnswers covers what libraries and redis-cli ask on connecting.
func TestClientsGetAnswers(t *testing.T) {
	_, client := start(t)
	ctx := context.Background()
	for _, args := range [][]any{
		{"hello"}, {"hello", "3"}, {"client", "setinfo", "lib-name", "x"}, {"client", "setname", "x"}, {"client", "id"},
		{"client", "list"}, {"info"}, {"info", "server"}, {"info", "all"}, {"command"}, {"command", "docs"}, {"command", "count"},
		{"config", "get", "maxmemory-policy"}, {"ping"}, {"select", "0"}, {"reset"}, {"dbsize"},
	} {
		if err := client.Do(ctx, args...).Err(); err != nil && err != redis.Nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	info := client.Info(ctx, "replication").Val()
	if !strings.Contains(info, "role:master") || strings.Contains(info, "redis_version") {
		t.Errorf("INFO replication: %q", info)
	}
	if all := client.Info(ctx).Val(); !strings.Contains(all, "loading:0") || !strings.Contains(all, "redis_version:") {
		t.Errorf("INFO: %q", all)
	}
}

func TestConsumerGroupRuns(t *testing.T) {
	_, client := start(t)
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.XGroupCreateMkStream(ctx, "s", "g", "0").Err())
	must(client.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"type", "commit", "data", "{}", "seq", "1"}}).Err())
	read, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"s", ">"}, Count: 300, Block: 100 * time.Millisecond}).Result()
	must(err)
	id := read[0].Messages[0].ID
	claimed, _, err := client.XAutoClaim(ctx, &redis.XAutoClaimArgs{Stream: "s", Group: "g", Consumer: "d", Start: "0"}).Result()
	must(err)
	if len(claimed) != 1 || claimed[0].ID != id {
		t.Fatalf("claimed %v", claimed)
	}
	must(client.XAck(ctx, "s", "g", id).Err())
	groups, err := client.XInfoGroups(ctx, "s").Result()
	must(err)
	if len(groups) != 1 || groups[0].Pending != 0 || groups[0].LastDeliveredID != id {
		t.Fatalf("groups %+v", groups)
	}
}

func TestStreamReadsOfRESP3ClientsAreMaps(t *testing.T) {
	s, client := start(t)
	ctx := context.Background()
	for _, key := range []string{"s1", "s2"} {
		if err := client.XAdd(ctx, &redis.XAddArgs{Stream: key, ID: "1-1", Values: []string{"data", "a\r\n*2\r\n"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	ask := func(command, want string) {
		t.Helper()
		if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
			t.Fatal(err)
		}
		got := ""
		for buf := make([]byte, 4096); len(got) < len(want); {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("%s: %v after %q", command, err, got)
			}
			got += string(buf[:n])
		}
		if !strings.HasSuffix(got, want) {
			t.Fatalf("%s:\n got %q\nwant %q", command, got, want)
		}
	}
	entry := "*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$4\r\ndata\r\n$7\r\na\r\n*2\r\n\r\n"
	ask("*2\r\n$5\r\nHELLO\r\n$1\r\n3", "*0\r\n")
	ask("*6\r\n$5\r\nXREAD\r\n$7\r\nSTREAMS\r\n$2\r\ns1\r\n$2\r\ns2\r\n$1\r\n0\r\n$1\r\n0", "%2\r\n$2\r\ns1\r\n"+entry+"$2\r\ns2\r\n"+entry)
	ask("*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$1\r\n5\r\n$7\r\nSTREAMS\r\n$2\r\ns1\r\n$1\r\n$", "_\r\n")
}

func TestRedisCLIConnects(t *testing.T) {
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Skip("needs redis-cli on PATH")
	}
	s, _ := start(t)
	_, port, _ := net.SplitHostPort(s.Addr())
	run := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.Command("redis-cli", append([]string{"-p", port}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("redis-cli %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if got := run("", "XADD", "s", "*", "seq", "1"); !strings.Contains(got, "-0") {
		t.Fatalf("XADD: %q", got)
	}
	if got := run("XLEN s\nINFO replication\n"); !strings.HasPrefix(got, "1\n") || !strings.Contains(got, "role:master") {
		t.Fatalf("session: %q", got)
	}
	if got := run("", "-3", "XRANGE", "s", "-", "+"); !strings.Contains(got, "seq") {
		t.Fatalf("RESP3: %q", got)
	}
}
