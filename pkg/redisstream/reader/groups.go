package reader

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/redis/go-redis/v9"
)

// Group is a consumer group as it stands.
type Group struct {
	Name          string
	LastDelivered ID
	EntriesRead   int64 // -1 when the server does not know
	// Lag is how many stored entries the group has not been given. It is
	// counted, or the server's where that can be trusted; else, LagExact is
	// false and it is estimated from the seqs, good to a few percent.
	Lag      int64
	LagExact bool
	// Pending entries were given to a consumer and not acknowledged. What
	// follows is zero without any. MaxDeliveries looks at the oldest
	// pendingLook of them.
	Pending           int64
	OldestPending     ID
	OldestPendingIdle time.Duration // since it was last delivered
	MaxDeliveries     int64
	Consumers         []Consumer // by name
}

// Consumer is a member of a group. Inactive is -1 where the server (before
// Redis 7.2) does not tell it.
type Consumer struct {
	Name     string
	Pending  int64
	Idle     time.Duration // since it last asked
	Inactive time.Duration // since it last got something
}

// pendingLook is how many pending entries of a group are looked at.
const pendingLook = 1000

// Groups reads all groups, by name. Of a set, groups of one name count as one. ErrNoStream when the key does not exist.
// Per group it takes a few exchanges and reads no more than a page of entries.
func (r *Reader) Groups(ctx context.Context) ([]Group, error) {
	if r.parts != nil {
		return r.setGroups(ctx)
	}
	b, err := r.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	once, cancel := r.config.Within(ctx)
	defer cancel()
	rows, err := r.info(once, "groups", r.config.StreamKey)
	if err != nil {
		return nil, r.config.Classed(ctx, "read groups", err)
	}
	trusted, err := r.trustsLag(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]Group, 0, len(rows))
	for _, row := range rows {
		g, theirs := parseGroup(row)
		if err := r.look(ctx, &g, b, theirs, trusted); err != nil {
			return nil, fmt.Errorf("read group %s: %w", g.Name, err)
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return groups, nil
}

// info runs XINFO, whose key comes third: a cluster client must know.
func (r *Reader) info(ctx context.Context, what ...any) ([]any, error) {
	cmd := redis.NewSliceCmd(ctx, append([]any{"xinfo"}, what...)...)
	cmd.SetFirstKeyPos(2)
	_ = r.client.Process(ctx, cmd)
	return cmd.Result()
}

// look fills in what XINFO GROUPS does not tell.
func (r *Reader) look(ctx context.Context, g *Group, b Bounds, theirs int64, trusted bool) error {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	if g.Pending > 0 {
		if err := r.lookAtPending(once, g); err != nil {
			return r.config.Classed(ctx, "read pending entries", err)
		}
	}
	rows, err := r.info(once, "consumers", r.config.StreamKey, g.Name)
	if err != nil {
		return r.config.Classed(ctx, "read consumers", err)
	}
	for _, row := range rows {
		g.Consumers = append(g.Consumers, parseConsumer(row))
	}
	slices.SortFunc(g.Consumers, func(a, b Consumer) int { return strings.Compare(a.Name, b.Name) })
	return r.measureLag(ctx, g, b, theirs, trusted)
}

func (r *Reader) lookAtPending(ctx context.Context, g *Group) error {
	rows, err := r.client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: r.config.StreamKey, Group: g.Name, Start: "-", End: "+", Count: pendingLook,
	}).Result()
	if err != nil || len(rows) == 0 {
		return err
	}
	g.OldestPending, g.OldestPendingIdle = ID(rows[0].ID), rows[0].Idle
	for _, row := range rows {
		g.MaxDeliveries = max(g.MaxDeliveries, row.RetryCount)
	}
	return nil
}

// measureLag counts at both ends and near the newer one. In between it takes
// the server's number, if it may, or compares seqs.
func (r *Reader) measureLag(ctx context.Context, g *Group, b Bounds, theirs int64, trusted bool) error {
	g.LagExact = true
	switch {
	case b.Length == 0 || g.LastDelivered.Compare(b.Last.ID) >= 0:
		g.Lag = 0
		return nil
	case g.LastDelivered.Compare(b.First.ID) < 0:
		g.Lag = b.Length
		return nil
	case trusted && g.EntriesRead >= 0 && theirs >= 0 && theirs <= b.Length:
		g.Lag = theirs
		return nil
	}
	unread, err := r.heads(ctx, "xrange", g.LastDelivered.Next(), b.Last.ID, r.config.Page)
	if err != nil {
		return err
	}
	g.Lag = int64(len(unread))
	if len(unread) == r.config.Page && unread[len(unread)-1].ID != b.Last.ID {
		g.Lag, g.LagExact = max(g.Lag, estimate(unread[0], b)), false
	}
	return nil
}

// estimate is the share of the stream from an entry on, by seq or, where there
// are none, by time.
func estimate(s Stored, b Bounds) int64 {
	first, ok1 := b.First.Seq()
	last, ok2 := b.Last.Seq()
	at, ok3 := s.Seq()
	whole, part := float64(last-first), float64(last-at)
	if !ok1 || !ok2 || !ok3 || at < first || last <= at {
		whole = float64(b.Last.ID.Time().Sub(b.First.ID.Time()))
		part = float64(b.Last.ID.Time().Sub(s.ID.Time()))
	}
	if whole <= 0 {
		return b.Length
	}
	return min(b.Length, int64(part/whole*float64(b.Length))+1)
}

// trustsLag reports whether the server's own lag stays right when a stream was
// trimmed past a group: Redis from 7.2.6 and 7.4.1 on. Before, a group that
// lost entries unread goes on counting them.
func (r *Reader) trustsLag(ctx context.Context) (bool, error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	info, err := r.client.ServerInfo(once, r.config.StreamKey)
	switch {
	case err != nil && conn.CauseOf(err) == "":
		return false, nil // not allowed to ask
	case err != nil:
		return false, r.config.Classed(ctx, "read INFO", err)
	}
	return info.TrustsLag(), nil
}

// parseGroup reads a row of XINFO GROUPS; theirs is the server's lag, -1 when
// it has none. Servers before Redis 7 send neither that nor entries-read.
func parseGroup(row any) (g Group, theirs int64) {
	f := conn.RowOf(row)
	g = Group{Name: f.Text("name"), LastDelivered: ID(f.Text("last-delivered-id")), EntriesRead: f.Number("entries-read"), Pending: max(0, f.Number("pending"))}
	return g, f.Number("lag")
}

func parseConsumer(row any) Consumer {
	f := conn.RowOf(row)
	c := Consumer{Name: f.Text("name"), Pending: max(0, f.Number("pending")), Inactive: -1}
	c.Idle = time.Duration(max(0, f.Number("idle"))) * time.Millisecond
	if ms := f.Number("inactive"); ms >= 0 {
		c.Inactive = time.Duration(ms) * time.Millisecond
	}
	return c
}
