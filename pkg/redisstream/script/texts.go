package script

import (
	_ "embed" // the scripts are files of their own

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
)

var (
	//go:embed lua/common.lua
	commonLua string
	//go:embed lua/retention.lua
	retentionLua string
	//go:embed lua/append.lua
	appendLua string
	//go:embed lua/room.lua
	roomLua string
	//go:embed lua/restore.lua
	restoreLua string
	//go:embed lua/rebase.lua
	rebaseLua string
	//go:embed lua/refilter.lua
	refilterLua string
	//go:embed lua/lease.lua
	leaseLua string
	//go:embed lua/move.lua
	moveLua string
	//go:embed lua/scan.lua
	scanLua string
	//go:embed lua/found.lua
	foundLua string
	//go:embed lua/removed.lua
	removedLua string

	appendText     = commonLua + retentionLua + appendLua
	appendScript   = redis.NewScript(appendText)
	roomScript     = redis.NewScript(commonLua + retentionLua + roomLua)
	restoreScript  = redis.NewScript(commonLua + restoreLua)
	rebaseScript   = redis.NewScript(commonLua + rebaseLua)
	refilterScript = redis.NewScript(commonLua + refilterLua)
	leaseScript    = redis.NewScript(commonLua + leaseLua)
	moveScript     = redis.NewScript(commonLua + moveLua)
	scanScript     = redis.NewScript(commonLua + scanLua)
	foundScript    = redis.NewScript(commonLua + foundLua)
	removedScript  = redis.NewScript(commonLua + removedLua)
)

// Keys are those that the scripts touch. In Redis Cluster all are in one slot.
type Keys struct {
	Stream, Cursor, Side, Lease string
	Ledger                      string // of losses; "" where it is not written
}

// KeysOf are the keys of a stream and its cursor, without the ledger. A writer that takes
// no part in the lease names a key that is there in its place: while Redis Cluster moves
// a slot, a script that names a missing key has to wait (TRYAGAIN).
func KeysOf(stream, cursor string, leads bool) Keys {
	k := Keys{Stream: stream, Cursor: cursor, Side: keyspace.Side(cursor), Lease: keyspace.Lease(cursor)}
	if !leads {
		k.Lease = cursor
	}
	return k
}

// list is the keys in the scripts' order.
func (k Keys) list() []string {
	list := []string{k.Stream, k.Cursor, k.Side, k.Lease}
	if k.Ledger != "" {
		list = append(list, k.Ledger)
	}
	return list
}
