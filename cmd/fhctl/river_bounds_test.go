package main

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

const maxResident = 64 << 10 // KiB, guarantee G5

// resident is the peak resident memory of the program, in KiB.
func (p *program) resident() int {
	p.t.Helper()
	kib, alive := residentOf(p.cmd.Process.Pid)
	if !alive {
		p.t.Fatal("the program has ended, or its memory cannot be read")
	}
	return kib
}

func needsProc(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads peak memory from /proc")
	}
	if raceEnabled {
		t.Skip("the race detector multiplies memory")
	}
}

// G5: 64 MiB resident at 10,000 events/s with defaults.
func TestMemoryIsBoundedAtTenThousandEventsPerSecond(t *testing.T) {
	needsProc(t)
	t.Parallel()
	c := newCorpus(t, 30_000)
	server, relay := redistest.Start(t), c.serve(t, "", slow(10_000))
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest")
	eventually(t, time.Minute, func() error { return c.reached(t, server) })
	if kib := p.resident(); kib > maxResident {
		t.Errorf("peak resident memory %d KiB, want at most %d", kib, maxResident)
	}
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
}

// Fault table, "Redis stalled": bounded memory, readiness false, resumes; the
// relay sends as fast as it can meanwhile.
func TestRedisStalledUnderFullLoad(t *testing.T) {
	redistest.RequireReal(t)
	needsProc(t)
	t.Parallel()
	c := newCorpus(t, 20_000)
	server, relay := redistest.Start(t), c.serve(t, "")
	p := start(t, environment(relay.URL(), server.URL()), "ingest", "--from=oldest")
	p.says(`"msg":"Ready"`, 20*time.Second)
	server.Pause()
	p.says("Redis is not available; waiting", 20*time.Second)
	if ready := p.metric("fhctl_ready"); ready != "0" {
		t.Errorf("fhctl_ready is %q while Redis hangs", ready)
	}
	if kib := p.resident(); kib > maxResident {
		t.Errorf("peak resident memory %d KiB, want at most %d", kib, maxResident)
	}
	server.Continue()
	eventually(t, time.Minute, func() error { return c.reached(t, server) })
	p.signal(syscall.SIGTERM)
	p.mustExit(0, 10*time.Second)
	c.check(t, server.Client(), c.last)
}
