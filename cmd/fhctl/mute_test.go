package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// endlessAnswer is a host that answers each request with a header that has no
// end; its address is a relay's.
func endlessAnswer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	block := []byte(strings.Repeat("a", 64<<10))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4<<10))
				_, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nX: ")
				for sent := 0; err == nil && sent < 512<<20; sent += len(block) {
					_, err = conn.Write(block)
				}
			}()
		}
	}()
	return "ws://" + listener.Addr().String()
}

// runBounded runs a command to its end and gives what it printed, its exit code
// and its peak memory in KiB, as it was when it was last looked at.
func runBounded(t *testing.T, env []string, args ...string) (output string, code, peak int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, fhctlPath(t), args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for look := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-look.C:
			if kib, alive := residentOf(cmd.Process.Pid); alive {
				peak = max(peak, kib)
			}
			continue
		case <-ended:
			look.Stop()
		}
		if ctx.Err() != nil {
			t.Fatalf("%v did not end: %s", args, lastOf(out.String()))
		}
		return out.String(), cmd.ProcessState.ExitCode(), peak
	}
}

// G5: every command that dials a relay takes a bounded part of an answer that
// never ends.
func TestEveryDialIsBounded(t *testing.T) {
	needsProc(t)
	t.Parallel()
	url := endlessAnswer(t)
	for name, args := range map[string][]string{
		"doctor": {"doctor", "--redis-url=embedded://", "--wait=2s"},
		"tail":   {"tail", "--source=relay", "--limit=1", "--timeout=10s"},
		"record": {"record", "--limit=1", "--timeout=10s", filepath.Join(t.TempDir(), "a.fhz")},
		"replay": {"replay", url, "--to", filepath.Join(t.TempDir(), "b.fhz"), "--timeout=10s"},
		"ingest": {"ingest", "--redis-url=embedded://", "--health-addr=127.0.0.1:0", "--timeout=4s"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code, peak := runBounded(t, []string{"RELAY_URL=" + url}, args...)
			if code == 0 || peak > maxResident || !strings.Contains(out, "256 KiB") {
				t.Errorf("exit %d, %d KiB: %s", code, peak, lastOf(out))
			}
		})
	}
}

// A proxy's refusal is told as the proxy's, in error, log and doctor alike.
func TestProxyIsNamedEverywhere(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	host := strings.TrimPrefix(proxy.URL, "http://")
	env := []string{"RELAY_URL=wss://relay.example", "HTTPS_PROXY=http://me:canary@" + host, "NO_PROXY="}
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"tail":   {[]string{"tail", "--source=relay", "--limit=1"}, 5},
		"record": {[]string{"record", "--limit=1", filepath.Join(t.TempDir(), "a.fhz")}, 5},
		"doctor": {[]string{"doctor", "--redis-url=embedded://"}, 3},
		"ingest": {[]string{"ingest", "--redis-url=embedded://", "--health-addr=127.0.0.1:0", "--timeout=3s"}, 124},
	} {
		t.Run(name, func(t *testing.T) {
			out, code, _ := runBounded(t, env, test.args...)
			if !strings.Contains(out, "via proxy "+host) || !strings.Contains(out, "407") || strings.Contains(out, "canary") || code != test.code {
				t.Errorf("exit %d, want %d: %s", code, test.code, lastOf(out))
			}
		})
	}
	out, code, _ := runBounded(t, []string{"RELAY_URL=wss://relay.example", "ALL_PROXY=socks4://me:canary@" + host, "NO_PROXY="},
		"ingest", "--redis-url=embedded://", "--health-addr=127.0.0.1:0")
	if code != 2 || !strings.Contains(out, "ALL_PROXY") || !strings.Contains(out, `"socks4\"`) && !strings.Contains(out, `"socks4"`) || strings.Contains(out, "canary") {
		t.Errorf("a kind of proxy that is not supported: exit %d: %s", code, lastOf(out))
	}
}

// A running ingest outlives a maintenance page: not ready, one alarm, and on it
// goes when the relay is back. At its start the same answer ends it with 4.
func TestMaintenancePageIsOutlived(t *testing.T) {
	t.Parallel()
	log := relaytest.Log(t, 1, 10)
	server := relaytest.Start(t, relayserver.Config{Log: log})
	var page atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page.Load() {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		forward(w, r, strings.TrimPrefix(server.URL(), "ws://"))
	}))
	t.Cleanup(front.Close)
	url := "ws" + strings.TrimPrefix(front.URL, "http")
	p := start(t, environment(url, "embedded://"), "ingest", "--from=oldest", until(20))
	p.says(`"msg":"Ready"`, 20*time.Second)
	page.Store(true)
	server.Disconnect(0)
	p.says("Alarm: relay_refuses", 20*time.Second)
	if ready := p.metric("fhctl_ready"); ready != "0" {
		t.Errorf("fhctl_ready is %q", ready)
	}
	page.Store(false)
	relaytest.Extend(t, log, 11, 20)
	p.mustExit(0, time.Minute)
	if n := strings.Count(p.output(), "Alarm: relay_refuses"); n != 1 {
		t.Errorf("%d alarms", n)
	}
	page.Store(true)
	again := start(t, environment(url, "embedded://"), "ingest", "--from=oldest")
	again.mustExit(4, 20*time.Second)
}

// forward passes a request and then the connection on to a server.
func forward(w http.ResponseWriter, r *http.Request, addr string) {
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	r.Host = addr
	if r.Write(to) != nil {
		return
	}
	conn, rest, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(to, bufio.NewReader(rest)); to.Close() }()
	_, _ = io.Copy(conn, to)
}

// A relay that goes on sending notices but no event is left, by tail and record
// as by ingest, and what comes on the next connection is taken.
func TestMuteRelayIsLeftByEveryCommand(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"ingest":  {"ingest", "--redis-url=embedded://", "--health-addr=127.0.0.1:0", "--from=oldest", "--until-seq=10"},
		"tail":    {"tail", "--source=relay", "--since=oldest", "--limit=10", "--kind=identity"},
		"record":  {"record", "--from=oldest", "--limit=10", filepath.Join(t.TempDir(), "a.fhz")},
		"endless": {"ingest", "--redis-url=embedded://", "--health-addr=127.0.0.1:0", "--from=oldest", "--until-seq=10"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := "mute"
			if name == "endless" {
				kind = name
			}
			relay := relaytest.Start(t, relayserver.Config{Log: relaytest.Log(t, 1, 10), Faults: relaytest.Faults(t, kind+"@6:1h")})
			out, code, _ := runBounded(t, []string{"RELAY_URL=" + relay.URL(), "FHCTL_IDLE_TIMEOUT=700ms"}, args...)
			if code != 0 || !strings.Contains(out, "no new event arrived within the idle timeout") {
				t.Errorf("exit %d: %s", code, lastOf(out))
			}
		})
	}
}

// --end of tail means that nothing new comes; notices go on for ever.
func TestTailEndsAmongNotices(t *testing.T) {
	t.Parallel()
	log := relaytest.Log(t, 1, 3)
	relay := relaytest.Start(t, relayserver.Config{Log: log, Faults: relaytest.Faults(t, "mute@3:1h")})
	out, code, _ := runBounded(t, []string{"RELAY_URL=" + relay.URL(), "FHCTL_IDLE_TIMEOUT=0"}, "tail", "--source=relay", "--since=oldest", "--end", "--output=json")
	if code != 0 || !strings.Contains(out, `"seq":2`) {
		t.Errorf("exit %d: %s", code, lastOf(out))
	}
}
