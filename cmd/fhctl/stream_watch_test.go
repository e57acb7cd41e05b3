package main

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

	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// statsKit is a collector on a server, without a command line.
func statsKit(t *testing.T, server *redistest.Server, o *statsOptions) (*statsCollector, *bytes.Buffer) {
	t.Helper()
	cfg, err := config.Load(nil, []string{"REDIS_URL=" + server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &session{app: &app{stdout: &out, log: &logOutput{w: io.Discard}}, cfg: cfg, slog: slog.New(slog.DiscardHandler)}
	reader, err := s.reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	if o.format == nil {
		o.format = &format{name: "text"}
	}
	o.sample, o.window = defaultSample, 72*time.Hour
	return &statsCollector{session: s, options: o, reader: reader}, &out
}

func fill(server *redistest.Server, from, n int) {
	for seq := from; seq < from+n; seq++ {
		server.Do("xadd", "firehose:events", "*", "type", "commit", "data",
			`{"repo":"did:plc:x","ops":[{"action":"delete","path":"app.bsky.feed.post/3k"}]}`, "seq", seq)
	}
	server.Do("set", "firehose:python_cursor", from+n-1)
}

func TestStatsAreCollected(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		c, _ := statsKit(t, server, &statsOptions{groups: []string{"g"}})
		r, err := c.collect(t.Context())
		if err != nil || r.Stream.Exists {
			t.Fatalf("no stream: %+v, %v", r, err)
		}
		fill(server, 1, 30)
		server.Do("xgroup", "create", "firehose:events", "g", "0")
		server.Do("xgroup", "create", "firehose:events", "other", "0")
		server.Do("xreadgroup", "group", "g", "c", "count", "10", "streams", "firehose:events", ">")
		r, err = c.collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Groups) != 1 || r.Groups[0].Lag != 20 || !r.Groups[0].LagExact || r.Groups[0].Pending != 10 || r.Groups[0].Redelivered.Entries != 0 {
			t.Errorf("groups %+v", r.Groups)
		}
		if r.Stream.Length != 30 || r.Sample.Entries != 30 || r.Sample.Ops != 30 || r.Sample.Collections[0].Name != "app.bsky.feed.post" {
			t.Errorf("stream %+v, sample %+v", r.Stream, r.Sample)
		}
		if r.Cursor.TimeFrom != "entry" || r.Cursor.Relay == nil || *r.Cursor.Relay != "bsky.network" || *r.Cursor.AgeSeconds < 0 {
			t.Errorf("cursor %+v", r.Cursor)
		}
		server.Do("del", "firehose:python_cursor")
		server.Do("xadd", "firehose:python_cursor", "*", "a", "b")
		if r, err = c.collect(t.Context()); err != nil || r.Cursor.Unknown == "" {
			t.Errorf("a cursor of another type: %+v, %v", r.Cursor, err)
		}
	})
}

var spaces = regexp.MustCompile(" +")

func TestWatchDrawsAndWaitsForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	proxy := redistest.NewProxy(t, server.Addr())
	fill(server, 1, 5)
	server.Do("xgroup", "create", "firehose:events", "g", "0")
	c, _ := statsKit(t, server, &statsOptions{watch: time.Second})
	c.cfg.Redis.URL = proxy.URL()
	reader, err := c.session.reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	c.reader = reader
	var screen bytes.Buffer
	w := &statsWatch{statsCollector: c, graphs: map[string][]float64{}, screen: &output.Screen{Out: &screen, Size: func() (int, int) { return 100, 50 }}}
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
	c, out := statsKit(t, server, &statsOptions{})
	w := &statsWatch{statsCollector: c, graphs: map[string][]float64{}, lines: true}
	for range 2 {
		if err := w.once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, line := range lines {
		var r statsReport
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
	w.last.Checks = []checkReport{{Name: "max-lag", Status: checkFailed}}
	if err := w.verdict(t.Context()); fault.ClassOf(err) != fault.Findings {
		t.Error(errors.Join(errors.New("stopped with a failed check"), err))
	}
}
