package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/replay"
)

// origin is a source with what is known of it before it is read.
type origin struct {
	replay.Source
	kind     endpoint.Kind
	name     string // for people; no password
	identity string // whose numbering the seqs are
	log      relayserver.Log
	bounds   *reader.Bounds // of a stream
	shut     func()         // what else is to be closed; may be nil
}

func (o *origin) close() {
	_ = o.Source.Close()
	if o.shut != nil {
		o.shut()
	}
}

// openOrigin opens the source of a plan.
func openOrigin(ctx context.Context, env *shell.Env, cfg *config.Config, p *replayPlan) (*origin, error) {
	switch p.source.Kind {
	case endpoint.CaptureEnd:
		source, err := replay.OpenCapture(p.source.Path, p.sel.From)
		if err != nil {
			return nil, err
		}
		return &origin{Source: source, kind: endpoint.CaptureEnd, name: p.source.Path, identity: endpoint.CaptureIdentity(p.source.Path)}, nil
	case endpoint.EndStream:
		return openStreamOrigin(ctx, env.Log, cfg, p)
	}
	return openRelayOrigin(env, cfg, p)
}

func openRelayOrigin(env *shell.Env, cfg *config.Config, p *replayPlan) (*origin, error) {
	raw := cfg.Relay.URL
	if p.source.Url != "" {
		raw = p.source.Url
	}
	end, err := endpoint.ParseRelay(raw, cfg.Relay.Cleartext)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	o := &origin{kind: endpoint.EndRelay, name: end.Name, identity: end.Identity}
	if end.Kind != endpoint.Real {
		if o.log, o.shut, err = end.Open(); err != nil {
			return nil, err
		}
		o.Source = replay.NewLog(replay.LogConfig{Log: o.log, From: p.sel.From, Until: p.sel.Until, Follow: p.follow, Whole: end.Kind == endpoint.Capture})
		return o, nil
	}
	o.Source = replay.NewRelay(replay.RelayConfig{
		From: p.sel.From, Until: p.sel.Until, Follow: p.follow, IdleTimeout: cfg.Ingest.IdleTimeout, Logger: env.Log,
		Open: func(link func(event.Link)) (follow.Source, error) {
			return endpoint.Upstream{Endpoint: end.Endpoint}.Source(env, cfg, relayListener{link: link, log: env.Log})
		},
	})
	return o, nil
}

// relayListener passes changes of the connection on, and logs what it noticed.
type relayListener struct {
	observe.Silent
	link func(event.Link)
	log  *slog.Logger
}

func (l relayListener) Link(link event.Link) { l.link(link) }

func (l relayListener) Alarm(a event.Alarm, _ event.Seq, detail string) {
	l.log.Warn("Relay alarm", "alarm", a.String(), "err", detail)
}

func openStreamOrigin(ctx context.Context, log *slog.Logger, cfg *config.Config, p *replayPlan) (_ *origin, err error) {
	// A URL with a password of its own needs no file.
	file := cfg.Redis.PasswordFile
	if place, err := conn.ParseURL(p.source.Url); err == nil && place.Password {
		file = ""
	}
	connection, name, closeServer, err := p.redis(log, cfg, p.source.Url, file)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeServer()
		}
	}()
	key := cfg.Redis.StreamKey
	r, err := reader.Open(ctx, reader.Config{Connection: connection, StreamKey: key, CursorKey: cfg.Redis.CursorKey, Partitions: cfg.Redis.Partitions})
	if err != nil {
		return nil, err
	}
	source, err := replay.OpenStream(ctx, r, p.sel.From, p.sel.Until)
	if errors.Is(err, reader.ErrNoStream) {
		err = fault.New(fault.Unreachable, err, "check --redis-url and --stream-key; fhctl ingest makes the stream with the first event it stores")
	}
	if err != nil {
		return nil, err
	}
	bounds := source.Bounds()
	if bounds.Length > 0 && !p.resume {
		if err := p.tellLacks(ctx, log, r, bounds); err != nil {
			_ = source.Close()
			return nil, err
		}
	}
	return &origin{Source: source, kind: endpoint.EndStream, name: "stream " + r.StreamKey() + " at " + name, identity: "stream:" + key, bounds: &bounds, shut: closeServer}, nil
}

// tellLacks says what of the range a stream does not hold.
func (p *replayPlan) tellLacks(ctx context.Context, log *slog.Logger, r *reader.Reader, bounds reader.Bounds) error {
	held, err := coverage.BeginningOf(ctx, r, bounds)
	if err != nil {
		return err
	}
	ranges.TellLacks(log, held.Lacks(p.sel.From, "the stream"), coverage.LacksEnd(p.sel.Until, bounds.Last, 0, "the stream", p.started))
	return nil
}

// openTarget opens what the plan writes to.
func (r *replayRun) openTarget(ctx context.Context) (shut func(), err error) {
	p := r.plan
	shut = func() {}
	switch p.target.Kind {
	case endpoint.EndStdout:
		r.targetName, r.target = "standard output", newPrinter(r.app.Out, p)
		if p.dryRun {
			r.target = replay.Discard{Entries: p.sel.Entries}
		}
	case endpoint.CaptureEnd:
		r.targetName = p.target.Path
		err = r.openCapture()
	case endpoint.EndStream:
		r.targetName = "stream " + p.toStream
		return r.openAppender(ctx)
	}
	return shut, err
}

func (r *replayRun) openCapture() (err error) {
	p := r.plan
	if p.dryRun {
		from := event.Seq(0)
		if from, err = replay.CapturePosition(p.target.Path); !p.resume {
			from = 0
		}
		r.target = replay.Discard{From: from}
		return err
	}
	t, err := replay.CreateCapture(replay.CaptureConfig{Path: p.target.Path, Source: r.origin.identity, Selection: p.sel.Filter.Fingerprint(), Resume: p.resume})
	if err != nil {
		return err
	}
	if r.target = t; t.Cut() != "" {
		r.app.Log.Warn("The unfinished capture was cut", "what", t.Cut())
	}
	return nil
}

// openAppender opens the stream that a plan writes to.
func (r *replayRun) openAppender(ctx context.Context) (shut func(), err error) {
	p, cfg := r.plan, r.cfg
	connection, _, shut, err := p.redis(r.app.Log, cfg, p.target.Url, p.toPasswordFile)
	if err != nil {
		return nil, err
	}
	to := replay.StreamConfig{
		Connection: connection, StreamKey: p.toStream, Partitions: p.toPartitions, MaxLen: p.toMaxLen, AllowEviction: cfg.Redis.AllowEviction,
		Source: r.origin.identity, Selection: p.sel.Filter.Fingerprint(), Resume: p.resume,
		AppendToLive: p.appendToLive, LiveCursor: cfg.Redis.CursorKey, LivePartitions: cfg.Redis.Partitions,
	}
	if p.dryRun {
		from, err := to.Check(ctx)
		r.target = replay.Discard{From: from, Entries: true}
		return shut, err
	}
	if r.target, err = replay.AppendTo(ctx, to); err != nil {
		shut()
		return nil, err
	}
	return shut, nil
}

// redis is the Redis at url, or the settings' where that is empty.
func (p *replayPlan) redis(log *slog.Logger, cfg *config.Config, url, passwordFile string) (c conn.Connection, name string, closeServer func(), err error) {
	if url = config.OwnScheme(url); url == "" || strings.HasPrefix(url, "embedded:") {
		other := *cfg
		if url != "" {
			other.Redis.URL = url
		}
		down, err := endpoint.OpenDownstream(log, &other)
		return down.Connection, down.Name, down.Close, err
	}
	place, err := conn.ParseURL(url)
	if err != nil {
		return c, "", nil, fmt.Errorf("read Redis URL %s: %w", fault.Redact(url), err)
	}
	if place.Password {
		log.Warn("The password in an argument is visible to every user of this machine in ps; use --to-password-file, or --redis-url from the environment")
	}
	password := ""
	if passwordFile != "" {
		if password, err = config.ReadSecret(passwordFile); err != nil {
			return c, "", nil, fmt.Errorf("Redis password file: %w", err)
		}
	}
	c = settings.Connection(log, cfg, url, password)
	c.URLName, c.PasswordName = "the URL in the argument", "the file of --to-password-file"
	return c, fault.Redact(url), func() {}, nil
}
