package endpoint

import "strings"

// ReplayCursors are the names that the cursor of replays into a stream may have:
// the plain one, and where that is another, the one in a cluster.
func ReplayCursors(key string, partitions int) []string {
	names := []string{key + ":replay-cursor"}
	if partitions <= 1 && !strings.Contains(key, "{") {
		names = append(names, "{"+key+"}:replay-cursor")
	}
	return names
}
