package bench

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/sim"
)

// BenchmarkShell runs the commands that read a whole stream, as processes, and
// a bare go-redis client that pages through it with XRANGE and looks at nothing,
// all in turn. BENCH_EVENTS says how many events; 100,000 unless told.
func BenchmarkShell(b *testing.B) {
	redistest.RequireReal(b)
	server, events := redistest.Start(b), number(b, "BENCH_EVENTS", 100_000)
	program := build(b)
	entries := fill(b, program, server, events)
	commands := map[string][]string{
		"tail":   {"tail", "--end", "-o", "json"},
		"verify": {"verify"},
		"replay": {"replay", "stream", "-"},
		"stats":  {"stream", "stats"},
	}
	best := map[string]time.Duration{}
	timed := func(name string, run func() error) {
		began := time.Now()
		if err := run(); err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		if took := time.Since(began); best[name] == 0 || took < best[name] {
			best[name] = took
		}
	}
	for b.Loop() {
		timed("bare", func() error { return bareRange(b.Context(), server.URL()) })
		for name, args := range commands {
			timed(name, func() error {
				cmd := exec.CommandContext(b.Context(), program, args...)
				cmd.Env = append(os.Environ(), "REDIS_URL="+server.URL())
				cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
				return cmd.Run()
			})
		}
	}
	for name, took := range best {
		b.ReportMetric(float64(entries)/took.Seconds(), name+"-entries/s")
		if name != "bare" {
			b.ReportMetric(float64(best["bare"])/float64(took), name+"-of-bare")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// build makes the program as a release does.
func build(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "fhctl")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/fhctl")
	cmd.Dir, cmd.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// fill carries events of the simulator into the stream with ingest and says how
// many entries they made.
func fill(b *testing.B, program string, server *redistest.Server, events int) (entries int) {
	b.Helper()
	s, err := sim.New(sim.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var last event.Seq
	for range events {
		if last, _, err = s.Next(b.Context(), last); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.CommandContext(b.Context(), program, "ingest", "--relay-url", "sim://?rate=0", "--from", "oldest", "--until-seq", last.String(), "--max-stream-len", "0")
	cmd.Env = append(os.Environ(), "REDIS_URL="+server.URL(), "FHCTL_HEALTH_ADDR=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("fill: %v\n%s", err, out)
	}
	return int(server.Do("xlen", "firehose:events").(int64))
}

// bareRange pages through the stream, a thousand entries at a time.
func bareRange(ctx context.Context, url string) error {
	options, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	client := redis.NewClient(options)
	defer client.Close()
	for from := "-"; ; {
		page, err := client.XRangeN(ctx, "firehose:events", from, "+", 1000).Result()
		if err != nil || len(page) == 0 {
			return err
		}
		from = "(" + page[len(page)-1].ID
	}
}
