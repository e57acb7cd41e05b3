package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

// This file is the kit of the tests that run the real program as a process of
// its own, against a relay with faults and a Redis that can be killed.

// program is a running fhctl.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	err  error
	mu   sync.Mutex
	log  bytes.Buffer
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// start runs fhctl with an environment of its own.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	return startAs(t, fhctlPath(t), env, args...)
}

// startAs runs the fhctl of this path.
func startAs(t *testing.T, path string, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Stderr = p
	p.cmd.SysProcAttr = redistest.DieWithParent()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(p.kill)
	return p
}

// fhctlPath is this test binary under the name that makes it fhctl.
func fhctlPath(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "fhctl")
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	if err := os.Symlink(self, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *program) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// unhurried is the least time that a test gives a program before it fails: what
// takes a second on a machine at rest may take half a minute on one that builds
// something else. Bounds in seconds, as G6's, are proved in virtual time by
// pkg/pipeline and pkg/endtest; here they tell what ends from what never does.
const unhurried = time.Minute

// exit waits for the end and gives the exit code.
func (p *program) exit(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(max(within, unhurried)):
		p.t.Fatalf("still running after %v:\n%s", max(within, unhurried), lastOf(p.output()))
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func (p *program) mustExit(code int, within time.Duration) {
	p.t.Helper()
	if got := p.exit(within); got != code {
		p.t.Fatalf("exit code %d, want %d:\n%s", got, code, lastOf(p.output()))
	}
}

// says waits until the log holds the text; 0 is for what it must hold by now.
func (p *program) says(text string, within time.Duration) {
	p.t.Helper()
	if within == 0 && !strings.Contains(p.output(), text) {
		p.t.Fatalf("the log does not say %q:\n%s", text, lastOf(p.output()))
	}
	eventually(p.t, within, func() error {
		if strings.Contains(p.output(), text) {
			return nil
		}
		return fmt.Errorf("the log does not say %q:\n%s", text, lastOf(p.output()))
	})
}

func lastOf(text string) string {
	if len(text) > 3000 {
		return "…" + text[len(text)-3000:]
	}
	return text
}

func eventually(t *testing.T, within time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(max(within, unhurried))
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// corpus is a log of frames with the entries they must become.
type corpus struct {
	log   *relayserver.MemoryLog
	first event.Seq
	last  event.Seq
	want  []wanted
}

type wanted struct {
	seq  event.Seq
	kind string
	data string
}

// newCorpus repeats the recorded frames where they are at hand, and plays the
// simulator elsewhere, renumbered from a base with small gaps.
func newCorpus(t *testing.T, n int) *corpus {
	t.Helper()
	source := recordedFrames(t)
	if source == nil {
		source = simulatedFrames(t, min(n, 2000))
	}
	c := &corpus{log: relayserver.NewMemoryLog(0), first: 7_000_000_001}
	rng := rand.New(rand.NewPCG(7, 7))
	var decoder frame.Decoder
	var ev event.Event
	for seq, i := c.first, 0; i < n; i++ {
		raw, ok := frame.SetSeq(nil, source[i%len(source)], seq)
		if !ok {
			t.Fatal("a frame has no seq")
		}
		if err := c.log.Append(seq, raw); err != nil {
			t.Fatal(err)
		}
		if err := decoder.Decode(raw, &ev); err != nil {
			t.Fatal(err)
		}
		if data, ok := entry.Append(nil, &ev); ok {
			c.want = append(c.want, wanted{seq, ev.Kind.String(), string(data)})
		}
		c.last = seq
		seq += 1 + event.Seq(rng.IntN(2))
	}
	return c
}

// recordedFrames are the 150 real ones; nil where they are not at hand.
func recordedFrames(t *testing.T) [][]byte {
	if path, ok := thirdparty.Find("firehose", "frames.bin.zst"); !ok {
		t.Logf("no recorded frames at %s: playing the simulator instead", path)
		return nil
	}
	return thirdparty.Frames(t)
}

func simulatedFrames(t *testing.T, n int) [][]byte {
	t.Helper()
	cfg, err := sim.ParseURL(fmt.Sprintf("sim://?rate=0&count=%d&seed=5", n))
	if err != nil {
		t.Fatal(err)
	}
	source, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var frames [][]byte
	for after := event.Seq(0); ; {
		seq, raw, err := source.Next(context.Background(), after)
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frames, after = append(frames, raw), seq
	}
}

// endpoint.serve plays the corpus with faults.
func (c *corpus) serve(t *testing.T, faults string, change ...func(*relayserver.Config)) *relayserver.Server {
	t.Helper()
	list, err := relayserver.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	cfg := relayserver.Config{Log: c.log, Faults: list}
	for _, f := range change {
		f(&cfg)
	}
	server, err := relayserver.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// wantInjected checks that every fault that was asked for struck: a run in which
// nothing went wrong proves nothing.
func wantInjected(t *testing.T, relay *relayserver.Server, faults string) {
	t.Helper()
	list, err := relayserver.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for _, f := range list {
		want[f.Kind]++
	}
	got := relay.Injected()
	for kind, n := range want {
		if got[kind] < n {
			t.Errorf("fault %s struck %d times, want %d", kind, got[kind], n)
		}
	}
}

// check compares the stream, entry for entry and by position, and the cursor.
func (c *corpus) check(t *testing.T, client *redis.Client, upto event.Seq) {
	t.Helper()
	from, n := "-", 0
	for {
		rows, err := client.Do(t.Context(), "XRANGE", "firehose:events", from, "+", "COUNT", 2000).Slice()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			pair := row.([]any)
			c.checkEntry(t, n, pair[1].([]any))
			from = "(" + pair[0].(string)
			n++
		}
	}
	want := 0
	for want < len(c.want) && c.want[want].seq <= upto {
		want++
	}
	if n != want {
		t.Fatalf("%d entries in the stream, want %d", n, want)
	}
	if cursor := client.Get(t.Context(), "firehose:python_cursor").Val(); cursor != upto.String() {
		t.Fatalf("cursor %s, want %s", cursor, upto)
	}
}

func (c *corpus) checkEntry(t *testing.T, n int, fields []any) {
	t.Helper()
	if n >= len(c.want) {
		t.Fatalf("entry %d is one too many: %v", n, fields)
	}
	w := c.want[n]
	got := fmt.Sprint(fields)
	if want := fmt.Sprint([]any{"type", w.kind, "data", w.data, "seq", w.seq.String()}); got != want {
		t.Fatalf("entry %d is seq %v, want %v:\n%.400s\nwant\n%.400s", n, fields[len(fields)-1], w.seq, got, want)
	}
}

// metrics reads a counter from /metrics.
func (p *program) metric(name string) string {
	p.t.Helper()
	_, rest, ok := strings.Cut(p.output(), `"metrics":"`)
	if !ok {
		p.t.Fatalf("no metrics address in the log:\n%s", lastOf(p.output()))
	}
	url, _, _ := strings.Cut(rest, `"`)
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// environment points fhctl at a relay and a Redis.
func environment(relayURL, redisURL string) []string {
	return []string{"RELAY_URL=" + relayURL, "REDIS_URL=" + redisURL, "FHCTL_HEALTH_ADDR=127.0.0.1:0", "REDIS_MAX_STREAM_LEN=0"}
}

func until(seq event.Seq) string { return "--until-seq=" + seq.String() }

func inclusive(cfg *relayserver.Config) { cfg.Inclusive = true }

// slow bounds the relay's frames per second, so that there is time for faults.
func slow(rate float64) func(*relayserver.Config) {
	return func(cfg *relayserver.Config) { cfg.Rate = rate }
}

func cursorOf(t *testing.T, client *redis.Client) event.Seq {
	t.Helper()
	seq, ok := event.ParseSeq(client.Get(t.Context(), "firehose:python_cursor").Val())
	if !ok {
		t.Fatal("there is no cursor")
	}
	return seq
}

func contains(text, part string) bool { return strings.Contains(text, part) }

// reached is nil once the cursor is at the last event.
func (c *corpus) reached(t *testing.T, server *redistest.Server) error {
	return reached(t, server, c.last)
}

// reached is nil once the cursor is at seq or above.
func reached(t *testing.T, server *redistest.Server, seq event.Seq) error {
	t.Helper()
	got, _ := event.ParseSeq(server.Client().Get(t.Context(), "firehose:python_cursor").Val())
	if got < seq {
		return fmt.Errorf("cursor %s, want %s", got, seq)
	}
	return nil
}

// sentAt is when identityFrame claims to be of.
var sentAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// identityFrame is a small valid frame.
func identityFrame(t *testing.T, seq event.Seq) []byte {
	t.Helper()
	return identityFrameAt(t, seq, sentAt)
}

func identityFrameAt(t *testing.T, seq event.Seq, at time.Time) []byte {
	t.Helper()
	raw, err := frame.Append(nil, &event.Event{
		Kind: event.KindIdentity, Seq: seq,
		DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"), Time: []byte(at.Format(time.RFC3339)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// checkRejects counts kept frames and index lines.
func checkRejects(t *testing.T, dir string, want int) {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(dir, "*.frame"))
	if err != nil || len(kept) < want-1 { // the empty message leaves an empty file or none
		t.Errorf("kept %v, %v", kept, err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.jsonl"))
	if err != nil || strings.Count(string(index), "\n") != want {
		t.Errorf("index (%v):\n%s", err, index)
	}
}
