package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/stats"
)

// newStatsWatch watches a server without a command line.
func newStatsWatch(t *testing.T, url string) (*statsWatch, *bytes.Buffer) {
	t.Helper()
	cfg, err := config.Load(nil, []string{"REDIS_URL=" + url})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	env := &shell.Env{Out: &out, Err: &shell.Terminal{W: io.Discard}, Log: slog.New(slog.DiscardHandler)}
	reader, err := settings.OpenReader(t.Context(), env.Log, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	flags := &statsFlags{format: &shell.Format{Name: "text"}, watch: time.Second, sample: defaultSample, window: 72 * time.Hour}
	return &statsWatch{Env: env, cfg: cfg, flags: flags, reader: reader, options: statsOptions(cfg, flags), graphs: map[string][]float64{}}, &out
}

func fill(server *redistest.Server, from, n int) {
	for seq := from; seq < from+n; seq++ {
		server.Do("xadd", "firehose:events", "*", "type", "commit", "data",
			`{"repo":"did:plc:x","ops":[{"action":"delete","path":"app.bsky.feed.post/3k"}]}`, "seq", seq)
	}
	server.Do("set", "firehose:python_cursor", from+n-1)
}

var spaces = regexp.MustCompile(" +")

func TestWatchDrawsAndWaitsForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	proxy := redistest.NewProxy(t, server.Addr())
	fill(server, 1, 5)
	server.Do("xgroup", "create", "firehose:events", "g", "0")
	w, _ := newStatsWatch(t, proxy.URL())
	var screen bytes.Buffer
	w.screen = &output.Screen{Out: &screen, Size: func() (int, int) { return 100, 50 }}
	draw := func(want ...string) {
		t.Helper()
		screen.Reset()
		if err := w.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(spaces.ReplaceAllString(screen.String(), " "), text) {
				t.Errorf("the screen lacks %q:\n%s", text, screen.String())
			}
		}
	}
	draw("length 5 entries", "lag g 5 █")
	fill(server, 6, 5)
	draw("\x1b[", "length 10 entries", "lag g 10 ▅█")
	proxy.Refuse(true)
	proxy.Cut()
	draw("Redis does not answer", "length 10 entries", "lag g - ▅█")
	proxy.Refuse(false)
	draw("length 10 entries", "lag g 10 ▅█ █")
	server.Do("del", "firehose:events")
	draw("does not exist (yet)")
}

func TestWatchPrintsLines(t *testing.T) {
	server := redistest.StartEmbedded(t)
	fill(server, 1, 5)
	w, out := newStatsWatch(t, server.URL())
	w.lines = true
	for range 2 {
		if err := w.once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, line := range lines {
		var r stats.Report
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.V != 1 || r.Stream.Length != 5 {
			t.Errorf("%s: %v", line, err)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d lines", len(lines))
	}
	if err := w.verdict(t.Context()); err != nil {
		t.Error(err)
	}
	w.last.Checks = []stats.Check{{Name: "max-lag", Status: stats.Failed}}
	if err := w.verdict(t.Context()); fault.ClassOf(err) != fault.Findings {
		t.Error(errors.Join(errors.New("stopped with a failed check"), err))
	}
}
