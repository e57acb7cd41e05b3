package doctor

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
)

// Examine looks at the relay, then at Redis and what is in it, and yields each check as
// it is made. An error ends it, with a zero Check: fault.Usage where settings cannot work,
// or the context's cause. It takes as long as Options.Wait and a few exchanges with Redis.
func Examine(ctx context.Context, targets Targets, options Options) iter.Seq2[Check, error] {
	if options.Now == nil {
		options.Now = time.Now
	}
	return func(yield func(Check, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		e := &examination{Options: options, targets: targets, failures: map[string]bool{}}
		e.tell = func(c Check) {
			if !e.left && !yield(c, nil) {
				e.left = true
				cancel() // nobody wants more
			}
		}
		err := e.relay(ctx)
		if err == nil && !e.left {
			err = e.redis(ctx)
		}
		if err != nil && !e.left {
			yield(Check{}, err)
		}
	}
}

// examination is one examination under way: it tells a check for everything it looks at.
type examination struct {
	Options
	targets Targets

	tell     func(Check)
	left     bool // whoever listened has left
	failures map[string]bool
	newest   event.Seq            // of the relay
	each     []reader.CursorState // of a set, one for each partition
	copy     bool                 // of a replay: the stream has a cursor of its own
}

func (e *examination) note(name, status, detail, fix string) {
	if status == Failure {
		e.failures[name] = true
	}
	e.tell(Check{name, status, detail, fix})
}

func (e *examination) ok(name, format string, args ...any) {
	e.note(name, OK, fmt.Sprintf(format, args...), "")
}

func (e *examination) warn(name, fix, format string, args ...any) {
	e.note(name, Warning, fmt.Sprintf(format, args...), fix)
}

func (e *examination) fail(name, fix, format string, args ...any) {
	e.note(name, Failure, fmt.Sprintf(format, args...), fix)
}

func (e *examination) unknown(name, format string, args ...any) {
	e.note(name, Unknown, fmt.Sprintf(format, args...), "")
}

// failed notes an error, with its own hint.
func (e *examination) failed(name string, err error) { e.fail(name, fault.HintOf(err), "%s", err) }

// failing reports whether a check has failed.
func (e *examination) failing(name string) bool { return e.failures[name] }

func (e *examination) copyCursor(ctx context.Context, stream *reader.Reader) string {
	if e.targets.Redis.CopyCursor == nil {
		return ""
	}
	return e.targets.Redis.CopyCursor(ctx, stream)
}

// program is what our own writers call themselves.
const program = "fhctl"

// Remedies that several checks speak of.
var (
	verifyIt = fault.Remedy{Do: fault.Verify}
	watch    = fault.Remedy{Do: fault.WatchRelay}
	moved    = fault.Remedy{Do: fault.Moved}.String()
)

// redisChecks are the names of what needs Redis, in their order.
var redisChecks = []string{
	"redis.clock", "redis.version", "redis.role", "redis.eviction", "redis.persistence", "redis.memory", "redis.rights",
	"stream", "stream.entries", "groups", "cursor", "writer",
}

// transport judges what others on the way to Redis can read.
func (e *examination) transport() {
	if e.Cleartext != "" {
		e.warn("redis.transport", "use rediss:// and the server's TLS port; see redis-tls-ca", "%s", e.Cleartext)
		return
	}
	e.ok("redis.transport", "encrypted, on this machine, or without a password")
}

// settings judges who can read the password.
func (e *examination) settings() {
	if e.Exposed != "" {
		e.warn("settings.secret", "chmod 600 the file, or 640 with the group of who runs ingest", "%s", e.Exposed)
		return
	}
	e.ok("settings.secret", "no settings file with a password is open to every user")
}

func (e *examination) redis(ctx context.Context) error {
	e.settings()
	e.transport()
	stream, err := e.targets.Redis.Open(ctx, e.CursorKey)
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
	defer func() {
		if stream != nil {
			_ = stream.Close()
		}
	}()
	if err := admin.CheckSlot(stream); err != nil {
		return err
	}
	e.ok("redis", "answers at %s", e.targets.Redis.Name)
	if name := e.copyCursor(ctx, stream); name != "" {
		e.CursorKey, e.copy = name, true
		_ = stream.Close()
		if stream, err = e.targets.Redis.Open(ctx, name); err != nil {
			e.failed("redis", err)
			return nil
		}
	}
	for _, look := range []func(context.Context, *reader.Reader) error{e.clock, e.server, e.rights} {
		if err := look(ctx, stream); err != nil {
			return err
		}
	}
	o := e.Stats
	o.Sample = sample
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

// passing turns an error of one look into a check that could not be made; only the end
// of the context is an error.
func (e *examination) passing(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.unknown(name, "%s", err)
	return nil
}
