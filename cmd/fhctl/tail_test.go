package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// fhctl runs the program to its end and gives what it printed.
func fhctl(t *testing.T, code int, env []string, args ...string) (stdout string) {
	t.Helper()
	cmd := exec.Command(fhctlPath(t), args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	_ = cmd.Run() // judged by its code
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%v exits %d, want %d:\n%s", args, got, code, lastOf(log.String()))
	}
	return out.String()
}

// fillStream stores n accounts with seqs from 7000000001.
func fillStream(server *redistest.Server, n int) {
	for i := range n {
		server.Do("XADD", "firehose:events", fmt.Sprintf("%d-0", 1767323045000+i), "type", "account",
			"data", `{"did":"did:plc:x","active":true}`, "seq", fmt.Sprint(7000000001+i))
	}
}

func TestTailOnlyReads(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	server := redistest.Start(t)
	fillStream(server, 50)
	monitor, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = monitor.Close() }()
	seen := bufio.NewScanner(monitor)
	if _, err := monitor.Write([]byte("MONITOR\r\n")); err != nil || !seen.Scan() {
		t.Fatal("the server is not monitored", err)
	}
	env := []string{"REDIS_URL=" + server.URL()}
	fhctl(t, 0, env, "tail")
	fhctl(t, 0, env, "tail", "-n", "3", "--raw")
	fhctl(t, 0, env, "tail", "--since", "seq:7000000030", "-o", "text")
	fhctl(t, 0, env, "tail", "-f", "--limit", "5")
	fhctl(t, 124, env, "tail", "--expect", "1", "--within", "200ms")
	fhctl(t, 0, env, "__complete", "tail", "--collection", "")
	server.Do("ECHO", "enough")

	reads := []string{"hello", "client", "ping", "select", "xrange", "xrevrange", "xlen", "xinfo", "xread"}
	commands := map[string]int{}
	for seen.Scan() && !strings.Contains(seen.Text(), `"enough"`) {
		quoted := strings.SplitN(seen.Text(), `"`, 3)
		if len(quoted) < 3 {
			t.Fatalf("what is %q?", seen.Text())
		}
		command := strings.ToLower(quoted[1])
		commands[command]++
		if !slices.Contains(reads, command) {
			t.Errorf("tail sends %s", seen.Text())
		}
	}
	if commands["xrange"] == 0 || commands["xread"] == 0 {
		t.Errorf("seen: %v", commands)
	}
}

func TestTailEndsByInterruptAsItWasMeant(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	env := []string{"REDIS_URL=" + server.URL(), "LOG_LEVEL=DEBUG"}
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"tail", "-f"}},
		{130, []string{"tail", "--expect", "1"}},
		{0, []string{"tail", "--source", "relay", "--relay-url", "sim://?rate=1"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			p := start(t, env, c.args...)
			p.says("settings", 10*time.Second)
			p.signal(os.Interrupt)
			p.mustExit(c.code, 10*time.Second)
		})
	}
}

func TestTailIsRefusedWithoutPassword(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	server := redistest.Start(t)
	server.Do("CONFIG", "SET", "requirepass", "canary")
	fhctl(t, 5, []string{"REDIS_URL=" + server.URL()}, "tail", "-f")
}

// shown reads lines of -o json.
func shown(t *testing.T, text string) (seqs []event.Seq, data []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e struct {
			V    int             `json:"v"`
			Seq  event.Seq       `json:"seq"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.V != 1 {
			t.Fatalf("%v: %s", err, line)
		}
		seqs, data = append(seqs, e.Seq), append(data, string(e.Data))
	}
	return seqs, data
}

// A relay that misbehaves is shown in order, each event once (Q2, Q3), with the
// very data that the stream would get.
func TestTailFollowsAFaultyRelay(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 1500)
	relay := c.serve(t, "drop@200,repeat@400:20,cut@600,garbage@800,leap@850,leap@860:1000000000,regress@900:15,info@1000", inclusive)
	out := fhctl(t, 0, []string{"RELAY_URL=" + relay.URL()}, "tail", "--source", "relay", "--since", "oldest",
		"--kind", "commit,identity,account", "--limit", fmt.Sprint(len(c.want)))
	seqs, data := shown(t, out)
	if len(seqs) != len(c.want) {
		t.Fatalf("%d events, want %d", len(seqs), len(c.want))
	}
	for i, w := range c.want {
		if seqs[i] != w.seq || data[i] != w.data {
			t.Fatalf("event %d is %d %.200s, want %d %.200s", i, seqs[i], data[i], w.seq, w.data)
		}
	}
}

func TestTailCountsBackFurtherThanItHolds(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const script = `for i=1,tonumber(ARGV[1]) do redis.call("XADD",KEYS[1],"*","type","account","data","{}","seq",tostring(i)) end`
	const held = 10_000 // how many entries tail keeps while it counts
	const all, last = held + 500, held + 100
	if server.Real() {
		server.Do("EVAL", script, 1, "firehose:events", all)
	} else {
		t.Skip("needs redis-server: the embedded server is slow to fill")
	}
	env := []string{"REDIS_URL=" + server.URL()}
	for _, args := range [][]string{{"-n", fmt.Sprint(last)}, {"-n", fmt.Sprint(last), "--since", "seq:2"}} {
		seqs, _ := shown(t, fhctl(t, 0, env, append([]string{"tail"}, args...)...))
		if len(seqs) != last || seqs[0] != all-last+1 || seqs[last-1] != all {
			t.Errorf("%v: %d events from %d to %d", args, len(seqs), seqs[0], seqs[len(seqs)-1])
		}
	}
}

func TestCollectionsAreCompleted(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for i, path := range []string{"app.bsky.feed.like/a", "app.bsky.feed.post/b", "app.bsky.graph.follow/c", "not a\tcollection/d"} {
		data, _ := json.Marshal(map[string]any{"repo": "did:plc:x", "ops": []any{map[string]string{"action": "delete", "path": path}}})
		server.Do("XADD", "firehose:events", "*", "type", "commit", "data", string(data), "seq", fmt.Sprint(i+1))
	}
	server.Do("XADD", "firehose:events", "*", "type", "commit", "data", "{", "seq", "9")
	offered := fhctl(t, 0, []string{"REDIS_URL=" + server.URL()}, "__complete", "tail", "--collection", "app.bsky.f")
	if offered != "app.bsky.feed.like\t1 of the newest ops\napp.bsky.feed.post\t1 of the newest ops\n:4\n" {
		t.Errorf("offered: %q", offered)
	}
	silent := fhctl(t, 0, []string{"REDIS_URL=redis://127.0.0.1:1"}, "__complete", "tail", "--collection", "")
	if silent != ":4\n" {
		t.Errorf("offered without Redis: %q", silent)
	}
}
