package doctor

import (
	"context"
	"time"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
)

// clockApart is how far two clocks may differ before figures that compare them
// mislead.
const clockApart = 2 * time.Second

func (e *examination) clock(ctx context.Context, r *reader.Reader) error {
	before := e.Now()
	at, known, err := r.Now(ctx)
	after := e.Now()
	switch {
	case err != nil:
		return e.passing(ctx, "redis.clock", err)
	case !known:
		e.unknown("redis.clock", "this Redis user may not run TIME")
		return nil
	}
	// It was read some time between before and after.
	apart := max(at.Sub(after), before.Sub(at), 0)
	if apart > clockApart {
		e.warn("redis.clock", "compare with: date -u; set both clocks with NTP. Nothing is lost by it, but ages and lags mislead",
			"Redis's clock is %s from this machine's", text.Span(apart))
		return nil
	}
	e.ok("redis.clock", "as this machine's")
	return nil
}

// server judges what INFO tells.
func (e *examination) server(ctx context.Context, r *reader.Reader) error {
	names := redisChecks[1:6]
	v, err := r.Vitals(ctx)
	if err != nil {
		for _, name := range names {
			if err := e.passing(ctx, name, err); err != nil {
				return err
			}
		}
		return nil
	}
	if v.Version == "" {
		for _, name := range names {
			e.unknown(name, "this Redis user may not run INFO")
		}
		return nil
	}
	e.version(&v)
	e.role(&v)
	e.eviction(&v)
	e.persistence(&v)
	e.memory(ctx, r, &v)
	return nil
}

func (e *examination) version(v *reader.Vitals) {
	switch {
	case v.Embedded:
		e.ok("redis.version", "the embedded server, for a look and for tests")
	case olderThan(v.Version, 5, 0):
		e.fail("redis.version", "upgrade Redis to 7", "%s has no streams", v.Version)
	case olderThan(v.Version, 7, 0):
		e.warn("redis.version", "upgrade Redis to 7, with which "+program+" is tested", "%s works, with less exact trimming and lags", v.Version)
	default:
		e.ok("redis.version", "%s", v.Version)
	}
}

func olderThan(version string, major, minor int) bool {
	var a, b int
	for i, n := 0, &a; i < len(version); i++ {
		switch c := version[i]; {
		case c >= '0' && c <= '9':
			*n = *n*10 + int(c-'0')
		case c == '.' && n == &a:
			n = &b
		default:
			i = len(version)
		}
	}
	return a < major || a == major && b < minor
}

func (e *examination) role(v *reader.Vitals) {
	switch {
	case v.Role == "slave":
		e.fail("redis.role", "point REDIS_URL at the primary, or use redis-sentinel://", "a replica of %s: nothing can be written here", v.Primary)
	case v.Replicas > 0 && !v.MinReplicas:
		e.warn("redis.role", "redis-cli CONFIG SET min-replicas-to-write 1",
			"primary with %s and no min-replicas-to-write: what is written to a primary that was cut off is lost, and read again from the relay", text.Counted(int(v.Replicas), "replica"))
	case v.Role == "":
		e.ok("redis.role", "not told; the embedded server is on its own")
	default:
		e.ok("redis.role", "primary with %s", text.Counted(max(0, int(v.Replicas)), "replica"))
	}
}

func (e *examination) eviction(v *reader.Vitals) {
	const fix = "redis-cli CONFIG SET maxmemory-policy noeviction; and in redis.conf, or in the console of a service that bars CONFIG"
	switch {
	case v.Eviction == "" && v.Embedded, v.Eviction == "noeviction":
		e.ok("redis.eviction", "no key is evicted")
	case v.Eviction == "":
		e.unknown("redis.eviction", "the server does not tell maxmemory-policy")
	case !v.EvictsAny:
		e.warn("redis.eviction", fix, "maxmemory-policy %s may evict keys that expire: the dashboard's and the lease, which are written again; stream and cursor stay", v.Eviction)
	case e.AllowEviction:
		e.warn("redis.eviction", fix, "maxmemory-policy %s may evict stream and cursor; allow-eviction lets ingest start", v.Eviction)
	default:
		e.fail("redis.eviction", fix+"; "+fault.To("allow-eviction", "")+" starts all the same", "maxmemory-policy %s may evict stream and cursor: ingest refuses to start", v.Eviction)
	}
}

func (e *examination) persistence(v *reader.Vitals) {
	switch {
	case v.Embedded:
		e.warn("redis.persistence", "use a Redis of its own for anything but a look", "the embedded server keeps nothing on disk")
	case !v.Durable:
		e.fail("redis.persistence", "df -h; then look at Redis's log. Redis refuses writes while this lasts", "Redis could not write to its disk")
	case !v.AOF:
		e.warn("redis.persistence", "redis-cli CONFIG SET appendonly yes; and in redis.conf",
			"no append-only file: after a crash Redis forgets what came since the last snapshot, and %s reads it again from the relay", program)
	default:
		e.ok("redis.persistence", "append-only file")
	}
}

// memory judges the headroom, and what the stream will take once it has its
// full length.
func (e *examination) memory(ctx context.Context, r *reader.Reader, v *reader.Vitals) {
	const fix = "raise maxmemory, or lower max-stream-len; redis-cli INFO memory"
	used, most := v.UsedMemory, v.MaxMemory
	switch {
	case v.Embedded:
		e.ok("redis.memory", "that of the process")
		return
	case used < 0 || most < 0:
		e.unknown("redis.memory", "the server does not tell")
		return
	case most == 0:
		e.warn("redis.memory", "redis-cli CONFIG SET maxmemory 4gb; and in redis.conf",
			"%s used, no maxmemory: the system may kill Redis when memory runs out", text.Bytes(used))
		return
	}
	grown := used + e.growth(ctx, r)
	detail := text.Bytes(used) + " of " + text.Bytes(most) + " used"
	switch {
	case used > most/100*95:
		e.fail("redis.memory", fix, "%s: nothing can be stored once it is full", detail)
	case grown > most:
		e.warn("redis.memory", fix, "%s; with the stream at its full length it would be about %s", detail, text.Bytes(grown))
	case used > most/100*80:
		e.warn("redis.memory", fix, "%s", detail)
	default:
		e.ok("redis.memory", "%s", detail)
	}
}

// growth is what the stream will still grow by until it is trimmed; 0 where
// that cannot be told.
func (e *examination) growth(ctx context.Context, r *reader.Reader) int64 {
	bounds, err := r.Bounds(ctx)
	limit := e.MaxStreamLen
	if err != nil || bounds.Length < 1000 || limit <= bounds.Length {
		return 0
	}
	var bytes int64
	for _, part := range r.Partitions() {
		more, why, err := part.MemoryUsage(ctx)
		if err != nil || why != "" {
			return 0
		}
		bytes += more
	}
	return int64(float64(bytes) / float64(bounds.Length) * float64(limit-bounds.Length))
}

func (e *examination) rights(ctx context.Context, r *reader.Reader) error {
	var err error
	for _, part := range r.Partitions() {
		if err == nil {
			err = part.MayWrite(ctx)
		}
	}
	switch {
	case err == nil:
		e.ok("redis.rights", "this user may run all that ingest needs")
	case fault.ClassOf(err) == fault.Refused:
		e.failed("redis.rights", err)
	default:
		return e.passing(ctx, "redis.rights", err)
	}
	return nil
}
