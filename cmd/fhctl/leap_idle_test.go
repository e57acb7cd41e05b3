package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// fhctl asks about a seq that is far above the others before the relay's silence ends
// the connection, however short the time for that is: else no connection would ever
// have said anything, and the event would never be stored (Q2).
func TestLeapBeforeSilenceIsStored(t *testing.T) {
	t.Parallel()
	const n, leap = 50, 1_000_000
	log := relayserver.NewMemoryLog(0)
	for seq := event.Seq(1); seq <= n+1; seq++ {
		at := seq
		if seq > n {
			at += leap
		}
		if err := log.Append(at, relaytest.Identity(at)); err != nil {
			t.Fatal(err)
		}
	}
	relay := relaytest.Start(t, relayserver.Config{Log: log})
	for _, idle := range []string{"400ms", "1s"} {
		t.Run(idle, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			env := append(environment(relay.URL(), server.URL()), "FHCTL_IDLE_TIMEOUT="+idle)
			p := start(t, env, "ingest", "--from=oldest")
			eventually(t, time.Minute, func() error { return reached(t, server, n+1+leap) })
			out, code, _ := runBounded(t, env, "tail", "--source=relay", "--since=oldest", "--limit="+strconv.Itoa(n+1))
			if code != 0 {
				t.Errorf("tail ends with %d:\n%s", code, out)
			}
			p.kill()
		})
	}
}
