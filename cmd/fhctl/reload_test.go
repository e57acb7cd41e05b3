package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// serviceManager is the socket that systemd would give us.
type serviceManager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	dir, err := os.MkdirTemp("", "fhctl") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skipf("no unixgram sockets here: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &serviceManager{t, path, conn}
}

// hears waits for a message that begins so, and gives it.
func (m *serviceManager) hears(prefix string) string {
	m.t.Helper()
	buf := make([]byte, 4096)
	_ = m.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			m.t.Fatalf("never heard %s: %v", prefix, err)
		}
		if text := string(buf[:n]); strings.HasPrefix(text, prefix) {
			return text
		}
	}
}

func settingsFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kept are the events of the corpus up to a seq whose kind is one of kinds.
func (c *corpus) kept(after, upto event.Seq, kinds ...string) (want []wanted) {
	for _, w := range c.want {
		if w.seq > after && w.seq <= upto && slices.Contains(kinds, w.kind) {
			want = append(want, w)
		}
	}
	return want
}

// G1, I9: SIGHUP under load changes the filters at one place in the stream: up
// to the cursor of that moment the former hold, behind it the new, and nothing
// is lost or repeated. Settings that cannot be used change nothing; systemd is
// told of all of it.
func TestSIGHUPChangesFiltersExactly(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 9000)
	server := redistest.Start(t)
	log, rest := c.held(t, c.first+(c.last-c.first)/2)
	relay := c.serve(t, "", slow(3000), func(cfg *relayserver.Config) { cfg.Log = log })
	manager := newServiceManager(t)
	file := settingsFile(t, filepath.Join(t.TempDir(), "fhctl.yaml"), "kind: [commit, account]\n")
	env := append(environment(relay.URL(), server.URL()), "FHCTL_CONFIG="+file, "NOTIFY_SOCKET="+manager.path, "WATCHDOG_USEC=3000000")
	p := start(t, env, "ingest", "--from=oldest", until(c.last))
	manager.hears("READY=1")
	manager.hears("STATUS=ready: ")
	manager.hears("WATCHDOG=1")

	settingsFile(t, file, "kind: [nonsense]\nlog-level: DEBUG\n")
	p.signal(syscall.SIGHUP)
	manager.hears("RELOADING=1\nMONOTONIC_USEC=")
	manager.hears("READY=1")
	p.says("Cannot reload: the former settings stay in force", 20*time.Second)
	if strings.Contains(p.output(), `"level":"DEBUG"`) {
		t.Error("half of what was refused is in force")
	}

	settingsFile(t, file, "kind: [identity, commit]\nlog-level: DEBUG\nbatch-size: 7\n")
	p.signal(syscall.SIGHUP)
	p.says("The cursor's filters were changed, as asked", 20*time.Second)
	rest()
	p.says(`"level":"DEBUG"`, 20*time.Second)
	p.says(`"settings":"batch-size"`, 20*time.Second)
	p.mustExit(0, time.Minute)

	at := turnedAt(t, p.output())
	want := append(c.kept(0, at, "commit", "account"), c.kept(at, c.last, "commit", "identity")...)
	(&corpus{want: want}).check(t, server.Client(), c.last)
	if len(c.kept(0, at, "identity")) == 0 || len(c.kept(at, c.last, "account")) == 0 {
		t.Error("nothing in the corpus tells the filters apart: the test proves nothing")
	}
}

// verify.held is a log of the events up to a seq, and a function that adds the others:
// however slow the machine, there are some left.
func (c *corpus) held(t *testing.T, upto event.Seq) (log *relayserver.MemoryLog, rest func()) {
	t.Helper()
	log = relayserver.NewMemoryLog(0)
	add := func(from, to event.Seq) {
		for from < to {
			seq, frame, err := c.log.Next(t.Context(), from)
			if err == nil {
				err = log.Append(seq, frame)
			}
			if err != nil {
				t.Fatal(err)
			}
			from = seq
		}
	}
	add(0, upto)
	_, last := log.Bounds()
	return log, func() { add(last, c.last) }
}

// I9: of several processes on one stream it is enough to reload one. The others
// find the cursor under other filters, read their settings, which have them too,
// and go on; without a reload nobody takes anything over.
func TestSIGHUPOfOneCarriesTheOthersAlong(t *testing.T) {
	t.Parallel()
	for name, reloaded := range map[string]int{"the first": 0, "the second": 1} {
		t.Run(name, func(t *testing.T) {
			c := newCorpus(t, 3000)
			server := redistest.Start(t)
			log, rest := c.held(t, c.first+(c.last-c.first)/2)
			relay := c.serve(t, "", slow(3000), func(cfg *relayserver.Config) { cfg.Log = log })
			file := settingsFile(t, filepath.Join(t.TempDir(), "fhctl.yaml"), "kind: [commit, account]\n")
			env := append(environment(relay.URL(), server.URL()), "FHCTL_CONFIG="+file)
			var pair [2]*program
			for i := range pair {
				pair[i] = start(t, env, "ingest", "--from=oldest")
				pair[i].says("Connected to firehose successfully", 20*time.Second)
			}
			settingsFile(t, file, "kind: [identity, commit]\n")
			pair[reloaded].signal(syscall.SIGHUP)
			pair[1-reloaded].says("The cursor was taken over by other settings", 20*time.Second)
			rest()
			eventually(t, time.Minute, func() error { return c.reached(t, server) })
			for _, p := range pair {
				p.signal(syscall.SIGTERM)
				p.mustExit(0, time.Minute)
			}
			at := turnedAt(t, pair[0].output()+pair[1].output())
			want := append(c.kept(0, at, "commit", "account"), c.kept(at, c.last, "commit", "identity")...)
			(&corpus{want: want}).check(t, server.Client(), c.last)
		})
	}
}

// G1, I9 for a set: SIGHUP changes the filters of all partitions at one place, also
// when the process is killed in the midst of it and started anew.
func TestSIGHUPOfASetSurvivesAKill(t *testing.T) {
	const n = 4
	c := newCorpus(t, 3000)
	server := redistest.Start(t)
	half := c.want[len(c.want)/2].seq
	log, rest := c.held(t, half)
	relay := c.serve(t, "", func(cfg *relayserver.Config) { cfg.Log = log })
	file := settingsFile(t, filepath.Join(t.TempDir(), "fhctl.yaml"), "kind: [commit, account]\n")
	env := append(partitioned(environment(relay.URL(), server.URL()), n), "FHCTL_CONFIG="+file)
	p := start(t, env, "ingest", "--from=oldest")
	client := server.Client()
	eventually(t, time.Minute, func() error { return reachedSet(t, client, n, half) })
	settingsFile(t, file, "kind: [identity, commit]\n")
	p.signal(syscall.SIGHUP)
	p.says("The cursor's filters were changed, as asked", 20*time.Second)
	p.kill()
	rest()
	start(t, env, "ingest", "--from=oldest", until(c.last)).mustExit(0, time.Minute)
	want := append(c.kept(0, half, "commit", "account"), c.kept(half, c.last, "commit", "identity")...)
	(&corpus{want: want}).checkSet(t, client, n, c.last)
}

// turnedAt is the cursor at which the filters changed, as the log says.
func turnedAt(t *testing.T, log string) event.Seq {
	t.Helper()
	for line := range strings.Lines(log) {
		var said struct{ Msg, Cursor string }
		if json.Unmarshal([]byte(line), &said) == nil && strings.HasPrefix(said.Msg, "The cursor's filters") {
			seq, ok := event.ParseSeq(said.Cursor)
			if !ok {
				t.Fatalf("cursor in %s", line)
			}
			return seq
		}
	}
	t.Fatal("the log does not tell where the filters changed")
	return 0
}

// G1, G2: SIGTERM and a new start, again and again under load, leave neither a
// gap nor a repeat. systemd hears of the stop.
func TestRestartsUnderLoadAreExact(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 9000)
	server := redistest.Start(t)
	relay := c.serve(t, "", slow(4000))
	manager := newServiceManager(t)
	env := append(environment(relay.URL(), server.URL()), "NOTIFY_SOCKET="+manager.path)
	for upto := c.first + 1500; upto < c.last-4000; upto = cursorOf(t, server.Client()) + 1500 {
		p := start(t, env, "ingest", "--from=oldest")
		eventually(t, time.Minute, func() error { return reached(t, server, upto) })
		p.signal(syscall.SIGTERM)
		manager.hears("STOPPING=1")
		p.mustExit(0, 15*time.Second)
	}
	start(t, env, "ingest", "--from=oldest", until(c.last)).mustExit(0, time.Minute)
	c.check(t, server.Client(), c.last)
}

// SIGHUP while Redis is away is no reason to die, and is not forgotten.
func TestSIGHUPBeforeRedisAnswers(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	c := newCorpus(t, 300)
	server := redistest.Start(t)
	server.Kill()
	relay := c.serve(t, "")
	file := settingsFile(t, filepath.Join(t.TempDir(), "fhctl.yaml"), "kind: [commit]\n")
	p := start(t, append(environment(relay.URL(), server.URL()), "FHCTL_CONFIG="+file), "ingest", "--from=oldest", until(c.last))
	p.says("Redis is not available; waiting", 20*time.Second)
	settingsFile(t, file, "kind: [identity]\n")
	p.signal(syscall.SIGHUP)
	p.says(`"msg":"Reloaded"`, 20*time.Second)
	server.Restart()
	p.mustExit(0, time.Minute)
	(&corpus{want: c.kept(0, c.last, "identity")}).check(t, server.Client(), c.last)
}

// ready asks /readyz.
func (p *program) ready() (code int, body string) {
	p.t.Helper()
	_, rest, ok := strings.Cut(p.output(), `"readyz":"`)
	if !ok {
		return 0, "no health address yet"
	}
	url, _, _ := strings.Cut(rest, `"`)
	response, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func (p *program) becomes(want int, meanwhile func()) {
	p.t.Helper()
	eventually(p.t, time.Minute, func() error {
		meanwhile()
		if code, body := p.ready(); code != want {
			return fmt.Errorf("/readyz answers %d, want %d: %s", code, want, body)
		}
		return nil
	})
}

// Readiness is progress: 200 while events are stored, 503 once nothing was for
// the idle time although the relay is there, 200 when they come again.
func TestReadinessFollowsProgress(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 6000)
	server := redistest.Start(t)
	log := relayserver.NewMemoryLog(0)
	relay := c.serve(t, "", func(cfg *relayserver.Config) { cfg.Log = log })
	p := start(t, append(environment(relay.URL(), server.URL()), "FHCTL_IDLE_TIMEOUT=500ms"), "ingest", "--from=oldest")
	at := event.Seq(0)
	more := func() { // events go on coming until they are noticed, however slow the machine
		for range 5 {
			seq, frame, err := c.log.Next(t.Context(), at)
			if err == nil {
				err = log.Append(seq, frame)
			}
			if err != nil {
				t.Fatal(err)
			}
			at = seq
		}
	}
	p.becomes(200, more)
	p.becomes(503, func() {})
	p.becomes(200, more)
	p.becomes(503, func() {})
	eventually(t, time.Minute, func() error { return reached(t, server, at) })
	c.check(t, server.Client(), at)
}
