package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
)

// examination is doctor at work: it notes a check for everything it looks at.
type examination struct {
	*shell.Env
	cfg     *config.Config
	options *doctorOptions
	now     func() time.Time

	relayName, redisName string
	identity             string // of the relay: what a cursor belongs to
	filters              string // fingerprint of the settings' filters
	newest               event.Seq
	each                 []reader.CursorState // of a set, one for each partition
	copy                 bool                 // of a replay: the stream has a cursor of its own
	checks               []doctorCheck
}

func (e *examination) note(name, status, detail, fix string) {
	e.checks = append(e.checks, doctorCheck{name, status, detail, fix})
}

func (e *examination) ok(name, format string, args ...any) {
	e.note(name, doctorOK, fmt.Sprintf(format, args...), "")
}

func (e *examination) warn(name, fix, format string, args ...any) {
	e.note(name, doctorWarning, fmt.Sprintf(format, args...), fix)
}

func (e *examination) fail(name, fix, format string, args ...any) {
	e.note(name, doctorFailure, fmt.Sprintf(format, args...), fix)
}

func (e *examination) unknown(name, format string, args ...any) {
	e.note(name, doctorUnknown, fmt.Sprintf(format, args...), "")
}

// failed notes an error, with its own hint.
func (e *examination) failed(name string, err error) { e.fail(name, fault.HintOf(err), "%s", err) }

// failing reports whether a check has failed.
func (e *examination) failing(name string) bool {
	return slices.ContainsFunc(e.checks, func(c doctorCheck) bool { return c.Name == name && c.Status == doctorFailure })
}

// redisChecks are the names of what needs Redis, in their order.
var redisChecks = []string{
	"redis.clock", "redis.version", "redis.role", "redis.eviction", "redis.persistence", "redis.memory", "redis.rights",
	"stream", "stream.entries", "groups", "cursor", "writer",
}

// examine looks at everything. Its error is one of settings; whatever else is
// wrong is a check that failed.
func (e *examination) examine(ctx context.Context) error {
	keep, err := settings.FilterOf(e.cfg)
	if err != nil {
		return err
	}
	e.filters = keep.Fingerprint()
	up, err := endpoint.OpenUpstream(e.Log, e.cfg)
	if err != nil {
		return err
	}
	defer up.Close()
	e.relayName, e.identity = up.Name, up.Identity
	down, err := endpoint.OpenDownstream(e.Log, e.cfg)
	if err != nil {
		return err
	}
	defer down.Close()
	e.redisName = down.Name
	if err := e.relay(ctx, up); err != nil {
		return err
	}
	return e.redis(ctx, down)
}

// transport judges what others on the way to Redis can read.
func (e *examination) transport() {
	if e.cfg.CleartextRedis() {
		e.warn("redis.transport", "use rediss:// and the server's TLS port; see redis-tls-ca", "%s", config.CleartextRedis)
		return
	}
	e.ok("redis.transport", "encrypted, on this machine, or without a password")
}

// settings judges who can read the password.
func (e *examination) settings() {
	if exposed := e.cfg.Exposed(); exposed != "" {
		e.warn("settings.secret", "chmod 600 the file, or 640 with the group of who runs ingest", "%s", exposed)
		return
	}
	e.ok("settings.secret", "no settings file with a password is open to every user")
}

func (e *examination) redis(ctx context.Context, down endpoint.Downstream) error {
	e.settings()
	e.transport()
	stream, err := reader.Open(ctx, reader.Config{
		Connection: down.Connection, StreamKey: e.cfg.Redis.StreamKey, CursorKey: e.cfg.Redis.CursorKey,
		Partitions: e.cfg.Redis.Partitions, OtherCount: true, // a wrong number is a finding
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fault.ClassOf(err) == fault.Usage:
		return err
	case err != nil:
		e.failed("redis", err)
		for _, name := range redisChecks {
			e.unknown(name, "Redis was not reached")
		}
		return nil
	}
	defer func() { _ = stream.Close() }()
	if err := admin.CheckSlot(stream); err != nil {
		return err
	}
	e.ok("redis", "answers at %s", down.Name)
	if name := endpoint.CopyCursor(ctx, e.cfg, stream); name != "" {
		cfg := *e.cfg
		cfg.Redis.CursorKey = name
		e.cfg, e.copy = &cfg, true
		_ = stream.Close()
		if stream, err = reader.Open(ctx, reader.Config{
			Connection: down.Connection, StreamKey: cfg.Redis.StreamKey, CursorKey: name, Partitions: cfg.Redis.Partitions, OtherCount: true,
		}); err != nil {
			e.failed("redis", err)
			return nil
		}
	}
	for _, look := range []func(context.Context, *reader.Reader) error{e.clock, e.server, e.rights} {
		if err := look(ctx, stream); err != nil {
			return err
		}
	}
	o := endpoint.StatsOptions(e.cfg, e.options.window, !e.options.given)
	o.Sample = doctorSample
	report, err := stats.Collect(ctx, stream, o)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		e.failed("stream", err)
		return e.position(ctx, stream, nil)
	}
	e.stream(report)
	if report.Stream.Exists {
		if err := e.entries(ctx, stream); err != nil {
			return err
		}
		e.groups(report)
	}
	return e.position(ctx, stream, report)
}

// passing turns an error of one look into a check that could not be made; only
// the end of the command is an error.
func (e *examination) passing(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.unknown(name, "%s", err)
	return nil
}
