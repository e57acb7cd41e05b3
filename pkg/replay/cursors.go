package replay

import "strings"

// CursorNames are the names that the cursor of replays into a stream may have:
// the plain one, and where that is another, the one in a cluster.
func CursorNames(stream string, partitions int) []string {
	names := []string{stream + ":replay-cursor"}
	if partitions <= 1 && !strings.Contains(stream, "{") {
		names = append(names, "{"+stream+"}:replay-cursor")
	}
	return names
}

// cursorName is the name of the cursor of replays into a stream. In a cluster
// both keys must share a slot.
func cursorName(url, stream string, partitions int) string {
	names := CursorNames(stream, partitions)
	if strings.Contains(url, "cluster") {
		return names[len(names)-1]
	}
	return names[0]
}
