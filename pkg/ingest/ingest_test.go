package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/ingest"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/rejects"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
	"github.com/fhctl/fhctl/pkg/sim"
)

// between is a run from a relay into a Redis, from the oldest event on.
func between(relayURL, redisURL string) (ingest.Config, error) {
	endpoint, err := relay.ParseURL(relayURL, false)
	return ingest.Config{
		RelayURL: relayURL,
		Source: func(heard event.Observer, _ func(error)) (pipeline.FrameSource, error) {
			return relay.New(relay.Config{Endpoint: endpoint, Notify: heard.Link, BackoffMin: time.Millisecond}), nil
		},
		Sink: redisstream.Config{
			Connection: conn.Connection{URL: redisURL}, StreamKey: "events", CursorKey: "cursor",
			Identity: redisstream.Identity{Relay: "relay.example"}, Writer: "example",
			From: redisstream.From{Requested: true, At: event.Position{Start: event.Oldest}},
		},
		Logger: slog.New(slog.DiscardHandler),
	}, err
}

// The events of a simulated relay, up to a seq, are carried into a Redis that lives in
// this process.
func Example() {
	traffic, err := sim.New(sim.Config{Count: 300})
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()
	server, err := relayserver.Start(relayserver.Config{Log: traffic})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	redis, err := embedded.Start("")
	if err != nil {
		log.Fatal(err)
	}
	defer redis.Close()

	cfg, err := between(server.URL(), redis.URL())
	if err != nil {
		log.Fatal(err)
	}
	cfg.Pipeline.UntilSeq = 7000000123
	summary, err := ingest.Run(context.Background(), cfg)
	fmt.Println("stored up to", summary.Cursor, err)
	// Output: stored up to 7000000123 <nil>
}

// testRun is a run between a log of the seqs 1 to last and a Redis.
func testRun(t *testing.T, last event.Seq) (ingest.Config, *redistest.Server, *relayserver.MemoryLog) {
	t.Helper()
	events := relaytest.Log(t, 1, last)
	server := redistest.Start(t)
	cfg, err := between(relaytest.Start(t, relayserver.Config{Log: events}).URL(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	return cfg, server, events
}

// reached waits until a run has stored up to a seq, or ends.
func reached(ctx context.Context, running *ingest.Running, seq event.Seq) {
	for running.Snapshot().Cursor < seq && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// G3: told to stop, it stores what was read and says where the next start goes on; that
// start stores the rest, once.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	cfg, server, events := testRun(t, 50)
	ctx, stop := context.WithCancel(t.Context())
	cfg.Beside = []func(context.Context, *ingest.Running){func(ctx context.Context, running *ingest.Running) {
		reached(ctx, running, 50)
		stop()
	}}
	if summary, err := ingest.Run(ctx, cfg); err != nil || summary != (ingest.Summary{Cursor: 50, Stored: 50}) {
		t.Fatalf("%+v, %v", summary, err)
	}
	relaytest.Extend(t, events, 51, 80)
	cfg.Beside, cfg.Sink.From, cfg.Pipeline.UntilSeq = nil, redisstream.From{}, 80
	if summary, err := ingest.Run(t.Context(), cfg); err != nil || summary != (ingest.Summary{Cursor: 80, Stored: 30}) {
		t.Errorf("%+v, %v", summary, err)
	}
	if n := server.Client().XLen(t.Context(), "events").Val(); n != 80 {
		t.Errorf("%d entries", n)
	}
}

// A filter that is set while it runs judges later events only, and the cursor says whose
// filter it is.
func TestFilterIsSetWhileRunning(t *testing.T) {
	t.Parallel()
	cfg, server, events := testRun(t, 20)
	cfg.Pipeline.UntilSeq = 40
	turned := make(chan struct{})
	cfg.Logger = slog.New(said{slog.DiscardHandler, "Going on with other filters", func() { close(turned) }})
	none, err := filter.New(filter.Config{Kinds: []string{"commit"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Beside = []func(context.Context, *ingest.Running){func(ctx context.Context, running *ingest.Running) {
		reached(ctx, running, 20)
		reloaded := false
		running.Reload(func() { running.SetFilter(none); reloaded = true })
		if !reloaded {
			t.Error("nothing was read again")
		}
		<-turned                            // what comes before it is judged by the former filter
		relaytest.Extend(t, events, 21, 40) // identities, which are no commits
	}}
	if summary, err := ingest.Run(t.Context(), cfg); err != nil || summary.Cursor != 40 {
		t.Fatalf("%+v, %v", summary, err)
	}
	if n := server.Client().XLen(t.Context(), "events").Val(); n != 20 {
		t.Errorf("%d entries, want the 20 from before", n)
	}
}

// said calls do when a line is logged.
type said struct {
	slog.Handler
	line string
	do   func()
}

func (s said) Enabled(context.Context, slog.Level) bool { return true }

func (s said) Handle(_ context.Context, r slog.Record) error {
	if r.Message == s.line {
		s.do()
	}
	return nil
}

// A bundled relay that cannot be read further ends the run behind all that it gave.
func TestRelayThatEndsIsTheError(t *testing.T) {
	t.Parallel()
	cfg, server, _ := testRun(t, 30)
	broken := errors.New("the recording is damaged")
	open := cfg.Source
	var end func(error)
	cfg.Source = func(heard event.Observer, stop func(error)) (pipeline.FrameSource, error) {
		end = stop
		return open(heard, stop)
	}
	cfg.Beside = []func(context.Context, *ingest.Running){func(ctx context.Context, running *ingest.Running) {
		reached(ctx, running, 30)
		end(broken)
	}}
	if _, err := ingest.Run(t.Context(), cfg); !errors.Is(err, broken) {
		t.Errorf("ended with %v", err)
	}
	if n := server.Client().XLen(t.Context(), "events").Val(); n != 30 {
		t.Errorf("%d entries", n)
	}
}

// A setting that this machine cannot have is named, and everything that was opened is
// closed again.
func TestSettingsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, change := range map[string]func(*ingest.Config){
		"health-addr": func(c *ingest.Config) { c.Listen = "192.0.2.1:1" },
		"rejects":     func(c *ingest.Config) { c.Rejects = &rejects.Config{Dir: filepath.Join(file, "below")} },
	} {
		cfg, _, _ := testRun(t, 5)
		cfg.Pipeline.UntilSeq = 5
		change(&cfg)
		_, err := ingest.Run(t.Context(), cfg)
		if wrong, ok := errors.AsType[*ingest.SettingError](err); !ok || wrong.Setting != setting || wrong.Error() == "" || errors.Unwrap(wrong) == nil {
			t.Errorf("%s: %v", setting, err)
		}
	}
	cfg, _, _ := testRun(t, 5)
	cfg.Listen, cfg.AnyPort, cfg.Pipeline.UntilSeq = "192.0.2.1:1", true, 5
	if _, err := ingest.Run(t.Context(), cfg); err != nil {
		t.Errorf("with any port: %v", err)
	}
}

// A seq that lies before everything the relay has is no success, and the remedy is
// named.
func TestNothingBeforeASeq(t *testing.T) {
	t.Parallel()
	events := relaytest.Log(t, 100, 120)
	cfg, err := between(relaytest.Start(t, relayserver.Config{Log: events}).URL(), redistest.Start(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Pipeline.UntilSeq = 50
	_, err = ingest.Run(t.Context(), cfg)
	var named []fault.Action
	fault.Spell(fault.HintOf(err), func(r fault.Remedy) string { named = append(named, r.Do); return "" })
	if fault.ClassOf(err) != fault.Unreachable || !slices.Equal(named, []fault.Action{fault.Set, fault.WatchRelay, fault.Set, fault.Set}) {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}

// What others are told is what is so: the dashboard's keys and the metrics.
func TestDashboardAndHealth(t *testing.T) {
	t.Parallel()
	cfg, server, _ := testRun(t, 25)
	cfg.Pipeline.UntilSeq, cfg.Dashboard, cfg.Listen = 25, true, "127.0.0.1:0"
	var last health.Snapshot
	cfg.Beside = []func(context.Context, *ingest.Running){func(ctx context.Context, running *ingest.Running) {
		<-ctx.Done()
		last = running.Snapshot()
	}}
	if _, err := ingest.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if last.Cursor != 25 || last.Appended != 25 {
		t.Errorf("%+v", last)
	}
	if told := server.Client().Exists(t.Context(), dashboard.StatusKey).Val(); told != 1 {
		t.Error("no status key")
	}
}
