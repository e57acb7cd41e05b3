package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/ingest"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// benchDecode decodes on this goroutine.
func benchDecode(ctx context.Context, env *shell.Env, o *benchOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	frames, err := o.load(ctx)
	if err != nil {
		return err
	}
	r := &benchReport{Command: "bench decode", Input: fault.Redact(o.input), Frames: len(frames), Events: o.events}
	r.BytesPerFrame, r.BytesPerEntry = sizes(frames)
	var d frame.Decoder
	var ev event.Event
	var data []byte
	watch := startWatch()
	for i := range o.events {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		f := frames[i%int64(len(frames))]
		if d.Decode(f, &ev) != nil {
			r.Rejected++
			continue
		}
		data, _ = entry.Append(data[:0], &ev)
	}
	watch.stop(r)
	r.CPUs = 1
	return printBench(env, o, r)
}

// sizes are the mean bytes of frames and of the entries they give.
func sizes(frames [][]byte) (perFrame, perEntry float64) {
	var d frame.Decoder
	var ev event.Event
	var data []byte
	for _, f := range frames {
		perFrame += float64(len(f))
		if d.Decode(f, &ev) == nil {
			data, _ = entry.Append(data[:0], &ev)
			perEntry += float64(len(data))
		}
		data = data[:0]
	}
	return perFrame / float64(len(frames)), perEntry / float64(len(frames))
}

// benchIngest runs ingest itself, with ends of its own.
func benchIngest(ctx context.Context, env *shell.Env, cfg *config.Config, o *benchOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	frames, err := o.load(ctx)
	if err != nil {
		return err
	}
	log, err := newCarousel(frames, o.events)
	if err != nil {
		return err
	}
	server, err := relayserver.Start(relayserver.Config{Log: log})
	if err != nil {
		return fmt.Errorf("serve bundled relay: %w", err)
	}
	defer server.Close()
	into, closeRedis, err := o.redis()
	if err != nil {
		return err
	}
	defer closeRedis()
	cfg = benchSettings(cfg, server.URL(), into, o.events)
	r := &benchReport{Command: "bench ingest", Input: fault.Redact(o.input), Redis: fault.Redact(o.into), Frames: len(log.frames), Events: o.events}
	r.BytesPerFrame, r.BytesPerEntry = sizes(log.frames)
	watch := startWatch()
	shell.BoundMemory(cfg.Ingest.QueueBytes)
	err = endpoint.Ingest(ctx, withoutOutput(env), cfg, func(endpoint.Upstream, endpoint.Downstream, *ingest.Config) {})
	watch.stop(r)
	switch left := dropBench(ctx, env.Log, cfg); {
	case fault.Ended(ctx) != nil && left != nil:
		return fault.New(fault.Interrupted, left, fault.HintOf(left))
	case fault.Ended(ctx) != nil: // an interrupted measurement says nothing
		return ctx.Err()
	case err != nil || left != nil:
		return cmp.Or(err, left)
	}
	return printBench(env, o, r)
}

// redis starts the embedded Redis here, so that its keys can be looked at
// after ingest has ended.
func (o *benchOptions) redis() (url string, closeRedis func(), err error) {
	if into := config.OwnScheme(o.into); into != "embedded://" && into != "embedded:" {
		return o.into, func() {}, nil
	}
	server, err := embedded.Start("")
	if err != nil {
		return "", nil, fmt.Errorf("start embedded Redis: %w", err)
	}
	return server.URL(), server.Close, nil
}

// benchSettings has the ends of a measurement: nobody else's keys, no health
// address, no dashboard.
func benchSettings(of *config.Config, relayURL, redisURL string, events int64) *config.Config {
	cfg := *of
	name := fmt.Sprintf("{fhctl:bench:%d}", os.Getpid())
	cfg.Relay = config.Relay{URL: relayURL}
	cfg.Redis.URL, cfg.Redis.URLName, cfg.Redis.PasswordFile = redisURL, "--into", ""
	cfg.Redis.StreamKey, cfg.Redis.CursorKey = name+":events", name+":cursor"
	cfg.Redis.Partitions, cfg.Redis.MaxStreamLen, cfg.Redis.WhenFull = 1, 50_000, config.WhenFullTrim
	cfg.Redis.Dashboard, cfg.Redis.AllowEviction = false, true
	cfg.Ingest.From = config.From{Position: event.Position{Start: event.Oldest}}
	cfg.Ingest.UntilSeq = event.Seq(events)
	cfg.Ingest.Collections, cfg.Ingest.DIDs, cfg.Ingest.Kinds, cfg.Ingest.RejectsDir = nil, nil, nil, ""
	cfg.Health.Addr = ""
	return &cfg
}

// withoutOutput is env with no word but errors.
func withoutOutput(env *shell.Env) *shell.Env {
	quiet := *env
	quiet.Log = slog.New(onlyErrors{env.Log.Handler()})
	return &quiet
}

// onlyErrors lets errors through.
type onlyErrors struct{ slog.Handler }

// Enabled reports whether the level is an error's.
func (onlyErrors) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// dropBench deletes what a measurement wrote, also when it was interrupted.
func dropBench(ctx context.Context, log *slog.Logger, cfg *config.Config) error {
	client, err := conn.Dial(settings.Connection(log, cfg, cfg.Redis.URL, ""))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	patience := 10 * time.Second
	if fault.Ended(ctx) != nil {
		patience = time.Second // somebody waits for the end, and Redis may be why
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	of := redisstream.Config{StreamKey: cfg.Redis.StreamKey, CursorKey: cfg.Redis.CursorKey}
	keys := []string{of.StreamKey, of.CursorKey, of.SideKey(), of.LeaseKey(), of.CursorKey + ":history"}
	if err := client.Del(ctx, keys...).Err(); err != nil {
		return fault.New(fault.ClassOf(conn.Classed(err)), fmt.Errorf("delete the keys of the measurement: %w", err), "delete them: redis-cli DEL "+strings.Join(keys, " "))
	}
	return nil
}

// carousel is a relay's log of count frames made of few, under new seqs from 1.
type carousel struct {
	frames [][]byte
	count  int64
}

func newCarousel(frames [][]byte, count int64) (*carousel, error) {
	c := &carousel{count: count}
	for _, f := range frames {
		if _, ok := frame.PeekSeq(f); ok {
			c.frames = append(c.frames, f)
		}
	}
	if len(c.frames) == 0 {
		return nil, shell.UsageError(errors.New("flag --input: no frame with a seq"), "record some: fhctl record --limit 2000 run.fhz")
	}
	return c, nil
}

// Bounds is what a relay holds that has just made them all.
func (c *carousel) Bounds() (oldest, newest event.Seq) { return 1, event.Seq(c.count) }

// Next is a fresh copy of the frame whose turn it is.
func (c *carousel) Next(_ context.Context, after event.Seq) (event.Seq, []byte, error) {
	seq := max(after, 0) + 1
	if int64(seq) > c.count {
		return 0, nil, io.EOF
	}
	data, _ := frame.SetSeq(nil, c.frames[int64(seq-1)%int64(len(c.frames))], seq)
	return seq, data, nil
}
