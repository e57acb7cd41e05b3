package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// What an operator gets wrong ends at once, with one line, a hint and the code
// of docs/exit-codes.md.
func TestIngestRefusals(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	c := newCorpus(t, 10)
	relay := c.serve(t, "")
	const secret = "c4n4ry-of-a-password"
	set := func(pairs ...string) func(*redistest.Server) {
		return func(s *redistest.Server) {
			for i := 0; i < len(pairs); i += 2 {
				s.Client().Set(t.Context(), pairs[i], pairs[i+1], 0)
			}
		}
	}
	withPassword := []string{"--requirepass", secret}
	for name, k := range map[string]struct {
		server  []string
		prepare func(*redistest.Server)
		url     func(string) string
		code    int
		says    string
	}{
		"wrong password": {server: withPassword, code: 5, says: "WRONGPASS",
			url: func(url string) string { return strings.Replace(url, "redis://", "redis://:"+secret+"x@", 1) }},
		"no password":        {server: withPassword, code: 5, says: "NOAUTH"},
		"stream is a string": {prepare: set("firehose:events", "x"), code: 8, says: "firehose:events is not a stream"},
		"bridge's cursor":    {prepare: set("firehose:python_cursor", "7000"), code: 6, says: "bsky.network"},
		"another relay's cursor": {prepare: set("firehose:python_cursor", "7000",
			"firehose:python_cursor:meta", `{"relay":"other.example","filter":"none","partitions":1}`), code: 6, says: "other.example"},
		"cursor is garbage": {prepare: set("firehose:python_cursor", "7000x"), code: 6, says: "firehose:python_cursor"},
		"evicting Redis":    {server: []string{"--maxmemory-policy", "allkeys-lru"}, code: 2, says: "--allow-eviction"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, k.server...)
			if k.prepare != nil {
				k.prepare(server)
			}
			url := server.URL()
			if k.url != nil {
				url = k.url(url)
			}
			p := start(t, environment(relay.URL(), url), "ingest")
			p.mustExit(k.code, 10*time.Second)
			out := p.output()
			if !contains(out, "fhctl: ") || !contains(out, "hint: ") || !contains(out, k.says) {
				t.Errorf("says\n%s", out)
			}
			if contains(out, secret) {
				t.Errorf("the password is in the output:\n%s", out)
			}
			if contains(out, "Reloaded") || contains(out, "taken over") {
				t.Errorf("nobody took anything over, and nothing was reloaded:\n%s", out)
			}
		})
	}
}

// What may pass is waited for, visibly, and stopping meanwhile is clean.
func TestIngestWaitsVisibly(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 10)
	relay, server := c.serve(t, ""), redistest.Start(t)
	for name, k := range map[string]struct{ relay, redis, says string }{
		"relay unreachable": {"ws://127.0.0.1:1", server.URL(), "Cannot connect to the relay"},
		"Redis unreachable": {relay.URL(), "redis://127.0.0.1:1", "Redis is not available; waiting"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, environment(k.relay, k.redis), "ingest")
			p.says(k.says, 10*time.Second)
			p.signal(syscall.SIGTERM)
			p.mustExit(0, 10*time.Second)
			p.says(`"msg":"Stopped","cursor":"none","stored":0`, 0)
		})
	}
}

// Q6, fault table: a cursor the relay does not know, announced or not, is held
// and reported; the process stays up and an operator's new cursor frees it.
func TestFutureCursorIsHeld(t *testing.T) {
	for name, change := range map[string]func(*relayserver.Config){
		"announced": func(*relayserver.Config) {},
		"silent":    func(cfg *relayserver.Config) { cfg.FutureGoesLive = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCorpus(t, 300)
			server, relay := redistest.Start(t), c.serve(t, "", change)
			env := environment(relay.URL(), server.URL())
			p := start(t, env, "ingest", "--from=oldest", until(c.last-100))
			p.mustExit(0, 20*time.Second)
			start(t, env, "cursor", "set", (c.last+1_000_000).String(), "--yes", "--force").mustExit(0, 10*time.Second)

			p = start(t, env, "ingest", "--from=oldest")
			p.says("Connected to firehose successfully", 10*time.Second)
			stop := make(chan struct{})
			defer close(stop)
			if name == "silent" {
				go c.extend(t, stop) // live events, all below the cursor
			}
			p.says("Waiting for an operator", 20*time.Second)
			if got := p.metric("fhctl_relay_held"); got != "1" {
				t.Errorf("fhctl_relay_held is %q", got)
			}
			stored := c.want[len(c.want)-150].seq
			start(t, env, "cursor", "set", stored.String(), "--yes").mustExit(0, 10*time.Second)
			eventually(t, 30*time.Second, func() error {
				if got := cursorOf(t, server.Client()); got < c.last || got > c.last+100_000 {
					return fmt.Errorf("cursor %s, want at least %s", got, c.last)
				}
				return nil
			})
			if contains(p.output(), "Alarm: cursor_conflict") {
				t.Errorf("what the operator was told to do is an alarm:\n%s", p.output())
			}
			p.signal(syscall.SIGTERM)
			p.mustExit(0, 10*time.Second)
		})
	}
}

// extend appends live frames until stop closes.
func (c *corpus) extend(t *testing.T, stop chan struct{}) {
	next := c.last
	for {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		next++
		if err := c.log.Append(next, identityFrame(t, next)); err != nil {
			return
		}
	}
}

// Rejected frames are counted by reason and kept, their neighbours stored.
func TestRejectsAreCountedAndKept(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 2000)
	dir := t.TempDir() + "/rejects"
	gate := newGate(c.log)
	server, relay := redistest.Start(t), c.serve(t, "", func(cfg *relayserver.Config) { cfg.Log = gate })
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest", "--rejects="+dir)
	// One after the other: garbage ends the connection, with what was sent behind it.
	for i, kind := range []string{"garbage", "text", "empty"} {
		upto := c.want[300*(i+1)].seq
		gate.open(upto)
		eventually(t, time.Minute, func() error { return reached(t, server, upto) })
		if err := relay.Inject(relayserver.Fault{Kind: kind, At: relay.Sent() + 1}); err != nil {
			t.Fatal(err)
		}
	}
	gate.open(c.last)
	eventually(t, 30*time.Second, func() error { return c.reached(t, server) })
	for _, reason := range []string{"text", "empty"} {
		if got := p.metric(`fhctl_rejected_total{reason="` + reason + `"}`); got != "1" {
			t.Errorf("%s was counted %q times", reason, got)
		}
	}
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
	c.check(t, server.Client(), c.last)
	checkRejects(t, dir, 3)
}
