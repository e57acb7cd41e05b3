package stats

import (
	"context"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// shownLosses is how many lines of the ledger a report has.
const shownLosses = 10

// Losses is the newest lines of the ledger.
type Losses struct {
	Key     string `json:"key"`
	Unknown string `json:"unknown,omitempty"` // why it could not be read
	Newest  []Loss `json:"newest"`            // newest first
}

// Loss is what a group lost to trimming in one stretch.
type Loss struct {
	Group   string    `json:"group"`   // "": somebody removed entries, which are gone for all
	Unread  int64     `json:"unread"`  // entries it was never given
	Pending int64     `json:"pending"` // entries given and not acknowledged
	From    event.Seq `json:"from"`    // of the first entry lost
	To      event.Seq `json:"to"`      // of the last
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
}

func (c *collector) losses(ctx context.Context, f *facts) (err error) {
	f.losses, f.lossesWhy, err = c.reader.Losses(ctx, shownLosses)
	f.ledgerKey = c.reader.LedgerKey()
	return err
}

func (f *facts) reportLosses() Losses {
	out := Losses{Key: f.ledgerKey, Unknown: f.lossesWhy, Newest: []Loss{}}
	for _, l := range f.losses {
		out.Newest = append(out.Newest, lossOf(l))
	}
	return out
}

func lossOf(l reader.Loss) Loss {
	return Loss{Group: l.Group, Unread: l.Unread, Pending: l.Pending, From: l.From, To: l.To, Since: l.Since, Until: l.Until.UTC()}
}
