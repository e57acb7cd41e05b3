package preflight

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Server is the Redis that a writer is about to store in, and what is asked of it. It is
// used by one goroutine.
type Server struct {
	Client *conn.Client
	Target *conn.Target
	Keys   script.Keys
	// StreamKey to LeaseKey are keys whose types are looked at.
	StreamKey, CursorKey, SideKey, LeaseKey string
	// AllowEviction lets a server pass that may evict keys when memory is full.
	AllowEviction bool
	// Warned holds the servers that were warned about, where several writers share them;
	// nil warns.
	Warned map[string]bool
	URL    string // for messages, without its password
	Log    *slog.Logger
}

// Answers asks whether Redis answers. It uses a command with a key: in a cluster
// that asks the node that matters, and makes the client look again for nodes
// that appeared late. What the answer lacks is for Inspect to say.
func (s *Server) Answers(ctx context.Context) error {
	err := s.Client.XLen(ctx, s.StreamKey).Err()
	switch {
	case err == nil:
		return nil
	case conn.WrongURL(err) != nil:
		return fault.New(fault.Usage, conn.WrongURL(err), conn.Hint(err))
	case conn.IsCertificate(err):
		return fault.New(fault.Unreachable, err, conn.Hint(err))
	case conn.IsDenied(err), redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil
	}
	return err
}

// Inspect refuses a server that cannot keep the guarantees and warns about one
// that weakens them. It asks once.
func (s *Server) Inspect(ctx context.Context) (conn.Info, error) {
	info, err := s.readInfo(ctx)
	if err != nil {
		return nil, err
	}
	if info["role"] == "slave" && s.Target.Replicated() {
		// A failover is under way: the next dial asks again who leads.
		s.Client.Interrupt()
		return nil, conn.ServerError("READONLY the server was a primary, and is a replica now")
	}
	if info["role"] == "slave" {
		return nil, fault.New(fault.Usage, fmt.Errorf("Redis at %s is a replica of %s:%s", s.URL, info["master_host"], info["master_port"]),
			"writes go to the primary: point REDIS_URL at it, or use redis-sentinel://")
	}
	if policy := info["maxmemory_policy"]; info.EvictsAny() && !s.AllowEviction {
		return nil, fault.New(fault.Usage, fmt.Errorf("Redis evicts keys of any kind when memory is full (maxmemory-policy %s), so cursor or stream could vanish", policy), evictionHint)
	}
	if id := info["run_id"]; id == "" || !s.Warned[id] {
		s.warn(info)
		if s.Warned != nil {
			s.Warned[id] = true
		}
	}
	if err := s.probeTypes(ctx); err != nil {
		return nil, err
	}
	return info, script.CheckRights(ctx, s.Client, s.Keys)
}

func (s *Server) readInfo(ctx context.Context) (conn.Info, error) {
	info, err := s.Client.ServerInfo(ctx, s.StreamKey)
	var reply redis.Error
	if errors.As(err, &reply) && conn.CauseOf(err) == "" {
		s.Log.Warn("This user may not read INFO of Redis, so role, eviction and persistence are unchecked", "err", err)
		return conn.Info{}, nil
	}
	return info, err
}

func (s *Server) warn(info conn.Info) {
	log := s.Log
	switch policy := info["maxmemory_policy"]; {
	case info.EvictsAny():
		log.Warn("Redis may evict stream or cursor when memory is full; allowed by settings", "policy", policy)
	case info.Evicts():
		log.Warn("Redis evicts keys that expire when memory is full: the dashboard's and the lease, which are written again; stream and cursor do not expire and stay", "policy", policy)
	}
	if info["aof_enabled"] == "0" && !info.Embedded() {
		log.Warn("Redis keeps no append-only file: after a crash it forgets what came since the last snapshot, which is read again from the relay, while the relay still has it")
	}
	replicated := s.Target.Replicated() || info["connected_slaves"] != "" && info["connected_slaves"] != "0"
	if _, set := info["min_slaves_good_slaves"]; replicated && !set {
		log.Warn("Redis has replicas but no min-replicas-to-write: writes to a primary that was cut off are lost, and read again from the relay, while the relay still has them")
	}
}

var evictionHint = "run CONFIG SET maxmemory-policy noeviction, or a volatile- policy; where CONFIG is barred, choose it in the service's console; " + fault.To("allow-eviction", "") + " starts all the same"

// probeTypes finds keys that hold something else, without changing anything.
func (s *Server) probeTypes(ctx context.Context) error {
	for _, probe := range []struct {
		key, want string
		read      func() error
	}{
		{s.StreamKey, "a stream", func() error { return s.Client.XLen(ctx, s.StreamKey).Err() }},
		{s.CursorKey, "a string", func() error { return s.Client.Get(ctx, s.CursorKey).Err() }},
		{s.SideKey, "a string", func() error { return s.Client.Get(ctx, s.SideKey).Err() }},
		{s.LeaseKey, "a string", func() error { return s.Client.Get(ctx, s.LeaseKey).Err() }},
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

// Ledger finds out whether the ledger of losses may be written, and its lines merged. It
// tries each command in a form that cannot do anything, and says what is missing.
func (s *Server) Ledger(ctx context.Context, key string) (write, merge bool, err error) {
	pipe := s.Client.Pipeline()
	add := pipe.Do(ctx, "xadd", key, "NOMKSTREAM", "no-id", "f", "v")
	look := pipe.XRevRangeN(ctx, key, "+", "-", 1)
	remove := pipe.XDel(ctx, key, "0-0")
	conn.Exchange(ctx, pipe)
	for _, err := range []error{add.Err(), look.Err(), remove.Err()} {
		var reply redis.Error
		if err != nil && (!errors.As(err, &reply) || conn.CauseOf(err) != "") {
			return false, false, err
		}
	}
	switch log := s.Log; {
	case look.Err() != nil || conn.IsDenied(add.Err()):
		why := add.Err()
		if look.Err() != nil {
			why = look.Err()
		}
		log.Warn("What groups lose to trimming is counted and logged, but not kept: the ledger cannot be written; give the Redis user xadd, xrevrange and xdel on it",
			"ledger", key, "err", why)
		return false, false, nil
	case remove.Err() != nil:
		log.Warn("The ledger of losses gets a line for every batch that loses something: give the Redis user xdel on it, so that lines can be merged",
			"ledger", key, "err", remove.Err())
		return true, false, nil
	}
	return true, true, nil
}
