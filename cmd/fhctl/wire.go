package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// The ends fit the pipeline without knowing of it.
var (
	_ pipeline.FrameSource = (*relay.Source)(nil)
	_ redisSink            = (*redisstream.Writer)(nil)
	_ redisSink            = (*redisstream.PartitionSet)(nil)
	_ relayserver.Log      = (*sim.Sim)(nil)
	_ relayserver.Log      = (*capture.Log)(nil)
	_ relayserver.Reacher  = (*sim.Sim)(nil)
)

// upstream is the relay that --relay-url names, real or bundled.
type upstream struct {
	endpoint relay.Endpoint
	identity string // what a cursor belongs to
	name     string // for people
	// whole is set for a recording: starting live would mean at its end.
	whole bool
	close func()
	// broken is what keeps a bundled relay from going on, once it is met. What reads
	// it then ends: with stop, behind all that could be played.
	broken *atomic.Pointer[error]
	stop   func(error)
}

// ended tells what reads a bundled relay that nothing more will come, and reports
// whether that is so: then it is no connection that was lost.
func (u upstream) ended(l event.Link) bool {
	if u.broken == nil || u.stop == nil || l.State != event.LinkDown {
		return false
	}
	err := u.broken.Load()
	if err != nil {
		u.stop(*err)
	}
	return err != nil
}

// openUpstream opens the relay of --relay-url. One that is bundled is served on
// loopback and read over a real socket, so that what one sees is what runs in
// production.
func openUpstream(log *slog.Logger, cfg *config.Config) (upstream, error) {
	e, err := parseRelay(cfg.Relay.URL, cfg.Relay.Cleartext)
	if err != nil {
		return upstream{}, cfg.Refuse("relay-url", err)
	}
	up := upstream{endpoint: e.endpoint, close: func() {}}
	if e.kind != relayReal {
		if up, err = serveBundled(log, e); err != nil {
			return upstream{}, err
		}
	}
	up.identity, up.name, up.whole = e.identity, e.name, e.kind == relayCapture
	return up, nil
}

func serveBundled(log *slog.Logger, e relayEnd) (upstream, error) {
	frames, shut, err := e.open()
	if err != nil {
		return upstream{}, err
	}
	if recording, ok := frames.(*capture.Log); ok {
		if err := recording.Damage(); err != nil {
			log.Warn("The recording is played up to where it ends too early", "err", err.Error())
		}
	}
	return serve(frames, shut)
}

func serve(source relayserver.Log, closeSource func()) (upstream, error) {
	broken := new(atomic.Pointer[error])
	server, err := relayserver.Start(relayserver.Config{Log: source, EndOnFailure: true, Failed: func(err error) { broken.Store(&err) }})
	if err != nil {
		closeSource()
		return upstream{}, fmt.Errorf("serve bundled relay: %w", err)
	}
	closeAll := func() { server.Close(); closeSource() }
	endpoint, err := relay.ParseURL(server.URL(), false)
	if err != nil {
		closeAll()
		return upstream{}, err
	}
	return upstream{endpoint: endpoint, close: closeAll, broken: broken}, nil
}

// playedUpTo tells that a recording ends too early, where others go on being served.
func playedUpTo(log *slog.Logger, err error) {
	log.Error("The recording cannot be played further: nothing more will come", "err", err.Error(), "hint", fault.HintOf(err))
}

// maxLinger bounds the stay away from an empty socket, whose buffer must hold
// what comes meanwhile.
const maxLinger = 40 * time.Millisecond

// waited notes what a time limit that passes now would have waited for: a relay, or the
// proxy before it, that has not answered.
func (u upstream) waited(a *app, l event.Link) {
	what := "no answer yet from the relay " + u.endpoint.String()
	if via := u.endpoint.Proxy(); via != "" {
		what += " via proxy " + via
	}
	switch {
	case l.State == event.LinkUp:
		what = ""
	case l.Err != nil && l.Cause != "stopped":
		what = l.Err.Error()
	}
	if a.waits != nil {
		a.waits.Store(&what)
	}
}

// source follows the upstream and tells the observer of every change.
func (u upstream) source(env *app, cfg *config.Config, heard event.Observer) (*relay.Source, error) {
	trust, err := relayTLS(env.slog, cfg)
	if err != nil {
		return nil, err
	}
	u.waited(env, event.Link{})
	return relay.New(relay.Config{
		Endpoint:    u.endpoint,
		UserAgent:   "fhctl/" + readBuild().Version,
		IdleTimeout: cfg.Ingest.IdleTimeout,
		Linger:      min(cfg.Ingest.BatchAge, maxLinger),
		TLSNow:      trust,
		Notify: func(l event.Link) {
			u.waited(env, l)
			if !u.ended(l) {
				heard.Link(l)
			}
		},
		Alarm:  heard.Alarm,
		Logger: env.slog,
	}), nil
}

// downstream is the Redis that --redis-url names, real or embedded.
type downstream struct {
	connection conn.Connection
	name       string // for people; no password
	maxLen     int64
	close      func()
}

func openDownstream(log *slog.Logger, cfg *config.Config) (downstream, error) {
	raw := cfg.Redis.URL
	if rest, ok := strings.CutPrefix(raw, "embedded:"); ok {
		server, err := embedded.Start(strings.Trim(rest, "/"))
		if err != nil {
			return downstream{}, fmt.Errorf("start embedded Redis: %w", err)
		}
		log.Info("Embedded Redis is listening; it keeps nothing on disk, and everything is gone when this process ends",
			"addr", server.Addr(), "try", "redis-cli -u "+server.URL()+" XREVRANGE "+cfg.Redis.StreamKey+" + - COUNT 1")
		raw = server.URL()
		maxLen := cfg.Redis.MaxStreamLen
		if cfg.Origin("max-stream-len").Layer == config.LayerDefault {
			maxLen = embedded.SuggestedMaxLen
		}
		return downstream{connection(log, cfg, raw, ""), "embedded " + raw, maxLen, server.Close}, nil
	}
	password, err := redisPassword(cfg)
	if err != nil {
		return downstream{}, err
	}
	return downstream{connection(log, cfg, raw, password), fault.Redact(raw), cfg.Redis.MaxStreamLen, func() {}}, nil
}

// redisPassword is what redis-password-file holds, or "".
func redisPassword(cfg *config.Config) (string, error) {
	if cfg.Redis.PasswordFile == "" {
		return "", nil
	}
	password, err := config.ReadSecret(cfg.Redis.PasswordFile)
	if err != nil {
		return "", cfg.Refuse("redis-password-file", err)
	}
	return password, nil
}

func connection(log *slog.Logger, cfg *config.Config, redisURL, password string) conn.Connection {
	r := cfg.Redis
	return conn.Connection{
		HandshakeTimeout: cfg.Timeout / 2, // which leaves time to tell of it
		URL:              redisURL, Password: password, URLName: r.URLName, PasswordName: r.PasswordName,
		TLS: conn.TLS{
			CA: r.TLSCA, Cert: r.TLSCert, Key: r.TLSKey, ServerName: r.TLSServerName, SkipVerify: r.TLSSkipVerify,
		},
		Logger: log,
	}
}

// whenFull is what the settings' words mean to the writer.
var whenFull = map[string]redisstream.WhenFull{
	config.WhenFullTrim:  redisstream.Trim,
	config.WhenFullBlock: redisstream.Block,
	config.WhenFullSpill: redisstream.Wait,
}

// sink opens the Redis writer; it waits for Redis, visibly, until ctx ends.
func (d downstream) sink(ctx context.Context, cfg *config.Config, up upstream, filters string, heard event.Observer, moved func(event.CursorMove)) (redisSink, error) {
	from := redisstream.From{Requested: !cfg.Ingest.From.Saved, At: cfg.Ingest.From.Position}
	if up.whole && !from.Requested {
		from = redisstream.From{Requested: true, At: event.Position{Start: event.Oldest}}
	}
	return openSink(ctx, redisstream.Config{
		Connection:    d.connection,
		StreamKey:     cfg.Redis.StreamKey,
		CursorKey:     cfg.Redis.CursorKey,
		MaxLen:        d.maxLen,
		WhenFull:      whenFull[cfg.Redis.WhenFull],
		GroupTimeout:  cfg.Redis.GroupTimeout,
		Identity:      redisstream.Identity{Relay: up.identity, Filter: filters, Partitions: cfg.Redis.Partitions},
		From:          from,
		Writer:        writerName(),
		AllowEviction: cfg.Redis.AllowEviction,
		Notify:        heard.Store,
		Refused:       func(r *event.Reject, data []byte) { tellRefused(heard, r, data) },
		Alarm:         heard.Alarm,
		CursorMoved:   moved,
	})
}

// redisSink is one stream or a partitioned set of them.
type redisSink interface {
	pipeline.Shared
	Refilter(fingerprint string)
	Close() error
}

// openSink opens one stream, or as many as there are partitions.
func openSink(ctx context.Context, cfg redisstream.Config) (redisSink, error) {
	if cfg.Identity.Partitions > 1 {
		set, err := redisstream.OpenPartitions(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return set, nil
	}
	w, err := redisstream.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return w, nil
}
