package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// A time limit that passes says what was waited for: who set it looks there next.
func TestTimeoutTellsWhatItWaitedFor(t *testing.T) {
	redistest.RequireReal(t)
	t.Parallel()
	secure := strings.Replace(redistest.Start(t).URL(), "redis://", "rediss://", 1)
	mute := silentListener(t)
	through := "HTTPS_PROXY=http://" + mute
	for _, c := range []struct {
		env  []string
		args []string
		says []string
	}{
		{nil, []string{"cursor", "get", "--redis-url", secure}, []string{"does not speak TLS", "hint:"}},
		{nil, []string{"ingest", "--relay-url=sim://", "--redis-url", secure}, []string{"does not speak TLS"}},
		{nil, []string{"cursor", "get", "--redis-url", "rediss://" + mute}, []string{"TLS handshake with " + mute}},
		{nil, []string{"cursor", "get", "--redis-url", "redis://" + mute}, []string{"connect to Redis"}},
		{[]string{through}, []string{"tail", "--source=relay", "--relay-url=wss://relay.example"}, []string{"via proxy " + mute}},
		{[]string{through}, []string{"ingest", "--redis-url=embedded://127.0.0.1:0", "--relay-url=wss://relay.example"}, []string{"via proxy " + mute}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"FHCTL_HEALTH_ADDR=off"}, c.env...), append(c.args, "--timeout=3s")...)
			p.exit(20 * time.Second)
			for _, said := range c.says {
				if !contains(p.output(), said) {
					t.Errorf("nothing about %q in\n%s", said, p.output())
				}
			}
		})
	}
}

// silentListener accepts connections and says nothing.
func silentListener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return l.Addr().String()
}
