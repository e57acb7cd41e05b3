// Package bench is the command "bench": it measures decoding, and the whole of ingest.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// benchOptions are what both kinds of measurement take.
type benchOptions struct {
	input  string
	frames int
	events int64
	into   string
	format *shell.Format
}

// Bounds of a measurement: what is read is held in memory, a run must end.
const (
	maxBenchFrames = 100_000
	maxBenchBytes  = 64 << 20
)

// Command is "fhctl bench".
func Command(a *shell.Env) *cobra.Command {
	cmd := shell.NewFamily("bench", "Measure what this machine can carry", newBenchDecodeCommand(a), newBenchIngestCommand(a))
	cmd.Long = `Measure how fast this machine decodes a relay's events and carries them into
Redis, to know how large a machine must be. The events are the simulator's or a
recording of yours; the figures are of this moment and this machine, so run it
several times, with nothing else running, and compare only what ran together.`
	cmd.GroupID = shell.GroupAbout
	cmd.Example = `  fhctl bench decode
  fhctl bench ingest --into redis://localhost:6379`
	return cmd
}

func newBenchDecodeCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "decode", Short: "Measure decoding alone, on one core", Args: shell.AtMost(0),
		Long: `Decode frames from memory on one core, again and again: CBOR, CAR, the hash of
every block used, and the JSON that consumers get, with every check that ingest
makes. As few frames as the default stay in a core's cache, like those that ingest
has just read from its socket; with --frames 2000 memory is measured as well.`,
		Example: `  fhctl bench decode
  fhctl bench decode --input capture:run.fhz --events 5000000 -o json`,
	}
	o := addBenchFlags(cmd, 150, 2_000_000)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, _ *config.Config, _ []string) error {
		return benchDecode(ctx, env, o)
	})
	return cmd
}

func newBenchIngestCommand(a *shell.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ingest", Short: "Measure the way from a socket into Redis", Args: shell.AtMost(0),
		Long: `Serve events from this process over a loopback socket and ingest them, as fhctl
ingest does, into a Redis: the one in this process, or the one that --into names.
There it writes keys of its own, {fhctl:bench:PID}:…, and deletes them in the end;
the stream, cursor and dashboard of others are not touched. The figures include the
serving relay and, with embedded://, Redis: real ones run elsewhere.`,
		Example: `  fhctl bench ingest
  fhctl bench ingest --into redis://localhost:6379 --events 2000000 -o json
  fhctl bench ingest --decoders 2 --batch-size 1000`,
	}
	o := addBenchFlags(cmd, 2000, 200_000)
	cmd.Flags().StringVar(&o.into, "into", "embedded://", "Redis `URL` to write to; its own keys are deleted again")
	shell.AddSettings(cmd, config.GroupFlow)
	cmd.RunE = a.With(func(ctx context.Context, env *shell.Env, cfg *config.Config, _ []string) error {
		return benchIngest(ctx, env, cfg, o)
	})
	return cmd
}

func addBenchFlags(cmd *cobra.Command, frames int, events int64) *benchOptions {
	o := &benchOptions{format: shell.AddFormat(cmd)}
	flags := cmd.Flags()
	flags.StringVar(&o.input, "input", "sim://", "take frames from `WHERE`: sim://… or capture:FILE")
	flags.IntVar(&o.frames, "frames", frames, "hold the first `N` of them in memory, 64 MiB at most, and repeat these")
	flags.Int64Var(&o.events, "events", events, "measure `N` events")
	shell.Positive(flags, "frames", "events")
	return o
}

func (o *benchOptions) check() error {
	if o.frames > maxBenchFrames {
		return shell.UsageError(fmt.Errorf("flag --frames: %d is more than %d", o.frames, maxBenchFrames), "leave it out")
	}
	return o.format.Check()
}

// load reads the frames to repeat.
func (o *benchOptions) load(ctx context.Context) ([][]byte, error) {
	log, closeLog, err := o.open()
	if err != nil {
		return nil, err
	}
	defer closeLog()
	var frames [][]byte
	var seq event.Seq
	for size := 0; len(frames) < o.frames && size < maxBenchBytes; {
		next, data, err := log.Next(ctx, seq)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read frames to measure with: %w", err)
		}
		frames, seq, size = append(frames, data), next, size+len(data)
	}
	if len(frames) == 0 {
		return nil, shell.UsageError(errors.New("flag --input: no frame in "+o.input), "record some: fhctl record --limit 2000 run.fhz")
	}
	return frames, nil
}

func (o *benchOptions) open() (relayserver.Log, func(), error) {
	if e, err := endpoint.ParseRelay(o.input, false); err == nil && e.Kind != endpoint.Real {
		e.Series.Rate = 0 // as fast as they are read
		return e.Open()
	} else if strings.HasPrefix(o.input, "sim:") {
		return nil, nil, err
	}
	return nil, nil, shell.UsageError(fmt.Errorf("flag --input: %q is neither sim:// nor capture:FILE", o.input), "record a relay first: fhctl record run.fhz")
}

// benchReport is what fhctl bench -o json prints; docs/json.md.
type benchReport struct {
	V                int     `json:"v"`
	Command          string  `json:"command"`
	Input            string  `json:"input"`
	Redis            string  `json:"redis,omitempty"`
	CPUs             int     `json:"cpus"`
	Frames           int     `json:"frames"`
	Events           int64   `json:"events"`
	Rejected         int64   `json:"rejected"`
	Seconds          float64 `json:"seconds"`
	EventsPerSecond  float64 `json:"eventsPerSecond"`
	CPUMicrosPerItem float64 `json:"cpuMicrosecondsPerEvent"`
	BytesPerFrame    float64 `json:"bytesPerFrame"`
	BytesPerEntry    float64 `json:"bytesPerEntry"`
	AllocsPerEvent   float64 `json:"allocationsPerEvent"`
	PeakMemory       int64   `json:"peakMemoryBytes"`
}

// stopwatch measures what the process spends on a run.
type stopwatch struct {
	began   time.Time
	cpu     time.Duration
	mallocs uint64
}

func startWatch() stopwatch {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, _ := processUse()
	return stopwatch{began: time.Now(), cpu: cpu, mallocs: m.Mallocs}
}

// stop fills in what a run of r.Events has cost.
func (w stopwatch) stop(r *benchReport) {
	took := time.Since(w.began)
	cpu, peak := processUse()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	n := float64(r.Events)
	r.V, r.CPUs, r.PeakMemory = 1, runtime.GOMAXPROCS(0), peak
	r.Seconds, r.EventsPerSecond = took.Seconds(), n/took.Seconds()
	r.CPUMicrosPerItem = float64((cpu - w.cpu).Nanoseconds()) / 1e3 / n
	r.AllocsPerEvent = float64(m.Mallocs-w.mallocs) / n
}

func printBench(env *shell.Env, o *benchOptions, r *benchReport) error {
	return o.format.Write(env.Out, r, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, `input       %s, %d frames of %.0f bytes
events      %d in %.2f s on %d CPUs, %d rejected
speed       %.0f events/s
CPU         %.2f µs per event
allocations %.3f per event
peak memory %.1f MiB of the whole process
`, r.Input, r.Frames, r.BytesPerFrame, r.Events, r.Seconds, r.CPUs, r.Rejected, r.EventsPerSecond, r.CPUMicrosPerItem, r.AllocsPerEvent, float64(r.PeakMemory)/(1<<20))
		return err
	})
}
