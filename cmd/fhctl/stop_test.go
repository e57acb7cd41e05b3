package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// G6: what a stop interrupts is no trouble with Redis or the relay, and a log that
// says so at each restart is not read when there is some.
func TestCleanStopsLogNothingAboveInfo(t *testing.T) {
	t.Parallel()
	redistest.RequireReal(t)
	c := newCorpus(t, 300)
	relay := c.serve(t, "")
	server := redistest.Start(t, "--appendonly", "yes")
	for i := range 5 {
		p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest")
		p.says("Connected to firehose successfully", time.Minute)
		eventually(t, time.Minute, func() error {
			if status := fmt.Sprint(server.Do("get", "firehose:status")); !strings.Contains(status, `"connected":true`) {
				return fmt.Errorf("status: %s", status)
			}
			return nil
		})
		p.signal([]syscall.Signal{syscall.SIGTERM, syscall.SIGINT}[i%2])
		p.mustExit(0, 10*time.Second)
		for line := range strings.Lines(p.output()) {
			if !strings.Contains(line, `"level":"INFO"`) {
				t.Errorf("stop %d: %s", i+1, line)
			}
		}
		if status := fmt.Sprint(server.Do("get", "firehose:status")); !strings.Contains(status, `"stopped":true`) {
			t.Errorf("stop %d: last status %s", i+1, status)
		}
	}
}
