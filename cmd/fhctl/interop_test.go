package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// Contract §3, §6: real workers in TypeScript with ioredis (docs/examples/worker)
// read by position what ingest stores under load. Two of them are killed with
// entries in hand and started again, the group is destroyed, poison is thrown in:
// every event is handled, and only the poison becomes a dead letter.
func TestTypeScriptWorkersHandleEveryEvent(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	dir := buildWorker(t)
	c := newCorpus(t, 4000)
	server := redistest.Start(t)
	gate := newGate(c.log)
	relay := c.serve(t, "", func(cfg *relayserver.Config) { cfg.Log = gate })
	crew := &crew{t: t, dir: dir, redis: server.URL(), client: server.Client(), handled: map[string]handledEvent{}}
	let := func(n int) { gate.open(c.want[n-1].seq) }
	for _, name := range []string{"worker-0", "worker-1", "worker-2"} {
		crew.hire(name)
	}
	ingest := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest", until(c.last))

	let(200)
	crew.waitFor(200)
	if n := server.Do("XGROUP", "DESTROY", "firehose:events", "firehose-processors"); n != int64(1) {
		t.Fatalf("destroyed %v groups", n)
	}
	crew.says("made group firehose-processors at 0", 2)
	poison := server.Do("XADD", "firehose:events", "*", "type", "commit", "data", "null", "seq", "1")
	server.Do("XADD", "firehose:events", "*", "type", "commit", "data", "not json", "seq", "2")
	let(1000)
	crew.waitFor(1000)
	passed := 1000
	more := func() { passed = min(passed+10, len(c.want)); let(passed) }
	crew.killHolding("worker-0", more)
	crew.killHolding("worker-1", more)
	crew.hire("worker-0")
	crew.hire("worker-1")
	crew.allWork(more)
	let(len(c.want))
	ingest.mustExit(0, 2*time.Minute)

	eventually(t, 2*time.Minute, crew.idle)
	crew.dismiss() // what they printed has been read when they are gone
	crew.wantHandled(c)
	wantDeadLetter(t, crew.client, fmt.Sprint(poison))
	crew.says("is not JSON and is given up", 1)
}

// buildWorker installs and compiles a copy of the example, as its README says.
func buildWorker(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s on PATH: the workers are TypeScript", tool)
		}
	}
	dir := t.TempDir()
	source := filepath.Join(moduleRoot(t), "docs", "examples", "worker")
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc", "tsconfig.json", "src"} {
		copyTree(t, filepath.Join(source, name), filepath.Join(dir, name))
	}
	out, err := inDir(dir, "npm", "ci", "--ignore-scripts", "--prefer-offline", "--loglevel=error")
	if strings.Contains(out, "in sync") {
		t.Fatalf("package.json and its lock file differ:\n%s", out)
	}
	if err != nil {
		t.Skipf("npm cannot install the workers' libraries here: %v\n%s", err, lastOf(out))
	}
	if out, err := inDir(dir, "npm", "run", "--silent", "build"); err != nil {
		t.Fatalf("the example worker does not compile: %v\n%s", err, lastOf(out))
	}
	return dir
}

func inDir(dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else if err == nil {
		var data []byte
		if data, err = os.ReadFile(from); err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// handledEvent is a line that a worker prints.
type handledEvent struct {
	Seq, Type, Repo string
	Ops             [][]any // action, path, $type or null
}

// crew is the workers and what they handled.
type crew struct {
	t      *testing.T
	dir    string
	redis  string
	client *redis.Client

	mu      sync.Mutex
	workers map[string]*exec.Cmd
	done    map[string]chan error
	idlers  map[string]bool         // those who have not handled anything since they were hired
	handled map[string]handledEvent // by seq
	log     strings.Builder
}

// hire starts a worker, which claims earlier than in production.
func (c *crew) hire(name string) {
	c.t.Helper()
	cmd := exec.Command("node", "dist/main.js")
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "REDIS_URL="+c.redis, "WORKER_NAME="+name, "WORKER_PIPELINES=2", "WORKER_CLAIM_IDLE_MS=300")
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd.Stderr = c
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			c.note(lines.Bytes())
		}
		done <- cmd.Wait()
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.workers == nil {
		c.workers, c.done, c.idlers = map[string]*exec.Cmd{}, map[string]chan error{}, map[string]bool{}
	}
	c.workers[name], c.done[name], c.idlers[name] = cmd, done, true
	c.t.Cleanup(func() { _ = cmd.Process.Kill() })
}

// note takes a whole line; one that a kill cut short was not handled.
func (c *crew) note(line []byte) {
	var e handledEvent
	var by struct{ Worker string }
	if json.Unmarshal(line, &e) != nil || json.Unmarshal(line, &by) != nil {
		return
	}
	name, _, _ := strings.Cut(by.Worker, "-p")
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.idlers, name)
	c.handled[e.Seq] = e
}

// Write collects what the workers log.
func (c *crew) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(p)
}

func (c *crew) says(text string, times int) {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if n := strings.Count(c.log.String(), text); n < times {
			return fmt.Errorf("the workers said %q %d times, want %d:\n%s", text, n, times, lastOf(c.log.String()))
		}
		return nil
	})
}

func (c *crew) waitFor(n int) {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.handled) < n {
			return fmt.Errorf("%d events handled, want %d:\n%s", len(c.handled), n, lastOf(c.log.String()))
		}
		return nil
	})
}

// killHolding ends a worker (SIGKILL) while it holds entries that it has not
// acknowledged: stopped, it is still given what its waiting reads asked for. More
// sends events, of which it gets some sooner or later.
func (c *crew) killHolding(name string, more func()) {
	c.t.Helper()
	c.mu.Lock()
	cmd, done := c.workers[name], c.done[name]
	c.mu.Unlock()
	eventually(c.t, time.Minute, func() error {
		_ = cmd.Process.Signal(redistest.SignalStop)
		more()
		for range 20 {
			if c.pendingOf(name) > 0 {
				return nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		_ = cmd.Process.Signal(redistest.SignalContinue)
		return fmt.Errorf("%s never holds an entry", name)
	})
	_ = cmd.Process.Kill()
	<-done
}

// allWork sends events until every worker has handled some: one that is still
// loading does not know yet what SIGTERM asks of it.
func (c *crew) allWork(more func()) {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error {
		more()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.idlers) > 0 {
			return fmt.Errorf("not at work: %v:\n%s", c.idlers, lastOf(c.log.String()))
		}
		return nil
	})
}

func (c *crew) pendingOf(name string) (n int64) {
	consumers, _ := c.client.XInfoConsumers(c.t.Context(), "firehose:events", "firehose-processors").Result()
	for _, consumer := range consumers {
		if strings.HasPrefix(consumer.Name, name+"-") {
			n += consumer.Pending
		}
	}
	return n
}

// idle is nil once the group was given everything and acknowledged it.
func (c *crew) idle() error {
	groups, err := c.client.XInfoGroups(c.t.Context(), "firehose:events").Result()
	if err != nil || len(groups) != 1 {
		return fmt.Errorf("groups %v, %w", groups, err)
	}
	last, err := c.client.XRevRangeN(c.t.Context(), "firehose:events", "+", "-", 1).Result()
	if err != nil || groups[0].LastDeliveredID != last[0].ID || groups[0].Pending != 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Errorf("group %+v, last entry %v, %w:\n%s", groups[0], last, err, lastOf(c.log.String()))
	}
	return nil
}

// wantHandled compares what the workers understood with what the relay sent.
func (c *crew) wantHandled(from *corpus) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range from.want {
		e, ok := c.handled[w.seq.String()]
		if !ok {
			c.t.Fatalf("event %s was never handled", w.seq)
		}
		if got, want := fmt.Sprint(e), fmt.Sprint(understood(c.t, w)); got != want {
			c.t.Fatalf("event %s was understood as\n%.300s\nwant\n%.300s", w.seq, got, want)
		}
	}
	if len(c.handled) != len(from.want) {
		c.t.Errorf("%d events handled, %d were sent", len(c.handled), len(from.want))
	}
}

// understood is what a worker is to make of an entry.
func understood(t *testing.T, w wanted) handledEvent {
	t.Helper()
	var data struct {
		Repo, DID string
		Ops       []struct {
			Action, Path string
			Record       map[string]any
		}
	}
	if err := json.Unmarshal([]byte(w.data), &data); err != nil {
		t.Fatal(err)
	}
	e := handledEvent{Seq: w.seq.String(), Type: w.kind, Repo: data.Repo + data.DID}
	for _, op := range data.Ops {
		e.Ops = append(e.Ops, []any{op.Action, op.Path, op.Record["$type"]})
	}
	return e
}

// wantDeadLetter checks that the poison, and nothing but it, was given up after
// ten deliveries.
func wantDeadLetter(t *testing.T, client *redis.Client, poison string) {
	t.Helper()
	rows, err := client.Do(t.Context(), "XRANGE", "firehose:dead-letters", "-", "+").Slice()
	if err != nil || len(rows) != 1 {
		t.Fatalf("dead letters %v, %v; want the poison alone", rows, err)
	}
	fields := rows[0].([]any)[1].([]any)
	want := fmt.Sprint([]any{"type", "commit", "data", "null", "seq", event.Seq(1), "origId", poison, "deliveries", 10})
	if got := fmt.Sprint(fields); got != want {
		t.Errorf("dead letter %s, want %s", got, want)
	}
}

// dismiss stops the workers, which finish what they have in hand.
func (c *crew) dismiss() {
	c.t.Helper()
	for name, cmd := range c.workers {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-c.done[name]:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				c.t.Errorf("%s ends with %v:\n%s", name, err, lastOf(c.log.String()))
			}
		case <-time.After(time.Minute):
			c.t.Errorf("%s does not end", name)
		}
	}
}

// The example installs from whatever registry its user has.
func TestExampleNamesNoRegistry(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "examples", "worker", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"resolved"`) {
		t.Error("the lock file says where packages came from: make it with the .npmrc beside it")
	}
	if n := strings.Count(string(text), `"integrity": "sha512-`); n < 10 {
		t.Errorf("the lock file pins the content of %d packages", n)
	}
}
