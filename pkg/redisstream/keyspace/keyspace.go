package keyspace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/fault"
)

// The contract's names (contract §2).
const (
	DefaultStream = "firehose:events"
	DefaultCursor = "firehose:python_cursor"
)

// MostPartitions bounds a set: each partition has connections of its own.
const MostPartitions = 64

// Side is the key beside a cursor that says whose it is.
func Side(cursor string) string { return cursor + ":meta" }

// Lease is the key that says which of several writers of a cursor leads.
func Lease(cursor string) string { return cursor + ":lease" }

// Ledger is the stream that tells what groups lost to trimming.
func Ledger(cursor string) string { return cursor + ":losses" }

// History is the stream that tells what operators changed of a cursor.
func History(cursor string) string { return cursor + ":history" }

// Partition is the name of a partition's stream or cursor: the key with the
// partition's number in braces. Redis Cluster keeps names with the same text in
// braces together, so that a partition's stream, cursor and side key share a slot.
func Partition(key string, i int) string { return key + ":{" + strconv.Itoa(i) + "}" }

// CheckPartitions refuses, as fault.Usage, names whose own braces would put all
// partitions into one slot.
func CheckPartitions(keys ...string) error {
	for _, key := range keys {
		if strings.ContainsAny(key, "{}") {
			return fault.New(fault.Usage, fmt.Errorf("key %s has braces, and partitions add braces of their own: all of them would share one slot", key),
				"choose names without braces, such as "+DefaultStream+" and "+DefaultCursor)
		}
	}
	return nil
}

// CheckSlot refuses, as fault.Usage, a stream and a cursor that one script could not
// touch together in Redis Cluster.
func CheckSlot(stream, cursor string) error {
	if hashed(stream) == hashed(cursor) && hashed(cursor) == hashed(Side(cursor)) {
		return nil
	}
	return fault.New(fault.Usage, fmt.Errorf("keys %s and %s may be on different nodes of the cluster", stream, cursor),
		fmt.Sprintf("name the cursor {%s}:cursor, so that it shares the stream's slot", hashed(stream)))
}

// hashed is the part of a key that chooses its slot in Redis Cluster.
func hashed(key string) string {
	_, rest, ok := strings.Cut(key, "{")
	if tag, _, closed := strings.Cut(rest, "}"); ok && closed && tag != "" {
		return tag
	}
	return key
}
