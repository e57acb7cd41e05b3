// Package endpoint opens the relay and the Redis that URLs name, real or bundled: call
// [OpenUpstream] and [OpenDownstream]. It is the one place where a scheme is chosen by.
package endpoint

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/build"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/embedded"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// The ends fit the pipeline without knowing of it.
var (
	_ pipeline.FrameSource = (*relay.Source)(nil)
	_ relayserver.Log      = (*sim.Sim)(nil)
	_ relayserver.Log      = (*capture.Log)(nil)
	_ relayserver.Reacher  = (*sim.Sim)(nil)
)

// Upstream is the relay that --relay-url names, real or bundled.
type Upstream struct {
	Endpoint relay.Endpoint
	Identity string // what a cursor belongs to
	Name     string // for people
	// Whole is set for a recording: starting live would mean at its end.
	Whole bool
	Close func()
	// broken is what keeps a bundled relay from going on, once it is met. What reads
	// it then ends: with stop, behind all that could be played.
	broken *atomic.Pointer[error]
	Stop   func(error)
}

// ended tells what reads a bundled relay that nothing more will come, and reports
// whether that is so: then it is no connection that was lost.
func (u Upstream) ended(l event.Link) bool {
	if u.broken == nil || u.Stop == nil || l.State != event.LinkDown {
		return false
	}
	err := u.broken.Load()
	if err != nil {
		u.Stop(*err)
	}
	return err != nil
}

// OpenUpstream opens the relay of --relay-url. One that is bundled is served on
// loopback and read over a real socket, so that what one sees is what runs in
// production.
func OpenUpstream(log *slog.Logger, cfg *config.Config) (Upstream, error) {
	e, err := ParseRelay(cfg.Relay.URL, cfg.Relay.Cleartext)
	if err != nil {
		return Upstream{}, cfg.Refuse("relay-url", err)
	}
	up := Upstream{Endpoint: e.Endpoint, Close: func() {}}
	if e.Kind != Real {
		if up, err = serveBundled(log, e); err != nil {
			return Upstream{}, err
		}
	}
	up.Identity, up.Name, up.Whole = e.Identity, e.Name, e.Kind == Capture
	return up, nil
}

func serveBundled(log *slog.Logger, e Relay) (Upstream, error) {
	frames, shut, err := e.Open()
	if err != nil {
		return Upstream{}, err
	}
	if recording, ok := frames.(*capture.Log); ok {
		if err := recording.Damage(); err != nil {
			log.Warn("The recording is played up to where it ends too early", "err", err.Error())
		}
	}
	return serve(frames, shut)
}

func serve(source relayserver.Log, closeSource func()) (Upstream, error) {
	broken := new(atomic.Pointer[error])
	server, err := relayserver.Start(relayserver.Config{Log: source, EndOnFailure: true, Failed: func(err error) { broken.Store(&err) }})
	if err != nil {
		closeSource()
		return Upstream{}, fmt.Errorf("serve bundled relay: %w", err)
	}
	closeAll := func() { server.Close(); closeSource() }
	endpoint, err := relay.ParseURL(server.URL(), false)
	if err != nil {
		closeAll()
		return Upstream{}, err
	}
	return Upstream{Endpoint: endpoint, Close: closeAll, broken: broken}, nil
}

// maxLinger bounds the stay away from an empty socket, whose buffer must hold
// what comes meanwhile.
const maxLinger = 40 * time.Millisecond

// waited notes what a time limit that passes now would have waited for: a relay, or the
// proxy before it, that has not answered.
func (u Upstream) waited(a *shell.Env, l event.Link) {
	what := "no answer yet from the relay " + u.Endpoint.String()
	if via := u.Endpoint.Proxy(); via != "" {
		what += " via proxy " + via
	}
	switch {
	case l.State == event.LinkUp:
		what = ""
	case l.Err != nil && l.Cause != "stopped":
		what = l.Err.Error()
	}
	if a.Waits != nil {
		a.Waits.Store(&what)
	}
}

// Source follows the upstream and tells the observer of every change.
func (u Upstream) Source(env *shell.Env, cfg *config.Config, heard event.Observer) (*relay.Source, error) {
	trust, err := relayTLS(env.Log, cfg)
	if err != nil {
		return nil, err
	}
	u.waited(env, event.Link{})
	return relay.New(relay.Config{
		Endpoint:    u.Endpoint,
		UserAgent:   "fhctl/" + build.Read().Version,
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
		Logger: env.Log,
	}), nil
}

// Downstream is the Redis that --redis-url names, real or embedded.
type Downstream struct {
	Connection conn.Connection
	Name       string // for people; no password
	MaxLen     int64
	Close      func()
}

// OpenDownstream opens the Redis of --redis-url: a real one is connected to later, an
// embedded one is started here. The caller calls Close.
func OpenDownstream(log *slog.Logger, cfg *config.Config) (Downstream, error) {
	raw := cfg.Redis.URL
	if rest, ok := strings.CutPrefix(raw, "embedded:"); ok {
		server, err := embedded.Start(strings.Trim(rest, "/"))
		if err != nil {
			return Downstream{}, fmt.Errorf("start embedded Redis: %w", err)
		}
		log.Info("Embedded Redis is listening; it keeps nothing on disk, and everything is gone when this process ends",
			"addr", server.Addr(), "try", "redis-cli -u "+server.URL()+" XREVRANGE "+cfg.Redis.StreamKey+" + - COUNT 1")
		raw = server.URL()
		maxLen := cfg.Redis.MaxStreamLen
		if cfg.Origin("max-stream-len").Layer == config.LayerDefault {
			maxLen = embedded.SuggestedMaxLen
		}
		return Downstream{settings.Connection(log, cfg, raw, ""), "embedded " + raw, maxLen, server.Close}, nil
	}
	password, err := settings.RedisPassword(cfg)
	if err != nil {
		return Downstream{}, err
	}
	return Downstream{settings.Connection(log, cfg, raw, password), fault.Redact(raw), cfg.Redis.MaxStreamLen, func() {}}, nil
}
