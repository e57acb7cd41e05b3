package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// soakFor reads FHCTL_SOAK: a duration, or 1 for the usual half hour.
func soakFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("FHCTL_SOAK")
	switch text {
	case "":
		t.Skip("a long run: FHCTL_SOAK=30m go test ./cmd/fhctl -run '^TestSoak$' -v -timeout 0")
	case "1":
		return 30 * time.Minute
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("FHCTL_SOAK is not a duration, such as 30m: %v", err)
	}
	return d
}

const soakRate = 5000 // events a second

// TestSoak runs the program against a relay and a Redis that break every few
// seconds, each in another way, while a consumer group reads the stream and
// checks every entry as it comes (G1 to G6). docs/reliability.md quotes the
// line it ends with.
func TestSoak(t *testing.T) {
	length := soakFor(t)
	redistest.RequireReal(t)
	needsProc(t)
	s := newSoak(t)
	s.ingest()
	s.faultsUntil(time.Now().Add(length))
	s.finish(length)
}

type soak struct {
	t      *testing.T
	binary string
	rng    *rand.Rand
	log    *endlessLog
	relay  *relayserver.Server
	server *redistest.Server
	proxy  *redistest.Proxy
	client *redis.Client
	reader *soakReader
	memory *memoryWatch

	running []*program // one, or two while one takes over
	ended   []*program
	struck  map[string]int
}

func newSoak(t *testing.T) *soak {
	log := newEndlessLog(t, soakRate)
	relay, err := relayserver.Start(relayserver.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	s := &soak{
		t: t, binary: buildFhctl(t), rng: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)), log: log, relay: relay, server: server,
		proxy: redistest.NewProxy(t, server.Addr()), client: server.Client(), struck: map[string]int{},
	}
	s.reader = newSoakReader(t, s.client, log)
	s.memory = watchMemory(t)
	return s
}

// buildFhctl makes the binary that people run: this test binary is larger, and
// so is its memory.
func buildFhctl(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fhctl")
	build := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build fhctl: %v\n%s", err, out)
	}
	return path
}

// ingest starts the program; where it begins is the same every time.
func (s *soak) ingest() {
	env := append(environment(s.relay.URL(), s.proxy.URL()), "REDIS_MAX_STREAM_LEN=100000")
	p := startAs(s.t, s.binary, env, "ingest", "--from=oldest")
	s.running = append(s.running, p)
	s.memory.follow(p.cmd.Process.Pid)
}

// soakFault is one way to break something. It may take a while, and returns
// once the thing that broke is whole again; others may still feel it.
type soakFault struct {
	name   string
	strike func(*soak)
}

func soakFaults() []soakFault {
	faults := []soakFault{
		{"ingest kill -9", func(s *soak) { s.running[0].kill(); s.replace() }},
		{"ingest SIGTERM", func(s *soak) {
			s.running[0].signal(syscall.SIGTERM)
			s.running[0].mustExit(0, 15*time.Second)
			s.replace()
		}},
		{"ingest SIGSTOP", func(s *soak) {
			s.running[0].signal(redistest.SignalStop)
			time.Sleep(s.upTo(3 * time.Second))
			s.running[0].signal(redistest.SignalContinue)
		}},
		{"ingest taken over", (*soak).takeOver},
		{"redis kill -9", func(s *soak) { s.crash(0) }},
		{"redis rolled back", func(s *soak) { s.crash(64<<10 + s.rng.Int64N(4<<20)) }},
		{"redis SIGSTOP", func(s *soak) {
			s.server.Pause()
			time.Sleep(s.upTo(4 * time.Second))
			s.server.Continue()
		}},
		{"script flush", func(s *soak) { s.server.Do("script", "flush") }},
		{"cursor deleted", func(s *soak) { s.server.Do("del", "firehose:python_cursor") }},
		{"network cut", func(s *soak) { s.proxy.Cut() }},
		{"network stalled", func(s *soak) {
			s.proxy.Stall(true)
			time.Sleep(s.upTo(4 * time.Second))
			s.proxy.Stall(false)
		}},
		{"replies lost", func(s *soak) { s.proxy.LoseReplies(1 + s.rng.IntN(3)) }},
		{"redis refused", func(s *soak) {
			s.proxy.Refuse(true)
			s.proxy.Cut()
			time.Sleep(s.upTo(2 * time.Second))
			s.proxy.Refuse(false)
		}},
	}
	for _, word := range []string{
		"drop", "reset", "cut", "stall:2s", "repeat:500", "regress:700", "text", "empty", "garbage:64", "unknown",
		"info", "error", "close:1012", "oversize", "http:502", "http:429/1",
	} {
		kind, arg, _ := strings.Cut(word, ":")
		faults = append(faults, soakFault{"relay " + word, func(s *soak) {
			if err := s.relay.Inject(relayserver.Fault{Kind: kind, Arg: arg, At: s.relay.Sent() + 1}); err != nil {
				s.t.Fatal(err)
			}
		}})
	}
	return faults
}

func (s *soak) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d))) }

// replace starts the program again after the first of those running has ended.
func (s *soak) replace() {
	s.ended = append(s.ended, s.running[0])
	s.running = s.running[1:]
	s.ingest()
}

// takeOver lets a second program join and kills the first.
func (s *soak) takeOver() {
	s.ingest()
	s.running[1].says("Connected to firehose successfully", time.Minute)
	s.running[0].kill()
	s.ended = append(s.ended, s.running[0])
	s.running = s.running[1:]
}

// crash kills Redis and takes the end of its append-only file away. Nobody may
// write before the reader has seen how far that took the stream back.
func (s *soak) crash(lose int64) {
	s.reader.hold()
	s.proxy.Refuse(true)
	s.proxy.Cut()
	s.server.Kill()
	if lose > 0 {
		cutLog(s.t, s.server.Dir(), lose)
	}
	s.server.Restart()
	s.reader.release()
	s.proxy.Refuse(false)
}

// cutLog shortens the newest append-only file, most often within a command.
func cutLog(t *testing.T, dir string, lose int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no append-only file in %s: %v", dir, err)
	}
	newest := slices.MaxFunc(files, func(a, b string) int { return rewrite(a) - rewrite(b) })
	info, err := os.Stat(newest)
	if err == nil {
		err = os.Truncate(newest, max(info.Size()-lose, info.Size()/2))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rewrite is the number in an append-only file's name, as in
// appendonly.aof.12.incr.aof.
func rewrite(file string) (n int) {
	_, _ = fmt.Sscanf(filepath.Base(file), "appendonly.aof.%d.incr.aof", &n)
	return n
}

// faultsUntil strikes with every kind in turn, in an order that changes each
// round.
func (s *soak) faultsUntil(end time.Time) {
	faults := soakFaults()
	pause := 3 * time.Second
	if short := time.Until(end) / time.Duration(len(faults)+1); short < pause {
		pause = max(short, 300*time.Millisecond) // a trial of the harness
	}
	for round := 0; ; round++ {
		s.rng.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		for _, f := range faults {
			time.Sleep(pause/2 + s.upTo(pause))
			if time.Now().After(end) {
				return
			}
			before := s.memory.peak()
			s.reader.name(f.name)
			f.strike(s)
			s.struck[f.name]++
			if now := s.memory.peak(); now > before {
				s.t.Logf("peak memory rises to %.1f MiB at or before: %s", float64(now)/1024, f.name)
			}
			s.reader.must(s.t)
		}
	}
}

// finish lets the stream catch up, stops the program and gives the figures.
func (s *soak) finish(length time.Duration) {
	t := s.t
	total := s.log.end()
	eventually(t, 3*time.Minute, func() error { return s.reader.reached(total) })
	s.running[0].signal(syscall.SIGTERM)
	s.running[0].mustExit(0, 15*time.Second)
	s.ended = append(s.ended, s.running[0])
	if got, want := cursorOf(t, s.client), s.log.seq(total-1); got != want {
		t.Errorf("cursor %s at the end, want %s", got, want)
	}
	faults, kinds := 0, make([]string, 0, len(s.struck))
	for name, n := range s.struck {
		faults += n
		kinds = append(kinds, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(kinds)
	r := s.reader.figures()
	t.Logf("faults: %s", strings.Join(kinds, ", "))
	t.Logf("alarms raised: %s", strings.Join(s.alarms(), ", "))
	t.Logf("soak: %s at %d events/s: %d events, %d faults of %d kinds; lost %d, twice %d, damaged %d; read again after Redis went back %d; peak memory of ingest %.1f MiB; longest pause %.1f s (%s)",
		length, soakRate, r.events, faults, len(kinds), r.lost, r.twice, r.damaged, r.again, float64(s.memory.peak())/1024, r.pause.Seconds(), r.during)
	s.judge(r, length)
}

func (s *soak) judge(r soakFigures, length time.Duration) {
	t := s.t
	if r.lost+r.twice+r.damaged > 0 {
		t.Errorf("the stream is not exact: lost %d, twice %d, damaged %d; first: %s", r.lost, r.twice, r.damaged, r.first)
	}
	if kib := s.memory.peak(); kib > maxResident {
		t.Errorf("peak resident memory %d KiB, want at most %d", kib, maxResident)
	}
	injected := s.relay.Injected()
	if s.struck["redis rolled back"] > 0 && r.again == 0 {
		t.Error("Redis was rolled back, but nothing was lost by it: nothing was proved")
	}
	for name, n := range s.struck {
		kind, ok := strings.CutPrefix(name, "relay ")
		kind, _, _ = strings.Cut(kind, ":")
		if ok && injected[kind] < n {
			t.Errorf("the relay was to %s %d times and did %d times", kind, n, injected[kind])
		}
	}
	if length >= 5*time.Minute && len(s.struck) < len(soakFaults()) {
		t.Errorf("only %d of %d kinds of fault struck", len(s.struck), len(soakFaults()))
	}
}

// alarms counts what the program raised, by the log's words.
func (s *soak) alarms() []string {
	counts := map[string]int{}
	for _, p := range s.ended {
		for _, part := range strings.Split(p.output(), `"Alarm: `)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			counts[name]++
		}
	}
	var words []string
	for name, n := range counts {
		words = append(words, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(words)
	return words
}

// memoryWatch keeps the highest resident memory of any process it was told of.
type memoryWatch struct {
	pids chan int
	ask  chan chan int
}

func watchMemory(t *testing.T) *memoryWatch {
	w := &memoryWatch{pids: make(chan int), ask: make(chan chan int)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func (w *memoryWatch) follow(pid int) { w.pids <- pid }

// peak is in KiB.
func (w *memoryWatch) peak() int {
	answer := make(chan int)
	w.ask <- answer
	return <-answer
}

func (w *memoryWatch) run(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	peak, pids := 0, []int(nil)
	for {
		select {
		case <-ctx.Done():
			return
		case pid := <-w.pids:
			pids = append(pids, pid)
		case answer := <-w.ask:
			answer <- peak
		case <-tick.C:
			pids = slices.DeleteFunc(pids, func(pid int) bool {
				kib, alive := residentOf(pid)
				peak = max(peak, kib)
				return !alive
			})
		}
	}
}

// residentOf is the peak resident memory of a process, in KiB.
func residentOf(pid int) (kib int, alive bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	if found {
		_, err = fmt.Sscan(rest, &kib)
	}
	return kib, err == nil
}
