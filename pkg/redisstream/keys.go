package redisstream

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/fault"
)

// The contract's defaults (contract §2).
const (
	DefaultStreamKey = "firehose:events"
	DefaultCursorKey = "firehose:python_cursor"
	DefaultMaxLen    = 500_000
)

func ledgerKeyOf(cursorKey string) string { return cursorKey + ":losses" }

func sideKeyOf(cursorKey string) string { return Config{CursorKey: cursorKey}.SideKey() }

// checkPartitionKeys refuses names whose own braces would put all partitions
// into one slot.
func checkPartitionKeys(keys ...string) error {
	for _, key := range keys {
		if strings.ContainsAny(key, "{}") {
			return fault.New(fault.Usage, fmt.Errorf("key %s has braces, and partitions add braces of their own: all of them would share one slot", key),
				"choose names without braces, such as "+DefaultStreamKey+" and "+DefaultCursorKey)
		}
	}
	return nil
}

// PartitionKey is the name of a partition's stream or cursor: the key with the
// partition's number in braces. Redis Cluster keeps names with the same text in
// braces together, so that a partition's stream, cursor and side key share a slot.
func PartitionKey(key string, i int) string { return key + ":{" + strconv.Itoa(i) + "}" }

// MostPartitions bounds a set: each partition has connections of its own.
const MostPartitions = 64

// hashed is the part of a key that chooses its slot in Redis Cluster.
func hashed(key string) string {
	_, rest, ok := strings.Cut(key, "{")
	if tag, _, closed := strings.Cut(rest, "}"); ok && closed && tag != "" {
		return tag
	}
	return key
}
