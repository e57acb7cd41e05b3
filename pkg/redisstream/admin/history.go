package admin

import (
	"context"
	"fmt"
	"strconv"

	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Change is one entry of the cursor's history.
type Change struct {
	ID reader.ID // its time is the server's
	// Before and After are what the cursor held; "" is no cursor.
	Before, After string
	// Owner is whose cursor it was before; OwnerKnown is false when there
	// was no side key, or none that could be read.
	Owner      script.Side
	OwnerKnown bool
	Relay      string // whose it is since
	How        string // what was asked for
	By         string
	Epoch      int64
	Undoes     reader.ID // the change this one took back; "" when it is none
	Undone     bool
}

// HistoryKey is the stream that holds the changes.
func HistoryKey(r *reader.Reader) string { return keyspace.History(r.Partitions()[0].CursorKey()) }

// History is what MoveCursor changed, newest first; at most the last hundred.
// Moves that writers made themselves are not in it.
func History(ctx context.Context, r *reader.Reader) ([]Change, error) {
	entries, err := r.Lines(ctx, HistoryKey(r), historyKept)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	undone := map[reader.ID]bool{}
	changes := make([]Change, 0, len(entries))
	for _, s := range entries {
		c := changeOf(s)
		c.Undone = undone[c.ID]
		if c.Undoes != "" {
			undone[c.Undoes] = true
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func changeOf(s reader.Stored) Change {
	value := func(name string) string {
		text, _ := s.Value(name)
		return text
	}
	c := Change{
		ID: s.ID, Before: value("before"), After: value("after"), Relay: value("relay"),
		How: value("how"), By: value("by"), Undoes: reader.ID(value("undoes")),
	}
	c.Epoch, _ = strconv.ParseInt(value("epoch"), 10, 64)
	if text := value("side"); text != "" {
		owner, broken := script.ParseSide([]byte(text))
		c.Owner, c.OwnerKnown = owner, !broken
	}
	return c
}

// historyKept is how many changes of the cursor are remembered.
const historyKept = 100
