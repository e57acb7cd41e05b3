package redisstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// inspect refuses a server that cannot keep the guarantees and warns about one
// that weakens them.
func (w *Writer) inspect(ctx context.Context, t *conn.Target) (conn.Info, error) {
	info, err := w.readInfo(ctx)
	if err != nil {
		return nil, err
	}
	if info["role"] == "slave" && t.Replicated() {
		// A failover is under way: the next dial asks again who leads.
		w.client.Interrupt()
		return nil, conn.ServerError("READONLY the server was a primary, and is a replica now")
	}
	if info["role"] == "slave" {
		return nil, fault.New(fault.Usage, fmt.Errorf("Redis at %s is a replica of %s:%s", fault.Redact(w.config.URL), info["master_host"], info["master_port"]),
			"writes go to the primary: point REDIS_URL at it, or use redis-sentinel://")
	}
	if policy := info["maxmemory_policy"]; info.EvictsAny() && !w.config.AllowEviction {
		return nil, fault.New(fault.Usage, fmt.Errorf("Redis evicts keys of any kind when memory is full (maxmemory-policy %s), so cursor or stream could vanish", policy), evictionHint)
	}
	if id := info["run_id"]; id == "" || !w.config.warned[id] {
		w.warn(info, t)
		if w.config.warned != nil {
			w.config.warned[id] = true
		}
	}
	if err := w.probeTypes(ctx); err != nil {
		return nil, err
	}
	return info, script.CheckRights(ctx, w.client, w.keys)
}

func (w *Writer) readInfo(ctx context.Context) (conn.Info, error) {
	info, err := w.client.ServerInfo(ctx, w.config.StreamKey)
	var reply redis.Error
	if errors.As(err, &reply) && conn.CauseOf(err) == "" {
		w.config.Logger.Warn("This user may not read INFO of Redis, so role, eviction and persistence are unchecked", "err", err)
		return conn.Info{}, nil
	}
	return info, err
}

func (w *Writer) warn(info conn.Info, t *conn.Target) {
	log := w.config.Logger
	switch policy := info["maxmemory_policy"]; {
	case info.EvictsAny():
		log.Warn("Redis may evict stream or cursor when memory is full; allowed by settings", "policy", policy)
	case info.Evicts():
		log.Warn("Redis evicts keys that expire when memory is full: the dashboard's and the lease, which are written again; stream and cursor do not expire and stay", "policy", policy)
	}
	if info["aof_enabled"] == "0" && !info.Embedded() {
		log.Warn("Redis keeps no append-only file: after a crash it forgets what came since the last snapshot, which is read again from the relay, while the relay still has it")
	}
	replicated := t.Replicated() || info["connected_slaves"] != "" && info["connected_slaves"] != "0"
	if _, set := info["min_slaves_good_slaves"]; replicated && !set {
		log.Warn("Redis has replicas but no min-replicas-to-write: writes to a primary that was cut off are lost, and read again from the relay, while the relay still has them")
	}
}

var evictionHint = "run CONFIG SET maxmemory-policy noeviction, or a volatile- policy; where CONFIG is barred, choose it in the service's console; " + fault.To("allow-eviction", "") + " starts all the same"

// probeTypes finds keys that hold something else, without changing anything.
func (w *Writer) probeTypes(ctx context.Context) error {
	c := &w.config
	for _, probe := range []struct {
		key, want string
		read      func() error
	}{
		{c.StreamKey, "a stream", func() error { return w.client.XLen(ctx, c.StreamKey).Err() }},
		{c.CursorKey, "a string", func() error { return w.client.Get(ctx, c.CursorKey).Err() }},
		{c.SideKey(), "a string", func() error { return w.client.Get(ctx, c.SideKey()).Err() }},
		{c.LeaseKey(), "a string", func() error { return w.client.Get(ctx, c.LeaseKey()).Err() }},
	} {
		err := probe.read()
		if err != nil && redis.HasErrorPrefix(err, "WRONGTYPE") {
			return fault.New(fault.Data, fmt.Errorf("key %s is not %s: %w", probe.key, probe.want, err),
				fmt.Sprintf("look at it with TYPE %s; rename it, or choose another key name", probe.key))
		}
		if err != nil && !errors.Is(err, redis.Nil) && conn.CauseOf(err) != "" {
			return err
		}
	}
	return nil
}
