package bench

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// BenchmarkIngest runs ingest as users do, a process of its own with health page,
// metrics and dashboard keys, between a relay that costs next to nothing and a
// real Redis. BENCH_EVENTS says how many events, 100,000 unless told; BENCH_RATE
// how many a second, as fast as they are taken unless told.
//
// The memory is the most that was ever resident, in all and when a tenth of the
// time that it took had passed: where these differ, it grows.
func BenchmarkIngest(b *testing.B) {
	redistest.RequireReal(b)
	server, program := redistest.Start(b), build(b)
	events, rate := number(b, "BENCH_EVENTS", 100_000), number(b, "BENCH_RATE", 0)
	frames := simulated(b, 300)
	var total, used time.Duration
	var peaks []float64
	for b.Loop() {
		server.Do("flushall")
		url := ""
		if rate > 0 {
			url, _ = trickle(b, frames, rate, events)
		} else {
			url = startBlast(b, frames, events).url()
		}
		began := time.Now()
		cpu, seen := ingest(b, program, url, server.URL(), events)
		total, used, peaks = total+time.Since(began), used+cpu, seen
	}
	n := float64(b.N * events)
	b.ReportMetric(n/total.Seconds(), "events/s")
	b.ReportMetric(float64(used.Microseconds())/n, "cpu-us/event")
	b.ReportMetric(100*used.Seconds()/total.Seconds(), "%cpu")
	b.ReportMetric(peaks[len(peaks)/10], "MiB-at-a-tenth")
	b.ReportMetric(peaks[len(peaks)-1], "MiB-peak")
	b.ReportMetric(0, "ns/op")
}

// ingest runs the program to its end and gives what CPU time it took, and its
// peak memory in MiB as it was at even intervals.
func ingest(b *testing.B, program, relayURL, redisURL string, events int) (cpu time.Duration, peaks []float64) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, "ingest", "--from", "oldest", "--until-seq", strconv.Itoa(firstSeq+events-1))
	cmd.Env = append(os.Environ(), "RELAY_URL="+relayURL, "REDIS_URL="+redisURL, "FHCTL_HEALTH_ADDR=127.0.0.1:0", "LOG_LEVEL=ERROR")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil || len(peaks) == 0 {
				b.Fatalf("ingest: %v, looked at %d times", err, len(peaks))
			}
			return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peaks
		case <-look.C:
			if peak, ok := peakMemory(cmd.Process.Pid); ok {
				peaks = append(peaks, peak)
			}
		}
	}
}

// peakMemory is the most that was ever resident of a process, in MiB. What wait
// reports would hold the memory of the process that started it as well.
func peakMemory(pid int) (mib float64, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib := 0
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, false
	}
	return float64(kib) / 1024, true
}

// number is a variable of the environment, or what it is unless told.
func number(b *testing.B, name string, unlessTold int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return unlessTold
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return n
}
