// Package keyspace names the keys in Redis.
//
// [DefaultStream] and [DefaultCursor] are the contract's. [Side], [Lease], [Ledger] and
// [History] name what lies beside a cursor, [Partition] a stream or a cursor of a set.
// In Redis Cluster what belongs together has to share a slot: see [CheckSlot].
package keyspace
