package redisstream

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/fault"
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
	once, cancel := r.config.within(ctx)
	defer cancel()
	w := Writer{config: Config{Connection: r.config.Connection, StreamKey: r.config.StreamKey}, client: r.client}
	text, err := w.readInfo(once)
	var reply redis.Error
	switch {
	case errors.As(err, &reply) && causeOf(err) == "":
		return vitalsOf(""), nil
	case err != nil:
		return Vitals{}, r.config.classed(ctx, "read INFO", err)
	}
	return vitalsOf(text), nil
}

func vitalsOf(info string) Vitals {
	f := facts{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			f[name] = value
		}
	}
	clock := time.Time{}
	if us := f.number("server_time_usec"); us > 0 {
		clock = time.UnixMicro(us).UTC()
	}
	failed := f["rdb_last_bgsave_status"] == "err" || f["aof_last_write_status"] == "err" || f["aof_last_bgrewrite_status"] == "err"
	return Vitals{
		Version: f["redis_version"], RunID: f["run_id"], Role: f["role"],
		UsedMemory: f.number("used_memory"), MaxMemory: f.number("maxmemory"),
		Durable: !failed, AOF: f["aof_enabled"] == "1", Replicas: f.number("connected_slaves"),
		Eviction: f["maxmemory_policy"], EvictsAny: evictsAny(f["maxmemory_policy"]), Primary: f.primary(), Embedded: f["server_name"] == "fhctl-embedded",
		MinReplicas: f["min_slaves_good_slaves"] != "", Clock: clock,
	}
}

func (f facts) primary() string {
	if f["master_host"] == "" {
		return ""
	}
	return net.JoinHostPort(f["master_host"], f["master_port"])
}

// MayWrite asks, without writing anything, whether this Redis user has the
// rights that a Writer needs. What is missing is a fault.Refused that names it.
func (r *Reader) MayWrite(ctx context.Context) error {
	once, cancel := r.config.within(ctx)
	defer cancel()
	c := Config{Connection: r.config.Connection, StreamKey: r.config.StreamKey, CursorKey: r.config.CursorKey}
	w := Writer{config: c, client: r.client, keys: c.keyArgs()}
	err := w.probeRights(once)
	if err == nil || fault.ClassOf(err) == fault.Refused {
		return err
	}
	return r.config.classed(ctx, "check rights", err)
}

func (f facts) number(name string) int64 {
	n, err := strconv.ParseInt(f[name], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
