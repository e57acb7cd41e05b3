package stats

import (
	"cmp"
	"context"
	"slices"

	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Partition is one partition of a set.
type Partition struct {
	Partition int     `json:"partition"`
	Stream    Stream  `json:"stream"`
	Rate      Rate    `json:"rate"`
	Groups    []Group `json:"groups"`
	Cursor    Cursor  `json:"cursor"`
}

// set reports on each partition and adds them up.
func (c *collector) set(ctx context.Context) (*Report, error) {
	parts := c.reader.Partitions()
	each := c.options
	if each.Sample > 0 {
		each.Sample = max(1, each.Sample/len(parts))
	}
	each.MaxLength = (each.MaxLength + int64(len(parts)) - 1) / int64(len(parts))
	var reports []*Report
	for _, part := range parts {
		r, err := (&collector{reader: part, options: each}).report(ctx)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return addUp(reports, c.reader.StreamKey(), c.reader.CursorKey(), c.options.MaxLength), nil
}

// addUp makes one report of those of all partitions: what is counted is the sum,
// what is a risk the worst, the cursor the lowest. The keys are names for people, of
// all partitions in one.
func addUp(reports []*Report, streamKey, cursorKey string, maxLength int64) *Report {
	all := *reports[0]
	all.Stream.Key, all.Stream.MaxLength, all.Cursor.Key = streamKey, maxLength, cursorKey
	all.Groups, all.Room = nil, nil
	for i, r := range reports {
		all.Partitions = append(all.Partitions, Partition{i, r.Stream, r.Rate, r.Groups, r.Cursor})
		for _, g := range r.Groups {
			all.Groups = addGroup(all.Groups, g)
		}
		if i == 0 {
			continue
		}
		if r.At.After(all.At) {
			all.At = r.At
		}
		all.Stream.add(&r.Stream)
		all.Rate.add(&r.Rate)
		all.Sample.add(&r.Sample)
		all.Losses.add(&r.Losses)
		if lowerCursor(&r.Cursor, &all.Cursor) {
			r.Cursor.Key = all.Cursor.Key
			all.Cursor = r.Cursor
		}
	}
	all.Sample.share()
	if all.Stream.Length > 0 {
		all.Stream.SpanAtRateSeconds = timeFor(all.Stream.Length, all.Rate.PerSecond)
	}
	for i := range all.Groups {
		if g := &all.Groups[i]; g.Room != nil && (all.Room == nil || g.Room.Entries < all.Room.Entries) {
			all.Room = g.Room
		}
	}
	for i := range all.Groups {
		all.Groups[i].MissingIn = missingIn(all.Groups[i].Name, reports)
	}
	if all.Groups == nil {
		all.Groups = []Group{}
	}
	return &all
}

// missingIn are the partitions that nobody reads for a group.
func missingIn(group string, reports []*Report) (parts []int) {
	for i, r := range reports {
		has := slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Name == group })
		if !has && r.Stream.Length > 0 {
			parts = append(parts, i)
		}
	}
	return parts
}

// lowerCursor reports whether a stands for the set rather than b.
func lowerCursor(a, b *Cursor) bool {
	switch {
	case b.Seq == nil && b.Present || b.Unknown != "":
		return false
	case a.Seq == nil:
		return a.Present || a.Unknown != ""
	}
	return b.Seq == nil || *a.Seq < *b.Seq
}

func (s *Stream) add(o *Stream) {
	s.Exists = s.Exists || o.Exists
	s.Length += o.Length
	s.TrimAt, s.EntriesAdded, s.MemoryBytes = together(s.TrimAt, o.TrimAt), together(s.EntriesAdded, o.EntriesAdded), together(s.MemoryBytes, o.MemoryBytes)
	s.TrimObserved = s.TrimObserved || o.TrimObserved
	s.MemoryUnknown = cmp.Or(s.MemoryUnknown, o.MemoryUnknown)
	if s.First == nil || o.First != nil && o.First.seq() < s.First.seq() {
		s.First = o.First
	}
	if s.Last == nil || o.Last != nil && o.Last.seq() > s.Last.seq() {
		s.Last = o.Last
	}
	if s.SpanSeconds == nil || o.SpanSeconds != nil && *o.SpanSeconds > *s.SpanSeconds {
		s.SpanSeconds = o.SpanSeconds
	}
}

// together is the sum of two, nil where one is not known.
func together[T int64 | float64](a, b *T) *T {
	if a == nil || b == nil {
		return nil
	}
	return new(*a + *b)
}

func (l *Losses) add(o *Losses) {
	l.Unknown = cmp.Or(l.Unknown, o.Unknown)
	l.Newest = append(l.Newest, o.Newest...)
	slices.SortStableFunc(l.Newest, func(a, b Loss) int { return b.Until.Compare(a.Until) })
	l.Newest = l.Newest[:min(len(l.Newest), shownLosses)]
}

func (r *Rate) add(o *Rate) {
	r.PerSecond, r.AveragePerSecond = together(r.PerSecond, o.PerSecond), together(r.AveragePerSecond, o.AveragePerSecond)
	r.Entries += o.Entries
	r.WindowSeconds = max(r.WindowSeconds, o.WindowSeconds)
}

func (s *Sample) add(o *Sample) {
	s.Entries += o.Entries
	s.Bytes += o.Bytes
	s.Ops += o.Ops
	s.OpBytes += o.OpBytes
	s.Unreadable += o.Unreadable
	s.SpanSeconds = max(s.SpanSeconds, o.SpanSeconds)
	s.Kinds, s.Collections = joinShares(s.Kinds, o.Kinds), joinShares(s.Collections, o.Collections)
}

// share computes the shares anew, of the whole sample.
func (s *Sample) share() {
	byName := func(list []Share) map[string]*Share {
		m := map[string]*Share{}
		for _, row := range list {
			m[row.Name] = &row
		}
		return m
	}
	s.Kinds = shares(byName(s.Kinds), s.Entries, s.Bytes)
	s.Collections = shares(byName(s.Collections), s.Ops, s.OpBytes)
}

func joinShares(all, more []Share) []Share {
	for _, row := range more {
		i := slices.IndexFunc(all, func(known Share) bool { return known.Name == row.Name })
		if i < 0 {
			all = append(all, row)
			continue
		}
		all[i].Count += row.Count
		all[i].Bytes += row.Bytes
	}
	return all
}

// addGroup counts a partition's group with those of the same name.
func addGroup(all []Group, g Group) []Group {
	i := slices.IndexFunc(all, func(known Group) bool { return known.Name == g.Name })
	if i < 0 {
		g.Consumers = slices.Clone(g.Consumers)
		return append(all, g)
	}
	k := &all[i]
	if reader.ID(g.LastDelivered).Compare(reader.ID(k.LastDelivered)) < 0 {
		k.LastDelivered = g.LastDelivered
	}
	k.EntriesRead = together(k.EntriesRead, g.EntriesRead)
	k.Lag, k.LagExact, k.LagSeconds = k.Lag+g.Lag, k.LagExact && g.LagExact, max(k.LagSeconds, g.LagSeconds)
	k.Pending += g.Pending
	if k.OldestPending == nil || g.OldestPending != nil && g.OldestPending.AgeSeconds > k.OldestPending.AgeSeconds {
		k.OldestPending = g.OldestPending
	}
	k.Redelivered = addRedelivered(k.Redelivered, g.Redelivered)
	k.LostUnread, k.LostPending = k.LostUnread || g.LostUnread, k.LostPending || g.LostPending
	if k.Room == nil || g.Room != nil && g.Room.Entries < k.Room.Entries {
		k.Room = g.Room
	}
	for _, c := range g.Consumers {
		k.Consumers = addConsumer(k.Consumers, c)
	}
	return all
}

func addRedelivered(a, b *Redelivery) *Redelivery {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return &Redelivery{
		Entries: a.Entries + b.Entries, MaxDeliveries: max(a.MaxDeliveries, b.MaxDeliveries),
		Examined: a.Examined + b.Examined, Complete: a.Complete && b.Complete,
	}
}

func addConsumer(all []Consumer, c Consumer) []Consumer {
	i := slices.IndexFunc(all, func(known Consumer) bool { return known.Name == c.Name })
	if i < 0 {
		return append(all, c)
	}
	k := &all[i]
	k.Pending += c.Pending
	k.IdleSeconds, k.InactiveSeconds = least(k.IdleSeconds, c.IdleSeconds), least(k.InactiveSeconds, c.InactiveSeconds)
	return all
}

func least(a, b *float64) *float64 {
	if a == nil || b == nil {
		return nil
	}
	return new(min(*a, *b))
}
