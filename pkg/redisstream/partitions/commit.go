package partitions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
)

// What one call of a partition's script may hold, at most.
const (
	chunkEntries = 500
	chunkBytes   = 1 << 20
)

// Commit stores batches as one Part does. All partitions store their shares at the
// same time; one that is away holds up the others with the next batch. A batch
// has a receipt when every share of it is stored.
func (s *Set) Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts = s.receipts[:0]
	if err := s.continues(ctx, batches[0]); err != nil {
		return nil, s.settle(ctx, err)
	}
	sent := time.Now()
	s.split(batches)
	s.each(ctx, func(ctx context.Context, p *partition) error { return p.store(ctx) })
	s.merge(batches, time.Since(sent))
	return s.receipts, s.settle(ctx, s.failed(ctx))
}

// settle turns one partition's trouble into the set's.
func (s *Set) settle(ctx context.Context, err error) error {
	moved, ok := errors.AsType[*event.Moved](err)
	if !ok {
		return err
	}
	return s.realign(ctx, moved)
}

// continues makes sure that the batch continues where all partitions stand.
func (s *Set) continues(ctx context.Context, b *event.Batch) error {
	if !s.opened {
		return s.open(ctx, b)
	}
	if b.After.Start != event.After || b.After.Seq == s.at {
		return nil
	}
	// The cursor was moved while the run was held.
	stands, err := s.look(ctx)
	if err != nil {
		return err
	}
	if !anyPresent(stands) || !sameEpoch(stands) || lowestOf(stands) < b.After.Seq {
		return &event.Moved{Alarm: event.AlarmConflict, Detail: "the cursors are not where reading was to continue"}
	}
	s.adopt(stands)
	return nil
}

// open gives every partition its first cursor, that just before the first event,
// before anything is appended to any: whatever crashes after this, the lowest
// cursor has everything behind it.
func (s *Set) open(ctx context.Context, b *event.Batch) error {
	start := Base(b)
	s.each(ctx, func(ctx context.Context, p *partition) error {
		_, err := p.Commit(ctx, []*event.Batch{{After: b.After, Upto: start, Time: b.Time}})
		return err
	})
	if err := s.failed(ctx); err != nil {
		return err
	}
	for _, p := range s.parts {
		p.from = start
	}
	s.opened, s.at = true, start
	return nil
}

// Base is the cursor just before a batch's first event.
func Base(b *event.Batch) event.Seq {
	switch {
	case b.After.Start == event.After:
		return b.After.Seq
	case len(b.Entries) > 0:
		return b.Entries[0].Seq - 1
	}
	return max(0, b.Upto-1)
}

// split gives each partition its share of the batches.
func (s *Set) split(batches []*event.Batch) {
	s.where = s.where[:0]
	for _, p := range s.parts {
		p.used, p.present, p.foreign, p.lost, p.refused, p.trimmed = 0, 0, 0, 0, 0, nil
	}
	for _, b := range batches {
		for i := range b.Entries {
			at := entry.Partition(b.Entries[i].Data, len(s.parts))
			s.where = append(s.where, uint8(at))
			s.parts[at].take(&b.Entries[i], b.Arrived)
		}
	}
	for _, p := range s.parts {
		p.close(batches[len(batches)-1])
	}
}

// take puts an entry into the share, unless it is stored already.
func (p *partition) take(e *event.Entry, arrived time.Time) {
	if e.Seq <= p.from {
		p.present++
		return
	}
	if p.used == 0 || p.full(len(e.Data)) {
		p.next(arrived)
	}
	c := p.chunks[p.used-1]
	c.Entries = append(c.Entries, *e)
	c.Bytes += len(e.Data)
	c.Upto = e.Seq
}

func (p *partition) full(more int) bool {
	c := p.chunks[p.used-1]
	return len(c.Entries) >= chunkEntries || len(c.Entries) > 0 && c.Bytes+more > chunkBytes
}

// next begins another chunk, which continues the one before.
func (p *partition) next(arrived time.Time) {
	at := p.from
	if p.used > 0 {
		at = p.chunks[p.used-1].Upto
	}
	if p.used == len(p.chunks) {
		p.chunks = append(p.chunks, new(event.Batch))
	}
	c := p.chunks[p.used]
	c.Reset(event.AfterSeq(at))
	c.Arrived, c.Upto = arrived, at
	p.used++
}

// close makes the share reach as far as the batches do, also without an entry.
func (p *partition) close(last *event.Batch) {
	if last.Upto <= p.from {
		return
	}
	if p.used == 0 {
		p.next(last.Arrived)
	}
	c := p.chunks[p.used-1]
	c.Upto = last.Upto
	c.Time = append(c.Time, last.Time...)
}

// store commits the share and notes how far it came.
func (p *partition) store(ctx context.Context) error {
	if p.used == 0 {
		return nil
	}
	chunks := p.chunks[:p.used]
	receipts, err := p.Commit(ctx, chunks)
	for i, r := range receipts {
		p.from = max(p.from, chunks[i].Upto)
		p.present += r.Present + r.Lost
		p.foreign += r.Foreign
		p.lost += r.Lost
		p.refused += r.Refused
		p.length, p.cursor = r.Length, r.Cursor
		p.trimmed = append(p.trimmed, r.Trimmed...)
	}
	for _, c := range chunks {
		clear(c.Entries) // the data is the pipeline's
	}
	return err
}

// merge makes receipts of the batches that every partition has stored. What was
// present already is what came first: a partition drops by seq.
func (s *Set) merge(batches []*event.Batch, took time.Duration) {
	reached, cursor, length := s.reached()
	where := s.where
	for _, b := range batches {
		if b.Upto > reached {
			break
		}
		r := event.Receipt{Cursor: b.Upto, Length: length, Took: took}
		for _, at := range where[:len(b.Entries)] {
			if p := s.parts[at]; p.present > 0 {
				p.present--
				r.Present++
			} else {
				r.Appended++
			}
		}
		where = where[len(b.Entries):]
		s.receipts = append(s.receipts, r)
		s.at = b.Upto
	}
	if n := len(s.receipts); n > 0 {
		last := &s.receipts[n-1]
		last.Cursor, last.Trimmed = max(last.Cursor, cursor), s.trims()
		for _, p := range s.parts {
			last.Foreign += p.foreign
			last.Lost += p.lost
			last.Refused += p.refused
		}
		last.Appended = max(0, last.Appended-last.Refused)
		last.Present = max(0, last.Present-last.Lost)
	}
}

// reached is how far every partition has come, the lowest of their cursors, and
// the length of all streams together, -1 when unknown.
func (s *Set) reached() (reached, cursor event.Seq, length int64) {
	for i, p := range s.parts {
		if i == 0 || p.from < reached {
			reached = p.from
		}
		if i == 0 || p.cursor < cursor {
			cursor = p.cursor
		}
		if p.length < 0 || length < 0 {
			length = -1
		} else {
			length += p.length
		}
	}
	return reached, cursor, length
}

// trims adds up what groups of one name lost in all partitions.
func (s *Set) trims() (all []event.Trim) {
	for _, p := range s.parts {
		for _, t := range p.trimmed {
			i := slices.IndexFunc(all, func(known event.Trim) bool { return known.Group == t.Group })
			if i < 0 {
				all = append(all, t)
				continue
			}
			all[i].Unread += t.Unread
			all[i].Pending += t.Pending
			all[i].From, all[i].To = min(all[i].From, t.From), max(all[i].To, t.To)
		}
	}
	return all
}
