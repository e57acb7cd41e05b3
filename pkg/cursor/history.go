package cursor

import (
	"context"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Changes is what was changed of a cursor. As JSON it keeps its shape (docs/json.md).
type Changes struct {
	V       int      `json:"v"`
	Key     string   `json:"key"` // the history's
	Changes []Change `json:"changes"`
}

// Change is one of them.
type Change struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`     // by Redis's clock
	Before *string   `json:"before"` // what the key held; null is no cursor
	After  *string   `json:"after"`
	// RelayBefore and RelayAfter are whose cursor it was; null is unknown.
	RelayBefore *string `json:"relayBefore"`
	RelayAfter  *string `json:"relayAfter"`
	Asked       string  `json:"asked"`
	By          string  `json:"by"`
	Epoch       int64   `json:"epoch"`
	Undoes      *string `json:"undoes"` // id of the change it took back
	Undone      bool    `json:"undone"`
}

// History lists what was changed of the cursor of r on purpose, newest first; at most the
// last hundred changes. Moves that writers made themselves are not in it.
func History(ctx context.Context, r *reader.Reader) (*Changes, error) {
	changes, err := admin.History(ctx, r)
	if err != nil {
		return nil, err
	}
	report := &Changes{V: version, Key: admin.HistoryKey(r), Changes: []Change{}}
	for _, c := range changes {
		report.Changes = append(report.Changes, Change{
			ID: string(c.ID), At: c.ID.Time(), Before: unlessEmpty(c.Before), After: unlessEmpty(c.After),
			RelayBefore: unlessEmpty(relayOf(c.Before, c.Owner.Relay)), RelayAfter: unlessEmpty(relayOf(c.After, c.Relay)),
			Asked: c.How, By: c.By, Epoch: c.Epoch, Undoes: unlessEmpty(string(c.Undoes)), Undone: c.Undone,
		})
	}
	return report, nil
}

// relayOf is whose a cursor was; no cursor is nobody's.
func relayOf(cursor, relay string) string {
	if cursor == "" {
		return ""
	}
	return relay
}
