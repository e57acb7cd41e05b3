package reader

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Vitals is what the server that holds the stream says of itself. Numbers are
// -1, and texts empty, where it does not tell.
type Vitals struct {
	Version    string
	RunID      string // of the server's process, unlike any other's
	Role       string // master or slave
	UsedMemory int64  // bytes
	MaxMemory  int64  // bytes; 0 is no limit
	// Durable is false when the server's last try to write to its disk
	// failed, whether for a snapshot or for the append-only file.
	Durable  bool
	AOF      bool  // an append-only file is kept
	Replicas int64 // connected
	// Eviction is the maxmemory-policy, and Primary whose replica this is,
	// HOST:PORT.
	Eviction string
	Primary  string
	// EvictsAny is whether that policy lets go of stream and cursor: of keys that
	// do not expire.
	EvictsAny bool
	Embedded  bool // the server inside an fhctl process
	// Clock is the server's, when it answered; zero before Redis 6.2.
	Clock time.Time
	// MinReplicas is whether writes need a number of replicas.
	MinReplicas bool
}

// Vitals reads INFO. A Redis user that may not ask gets no error but unknowns.
func (r *Reader) Vitals(ctx context.Context) (Vitals, error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	info, err := r.client.ServerInfo(once, r.config.StreamKey)
	var reply redis.Error
	switch {
	case errors.As(err, &reply) && conn.CauseOf(err) == "":
		return vitalsOf(nil), nil
	case err != nil:
		return Vitals{}, r.config.Classed(ctx, "read INFO", err)
	}
	return vitalsOf(info), nil
}

func vitalsOf(f conn.Info) Vitals {
	clock := time.Time{}
	if us := f.Number("server_time_usec"); us > 0 {
		clock = time.UnixMicro(us).UTC()
	}
	failed := f["rdb_last_bgsave_status"] == "err" || f["aof_last_write_status"] == "err" || f["aof_last_bgrewrite_status"] == "err"
	return Vitals{
		Version: f["redis_version"], RunID: f["run_id"], Role: f["role"],
		UsedMemory: f.Number("used_memory"), MaxMemory: f.Number("maxmemory"),
		Durable: !failed, AOF: f["aof_enabled"] == "1", Replicas: f.Number("connected_slaves"),
		Eviction: f["maxmemory_policy"], EvictsAny: f.EvictsAny(), Primary: f.Primary(), Embedded: f.Embedded(),
		MinReplicas: f["min_slaves_good_slaves"] != "", Clock: clock,
	}
}

// MayWrite asks, without writing anything, whether this Redis user has the
// rights that a Writer needs. What is missing is a fault.Refused that names it.
func (r *Reader) MayWrite(ctx context.Context) error {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	err := script.CheckRights(once, r.client, script.KeysOf(r.config.StreamKey, r.config.CursorKey, false))
	if err == nil || fault.ClassOf(err) == fault.Refused {
		return err
	}
	return r.config.Classed(ctx, "check rights", err)
}
