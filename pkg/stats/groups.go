package stats

import "github.com/fhctl/fhctl/pkg/redisstream/reader"

func (f *facts) group(g *groupFacts, rate *float64) Group {
	out := Group{
		Name: g.Name, LastDelivered: string(g.LastDelivered), Lag: g.Lag, LagExact: g.LagExact, Pending: g.Pending,
		Consumers: []Consumer{},
	}
	if g.EntriesRead >= 0 {
		out.EntriesRead = &g.EntriesRead
	}
	if g.Lag > 0 && g.unread.ID != "" {
		out.LagSeconds = max(0, f.since(g.unread.ID.Time()))
	}
	if g.Pending > 0 && g.OldestPending != "" {
		out.OldestPending = &Pending{
			ID: string(g.OldestPending), AgeSeconds: f.since(g.OldestPending.Time()), IdleSeconds: g.OldestPendingIdle.Seconds(),
		}
		d := g.deliveries
		out.Redelivered = &Redelivery{Entries: d.Entries, MaxDeliveries: d.Max, Examined: d.Examined, Complete: d.Examined >= g.Pending}
	}
	for _, c := range g.Consumers {
		out.Consumers = append(out.Consumers, Consumer{c.Name, c.Pending, idle(c.Idle), idle(c.Inactive)})
	}
	first := f.bounds.First.ID
	out.LostUnread = f.lostUnread(g)
	out.LostPending = out.OldestPending != nil && (first == "" || g.OldestPending.Compare(first) < 0)
	out.Room = f.room(g, &out, rate)
	return out
}

// lostUnread reports whether trimming passed a group's position. One at 0-0 has
// only just begun. Nothing is lost when nothing was trimmed, or when the server
// counted that the group had been given everything that was.
func (f *facts) lostUnread(g *groupFacts) bool {
	first := f.bounds.First.ID
	if first == "" || g.LastDelivered.Compare("0-0") == 0 || g.LastDelivered.Compare(first) >= 0 {
		return false
	}
	trimmed := f.added - f.bounds.Length
	return f.added < 0 || trimmed > 0 && g.EntriesRead < trimmed
}

// trimAt is the length at which entries go, 0 for never: what the writer says or, where
// none does, the setting, unless the stream itself shows that its writer has another one.
func (f *facts) trimAt() (length int64, observed bool) {
	if length, ok := f.cursor.Status.MaxLen(f.streamKey); ok {
		return length, length != f.maxLength
	}
	now, slack := f.bounds.Length, f.maxLength/10+1000
	trimmed := f.added > now
	switch {
	case f.maxLength <= 0:
		if trimmed && now > 0 {
			return now, true
		}
		return 0, false
	case now > f.maxLength+slack, trimmed && now > 0 && now < f.maxLength-slack:
		return now, true
	}
	return f.maxLength, false
}

// room is nil where nothing is ever trimmed.
func (f *facts) room(g *groupFacts, out *Group, rate *float64) *Room {
	limit, _ := f.trimAt()
	if limit <= 0 {
		return nil
	}
	r := &Room{Group: g.Name, Exact: g.LagExact, Needs: "unread"}
	behind := g.Lag
	if out.OldestPending != nil {
		if n, exact := f.upTo(g.OldestPending); n > behind {
			behind, r.Exact, r.Needs = n, exact, "pending"
		}
	}
	r.Entries = max(0, limit-behind)
	switch {
	case out.LostUnread:
		r.Entries, r.Exact, r.Needs = 0, true, "unread"
	case out.LostPending:
		r.Entries, r.Exact, r.Needs = 0, true, "pending"
	}
	r.Seconds = timeFor(r.Entries, rate)
	return r
}

// upTo is how many entries the newest end of the stream has from an id on. Only
// at its ends is that known; between them ids are taken to be spread evenly.
func (f *facts) upTo(id reader.ID) (n int64, exact bool) {
	first, last := f.bounds.First.ID, f.bounds.Last.ID
	switch {
	case first == "" || id.Compare(last) > 0:
		return 0, true
	case id.Compare(first) <= 0:
		return f.bounds.Length, true
	case id == last:
		return 1, true
	}
	part := float64(last.Time().Sub(id.Time())) / max(1, float64(f.span()))
	return min(f.bounds.Length, int64(part*float64(f.bounds.Length))+1), false
}
