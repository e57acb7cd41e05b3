package main

import (
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/redistest"
)

// Fault table, stale replica promoted: what the replica never had is read again.
func TestStaleReplicaPromoted(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	line := redistest.NewProxy(t, tr.server.Addr())
	replica := redistest.StartReplica(t, line.Addr())
	tr.run()
	tr.flow(200)
	tr.caughtUp(replica)
	line.Refuse(true)
	line.Cut()
	tr.acknowledged(300) // and lost
	tr.server.Kill()
	tr.server = replica
	replica.Promote()
	tr.proxy.Forward(replica.Addr())
	tr.flow(100)
	tr.alarmed("redis_rollback")
	tr.finish()
}

// caughtUp waits until the replica has what was stored.
func (tr *trial) caughtUp(replica *redistest.Server) {
	tr.Helper()
	eventually(tr.T, time.Minute, func() error { return reached(tr.T, replica, tr.now()) })
}

// Fault table, split brain: the daemon alone still reaches the old primary, and
// writes to it after another was promoted. Those writes vanish when the old one
// becomes a replica of the new.
func TestSplitBrain(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	line := redistest.NewProxy(t, tr.server.Addr())
	replica := redistest.StartReplica(t, line.Addr())
	tr.run()
	tr.flow(200)
	tr.caughtUp(replica)
	line.Refuse(true)
	line.Cut()
	replica.Promote()
	old := tr.server
	tr.acknowledged(400)
	host, port, _ := strings.Cut(replica.Addr(), ":")
	old.Do("replicaof", host, port) // healed: the old side is told
	tr.open(100)
	tr.failed("readonly")
	tr.server = replica
	tr.proxy.Forward(replica.Addr())
	tr.proxy.Cut()
	tr.stored()
	tr.alarmed("redis_rollback")
	tr.finish()
	tr.caughtUp(old)
	tr.server = old
	tr.sound()
}

// Fault table, Sentinel failover: the primary dies with writes that its replica
// never had, Sentinel promotes the replica, and the run goes on by itself.
func TestSentinelFailoverWithWritesLost(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	replica := tr.behindSentinel()
	tr.run()
	tr.flow(200)
	tr.caughtUp(replica)
	replica.Do("replicaof", "127.0.0.1", "1") // cut off
	tr.acknowledged(300)
	tr.failOver(replica)
	tr.open(100)
	tr.stored()
	tr.alarmed("redis_rollback")
	tr.finish()
}

// behindSentinel gives the trial's server a replica and a Sentinel, and leads
// the program to it through the Sentinel.
func (tr *trial) behindSentinel() (replica *redistest.Server) {
	tr.Helper()
	replica = redistest.StartReplica(tr.T, tr.server.Addr())
	host, port, _ := strings.Cut(tr.server.Addr(), ":")
	sentinel := redistest.StartSentinel(tr.T, "main", host, port)
	tr.url = "redis-sentinel://" + sentinel + "/main"
	eventually(tr.T, time.Minute, func() error { return redistest.SentinelKnows(tr.Context(), sentinel, "main", replica) })
	return replica
}

// failOver kills the primary and waits until the replica is one.
func (tr *trial) failOver(replica *redistest.Server) {
	tr.Helper()
	tr.server.Kill()
	replica.WaitInfo("replication", "role:master")
	tr.server = replica
}

// Fault table, AOF cut back: a file that lost its end, by more than a batch.
func TestAppendOnlyFileCutBack(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
	tr.run()
	tr.flow(200)
	for _, part := range []float64{0.9, 0.6, 0.3} {
		tr.acknowledged(300)
		tr.cutBack(part)
		tr.flow(100)
		tr.alarmed("redis_rollback")
	}
	tr.finish()
}

// cutBack kills Redis and starts it with a part of its file.
func (tr *trial) cutBack(part float64) {
	tr.Helper()
	tr.proxy.Stall(true)
	tr.server.Kill()
	tr.server.CutAOF(part)
	tr.server.Restart()
	tr.server.RewriteAOF()
	tr.proxy.Stall(false)
}
