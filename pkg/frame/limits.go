package frame

// Limits on one commit or sync (E1).
const (
	MaxBlocks     = 2_000_000 // bytes of a commit's CAR
	MaxOps        = 200       // ops of a commit
	MaxSyncBlocks = 10_000    // bytes of a sync's CAR
	MaxTime       = 64        // bytes of an event's time; a longer one is none
)
