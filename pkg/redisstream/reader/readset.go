package reader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
)

// divide makes the Reader one of a set, if it has partitions. A set is read with
// the number of partitions that it was written with: with fewer, some of it would
// be passed over in silence.
func (r *Reader) divide(ctx context.Context) error {
	n := r.config.Partitions
	if n <= 1 {
		return nil
	}
	if n > keyspace.MostPartitions {
		return fault.New(fault.Usage, fmt.Errorf("%d partitions: a set has 2 to %d", n, keyspace.MostPartitions), "")
	}
	if err := keyspace.CheckPartitions(r.config.StreamKey, r.config.CursorKey); err != nil {
		return err
	}
	for i := range n {
		part := &Reader{config: r.config, client: r.client}
		part.config.StreamKey = keyspace.Partition(r.config.StreamKey, i)
		part.config.CursorKey = keyspace.Partition(r.config.CursorKey, i)
		r.parts = append(r.parts, part)
	}
	if r.config.OtherCount {
		return nil
	}
	state, err := r.parts[0].Cursor(ctx)
	if err != nil {
		return nil // whoever needs the cursor says so
	}
	if have := state.Side.Partitions; state.SidePresent && !state.SideBroken && have != n {
		return fault.New(fault.Usage, fmt.Errorf("the set %s has %d partitions, not %d", keyspace.Partition(r.config.StreamKey, 0), have, n),
			"say "+fault.To("partitions", strconv.Itoa(have)))
	}
	return nil
}

// Partitions gives a Reader of each partition, in order, which are closed with
// this one; of one stream it is the Reader itself.
func (r *Reader) Partitions() []*Reader {
	if r.parts == nil {
		return []*Reader{r}
	}
	return r.parts
}

// OwnsCursor reports whether the cursor key is the streams' own, rather than one
// that happens to be configured.
func (r *Reader) OwnsCursor() bool { return !r.config.OtherCount }

// IsSet reports whether this reads several streams as one.
func (r *Reader) IsSet() bool { return r.parts != nil }

// setName is a key for people: the names of all partitions in one.
func (r *Reader) setName(key string) string {
	if r.parts == nil {
		return key
	}
	return key + ":{0-" + strconv.Itoa(len(r.parts)-1) + "}"
}

// setBounds adds up what the partitions hold. First and Last are the entries of
// the lowest and the highest seq, with the lowest and the highest id of any
// partition, so that a range between them holds everything.
func (r *Reader) setBounds(ctx context.Context) (all Bounds, err error) {
	missing := 0
	for i, part := range r.parts {
		b, err := part.Bounds(ctx)
		if errors.Is(err, ErrNoStream) {
			missing++
			continue
		}
		if err != nil {
			return all, err
		}
		if b.Length == 0 {
			continue
		}
		b.First.Partition, b.Last.Partition = i, i
		if all.Length == 0 {
			all = b
			continue
		}
		all.Length += b.Length
		all.First = lower(all.First, b.First)
		all.Last = higher(all.Last, b.Last)
	}
	if missing == len(r.parts) {
		return all, fmt.Errorf("read streams %s: %w", r.StreamKey(), ErrNoStream)
	}
	return all, nil
}

// lower is the entry with the lower seq, and the lower id.
func lower(a, b Stored) Stored {
	id := a.ID
	if b.ID.Compare(id) < 0 {
		id = b.ID
	}
	if precedes(b, a) {
		a = b
	}
	a.ID = id
	return a
}

// higher is the entry with the higher seq, and the higher id.
func higher(a, b Stored) Stored {
	id := a.ID
	if b.ID.Compare(id) > 0 {
		id = b.ID
	}
	if precedes(a, b) {
		a = b
	}
	a.ID = id
	return a
}

// precedes orders entries of different partitions: by seq. One that has none
// comes at once.
func precedes(a, b Stored) bool {
	x, _ := a.Seq()
	y, _ := b.Seq()
	return x < y
}

// setRange merges ranges of all partitions by seq. Each partition keeps its own
// order, so that what stands out of it there does so here.
func (r *Reader) setRange(ctx context.Context, ends func(part int) (from, to ID)) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		heads := make([]head, 0, len(r.parts))
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for i, part := range r.parts {
			from, to := ends(i)
			if from == nowhere {
				continue
			}
			h := head{}
			h.next, h.stop = iter.Pull2(part.Range(ctx, from, to))
			h.advance(i)
			heads = append(heads, h)
		}
		for {
			heads = slices.DeleteFunc(heads, func(h head) bool {
				if !h.more {
					h.stop()
				}
				return !h.more
			})
			if len(heads) == 0 {
				return
			}
			first := &heads[0]
			for i := range heads {
				if heads[i].err != nil || first.err == nil && precedes(heads[i].entry, first.entry) {
					first = &heads[i]
				}
			}
			if !yield(first.entry, first.err) || first.err != nil {
				return
			}
			first.advance(first.entry.Partition)
		}
	}
}

// nowhere as the beginning of a range is a partition without entries.
const nowhere ID = "nowhere"

// head is a partition's next entry.
type head struct {
	next  func() (Stored, error, bool)
	stop  func()
	entry Stored
	err   error
	more  bool
}

func (h *head) advance(part int) {
	h.entry, h.err, h.more = h.next()
	h.entry.Partition = part
}

func (r *Reader) setNewest(n int, read func(part *Reader) ([]Stored, error)) (all []Stored, err error) {
	for i, part := range r.parts {
		some, err := read(part)
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			s.Partition = i
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, bySeq)
	return all[max(0, len(all)-n):], nil
}

func bySeq(a, b Stored) int {
	switch {
	case precedes(a, b):
		return -1
	case precedes(b, a):
		return 1
	}
	return 0
}

// setSeek is the entry of the lowest seq that is at least the one given, with the
// lowest id of any partition's: from there on nothing of it is missed, and a few
// entries below it may come along.
func (r *Reader) setSeek(ctx context.Context, seq event.Seq) (s Stored, found bool, err error) {
	for i, part := range r.parts {
		at, ok, err := part.SeekSeq(ctx, seq)
		if err != nil {
			return s, false, err
		}
		if !ok {
			continue
		}
		at.Partition = i
		if !found {
			s, found = at, true
			continue
		}
		s = lower(s, at)
	}
	return s, found, nil
}

func (r *Reader) setCount(ctx context.Context, seq event.Seq) (n int64, exact bool, err error) {
	exact = true
	for _, part := range r.parts {
		some, sure, err := part.CountAfter(ctx, seq)
		if err != nil {
			return 0, false, err
		}
		n, exact = n+some, exact && sure
	}
	return n, exact, nil
}

// Cursors reads the cursor of each partition, in order.
func (r *Reader) Cursors(ctx context.Context) ([]CursorState, error) {
	var all []CursorState
	for _, part := range r.Partitions() {
		c, err := part.Cursor(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// setCursor is the lowest of the cursors, which is where ingest would go on. One
// that is no seq stands out.
func (r *Reader) setCursor(ctx context.Context) (CursorState, error) {
	all, err := r.Cursors(ctx)
	if err != nil {
		return CursorState{}, err
	}
	return LowestCursor(all), nil
}

// LowestCursor is the cursor that stands for a set: one that is no seq, else the
// lowest.
func LowestCursor(all []CursorState) CursorState {
	lowest := all[0]
	for _, c := range all[1:] {
		switch {
		case !c.Present || lowest.NotSeq:
		case c.NotSeq, !lowest.Present, c.Seq < lowest.Seq:
			lowest = c
		}
	}
	return lowest
}

// Place is an id in each partition; of one stream it is one id. "" is a partition
// without entries.
type Place []ID

// End is where the streams end now.
func (r *Reader) End(ctx context.Context) (Place, error) {
	var end Place
	for _, part := range r.Partitions() {
		last, err := part.heads(ctx, "xrevrange", "+", "-", 1)
		if err != nil {
			return nil, err
		}
		id := ID("")
		if len(last) > 0 {
			id = last[0].ID
		}
		end = append(end, id)
	}
	return end, nil
}

// UpTo is Range up to a place.
func (r *Reader) UpTo(ctx context.Context, from ID, to Place) iter.Seq2[Stored, error] {
	if r.parts == nil {
		return r.Range(ctx, from, to[0])
	}
	return r.setRange(ctx, func(part int) (ID, ID) {
		if to[part] == "" {
			return nowhere, nowhere
		}
		return from, to[part]
	})
}

// FollowFrom is Follow behind a place. Of a set it yields entries as they come:
// each account's are in order, those of different partitions need not be.
func (r *Reader) FollowFrom(ctx context.Context, after Place) iter.Seq2[Stored, error] {
	if r.parts == nil {
		return r.Follow(ctx, after[0])
	}
	return func(yield func(Stored, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		news := make(chan arrival)
		var followers sync.WaitGroup
		for i, part := range r.parts {
			followers.Go(func() { part.pour(ctx, i, after[i], news) })
		}
		go func() { followers.Wait(); close(news) }()
		defer func() {
			stop()
			for range news { // until all have gone
			}
		}()
		for a := range news {
			if !yield(a.entry, a.err) || a.err != nil {
				return
			}
		}
	}
}

// arrival is what a follower found.
type arrival struct {
	entry Stored
	err   error
}

func (r *Reader) pour(ctx context.Context, number int, after ID, news chan<- arrival) {
	for s, err := range r.Follow(ctx, after) {
		s.Partition = number
		select {
		case news <- arrival{s, err}:
		case <-ctx.Done():
			return
		}
	}
}

// setGroups makes one of the groups of one name: what each partition's lacks is
// added up.
func (r *Reader) setGroups(ctx context.Context) ([]Group, error) {
	byName, missing := map[string]*Group{}, 0
	for _, part := range r.parts {
		groups, err := part.Groups(ctx)
		if errors.Is(err, ErrNoStream) {
			missing++
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			if all := byName[g.Name]; all != nil {
				all.add(g)
			} else {
				byName[g.Name] = &g
			}
		}
	}
	if missing == len(r.parts) {
		return nil, fmt.Errorf("read streams %s: %w", r.StreamKey(), ErrNoStream)
	}
	all := make([]Group, 0, len(byName))
	for _, g := range byName {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// add counts another partition's group of the same name. LastDelivered stays that
// of the partition that is furthest behind in time.
func (g *Group) add(other Group) {
	if other.LastDelivered.Compare(g.LastDelivered) < 0 {
		g.LastDelivered = other.LastDelivered
	}
	if g.EntriesRead >= 0 && other.EntriesRead >= 0 {
		g.EntriesRead += other.EntriesRead
	} else {
		g.EntriesRead = -1
	}
	g.Lag, g.LagExact = g.Lag+other.Lag, g.LagExact && other.LagExact
	if other.Pending > 0 && (g.Pending == 0 || other.OldestPending.Compare(g.OldestPending) < 0) {
		g.OldestPending = other.OldestPending
	}
	g.Pending += other.Pending
	g.OldestPendingIdle = max(g.OldestPendingIdle, other.OldestPendingIdle)
	g.MaxDeliveries = max(g.MaxDeliveries, other.MaxDeliveries)
	for _, c := range other.Consumers {
		i := slices.IndexFunc(g.Consumers, func(known Consumer) bool { return known.Name == c.Name })
		if i < 0 {
			g.Consumers = append(g.Consumers, c)
			continue
		}
		known := &g.Consumers[i]
		known.Pending += c.Pending
		known.Idle, known.Inactive = min(known.Idle, c.Idle), min(known.Inactive, c.Inactive)
	}
}
