package floor

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Stream is a stream whose groups are asked. Each call asks once, without waiting for a
// Redis that is away.
type Stream struct {
	Client *conn.Client
	Key    string
	MaxLen int64 // to which its writer trims; 0 never
}

// Read gives the seq before the oldest entry that some group has not
// acknowledged; the last acknowledged cursor when all have. Without groups
// nobody has acknowledged anything: consumers create theirs at the oldest entry
// (contract §1). newest is the newest entry's seq, read last, 0 without one: groups
// that have nothing to read have not read everything where that is gone.
func (s Stream) Read(ctx context.Context, acked event.Seq) (lowest, newest event.Seq, err error) {
	groups, err := s.Client.XInfoGroups(ctx, s.Key).Result()
	if err != nil {
		return 0, 0, err
	}
	if len(groups) == 0 {
		groups = []redis.XInfoGroup{{LastDeliveredID: "0"}}
	}
	lowest = acked
	for _, g := range groups {
		from := "(" + g.LastDeliveredID
		if g.Pending > 0 {
			pending, err := s.Client.XPending(ctx, s.Key, g.Name).Result()
			if err != nil {
				return 0, 0, err
			}
			if pending.Lower != "" {
				from = pending.Lower
			}
		}
		seq, err := s.SeqAt(ctx, "XRANGE", from, "+")
		if err != nil {
			return 0, 0, err
		}
		if seq > 0 {
			lowest = min(lowest, seq-1)
		}
	}
	newest, err = s.SeqAt(ctx, "XREVRANGE", "+", "-")
	return lowest, newest, err
}

// first is the first entry that command finds, its id NoEntry when there is none, its seq
// 0 when it has none. The entry itself, which may be large, stays with Redis.
func (s Stream) first(ctx context.Context, command, from, to string) (id reader.ID, seq event.Seq, err error) {
	found, err := script.Scan{Command: command, From: from, To: to, Count: 1}.Run(ctx, s.Client, s.Key)
	if err != nil || len(found.Above) == 0 {
		return NoEntry, 0, err
	}
	return reader.ID(found.Above[0].ID), found.Above[0].Seq, nil
}

// SeqAt is the seq of the first entry that command finds; 0 when there is none, or
// when it has none.
func (s Stream) SeqAt(ctx context.Context, command, from, to string) (event.Seq, error) {
	_, seq, err := s.first(ctx, command, from, to)
	return seq, err
}

// Acknowledged reports whether every group has acknowledged everything that was ever in
// the stream, whatever of it is there; false where there is no group.
func (s Stream) Acknowledged(ctx context.Context) bool {
	r, err := script.Removed(ctx, s.Client, s.Key)
	if err != nil || r.Gone <= 0 || r.Last == "" || r.Last == "0-0" {
		return false // nothing was ever in it: it was made anew
	}
	groups, err := s.Client.XInfoGroups(ctx, s.Key).Result()
	return err == nil && len(groups) > 0 && !slices.ContainsFunc(groups, func(g redis.XInfoGroup) bool {
		return g.Pending > 0 || reader.ID(g.LastDeliveredID).Compare(reader.ID(r.Last)) < 0
	})
}

// LastDeleted reports whether an entry came behind newest, which is the newest one left.
func (s Stream) LastDeleted(ctx context.Context, newest reader.ID) bool {
	row, err := s.Client.Do(ctx, "xinfo", "stream", s.Key).Result()
	if err != nil {
		return false // what cannot be asked is not known
	}
	last := reader.ID(conn.RowOf(row).Text("last-generated-id"))
	return last != "" && last.Compare(newest) > 0
}

// Note adds a line to the ledger of losses, under no group's name.
func (s Stream) Note(ctx context.Context, ledger string, g Gone) error {
	added := int64(0)
	if row, err := s.Client.Do(ctx, "xinfo", "stream", s.Key).Result(); err == nil {
		added = max(0, conn.RowOf(row).Number("entries-added"))
	}
	return s.Client.Do(ctx, "xadd", ledger, "MAXLEN", "~", ledgerLines, "*", "group", "",
		"unread", "0", "pending", "0", "from", g.From.String(), "to", g.To.String(), "kept", g.Kept.String(), "added", added).Err()
}

// ledgerLines is about how many lines the ledger keeps, as the scripts trim it.
const ledgerLines = 1000
