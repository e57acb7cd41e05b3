package relayserver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// Q4 holds for relays; a recording has no present to begin with.
func TestWholeSendsARecordingToWhoGivesNoCursor(t *testing.T) {
	log := relaytest.Log(t, 1, 3)
	log.End()
	server := relaytest.Start(t, relayserver.Config{Log: log, Whole: true, EndOnEOF: true})
	for query, want := range map[string]string{"": "1 2 3 close 1000", "?cursor=2": "3 close 1000"} {
		if got := strings.Join(said(t, dial(t, server, query), 99), " "); got != want {
			t.Errorf("%q: got %s, want %s", query, got, want)
		}
	}
}

func TestDelaySeesNeighbours(t *testing.T) {
	log := relaytest.Log(t, 1, 4)
	log.End()
	var asked []string
	server := relaytest.Start(t, relayserver.Config{Log: log, Whole: true, EndOnEOF: true,
		Delay: func(last, next []byte) time.Duration {
			asked = append(asked, relaytest.Seq(last).String()+relaytest.Seq(next).String())
			return time.Millisecond
		}})
	if got := strings.Join(said(t, dial(t, server, ""), 99), " "); got != "1 2 3 4 close 1000" {
		t.Errorf("got %s", got)
	}
	server.Close()
	if got := strings.Join(asked, " "); got != "12 23 34" {
		t.Errorf("asked for %s", got)
	}
}
