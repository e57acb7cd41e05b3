package reader

import (
	"context"
	"errors"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// seekScan is about how many entries are read rather than bisected further:
// one exchange carries them as quickly as a single one.
const seekScan = 64

// SeekTime finds the first entry stored at or after t, by the server's clock
// (entry ids), in one exchange. found is false when there is none.
func (r *Reader) SeekTime(ctx context.Context, t time.Time) (s Stored, found bool, err error) {
	entries, err := r.heads(ctx, "xrange", IDAt(t), "+", 1)
	if err != nil || len(entries) == 0 {
		return Stored{}, false, err
	}
	return entries[0], true, nil
}

// SeekSeq finds the first entry whose seq is at least the one given; gaps do
// not matter. found is false when there is none. It takes a number of
// exchanges that grows with the logarithm of the stream's length: it bisects
// the time between the first and the last id and reads the rest.
//
// Seqs must rise, as fhctl stores them (G3). In a stream where somebody else
// appended out of order, or an operator rewound, it finds one of the places
// where the seq is passed. Entries without a seq are passed over.
func (r *Reader) SeekSeq(ctx context.Context, seq event.Seq) (s Stored, found bool, err error) {
	if r.parts != nil {
		return r.setSeek(ctx, seq)
	}
	b, err := r.Bounds(ctx)
	if errors.Is(err, ErrNoStream) || err == nil && b.Length == 0 {
		return Stored{}, false, nil
	}
	if err != nil {
		return Stored{}, false, err
	}
	first, _ := parsePosition(b.First.ID)
	last, _ := parsePosition(b.Last.ID)
	k := seek{
		Reader: r, seq: seq, from: first, to: last.next(),
		perMilli: float64(b.Length) / float64(last.ms-first.ms+1),
	}
	if err := k.run(ctx); err != nil {
		return Stored{}, false, err
	}
	return k.best, k.found, nil
}

// seek is a search: what it looks for lies in [from, to) or is best, which is
// then the first entry at or behind to.
type seek struct {
	*Reader
	seq      event.Seq
	from, to position
	perMilli float64
	best     Stored
	found    bool
}

// run narrows the interval until nothing is left of it. Entries are not spread
// evenly over time: where a read that should have been the last was not, it
// goes on bisecting.
func (k *seek) run(ctx context.Context) error {
	for k.from.compare(k.to) < 0 {
		indivisible := k.to.ms <= k.from.ms+1
		if indivisible || k.perMilli*float64(k.to.ms-k.from.ms) <= seekScan {
			if err := k.scan(ctx); err != nil {
				return err
			}
		}
		if !indivisible && k.to.ms > k.from.ms+1 {
			if err := k.halve(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// halve looks at the first entry behind the middle of the interval's time.
func (k *seek) halve(ctx context.Context) error {
	middle := position{ms: k.from.ms + (k.to.ms-k.from.ms)/2}
	s, seq, err := k.firstNumbered(ctx, middle)
	switch {
	case err != nil:
		return err
	case s.ID == "": // nothing there has a seq
		k.to = middle
	case seq >= k.seq:
		k.best, k.found, k.to = s, true, middle
	default:
		at, _ := parsePosition(s.ID)
		k.from = at.next()
	}
	return nil
}

// firstNumbered is the first entry at or behind a position that has a seq.
func (k *seek) firstNumbered(ctx context.Context, at position) (Stored, event.Seq, error) {
	for count := 1; ; count = k.config.Page {
		entries, err := k.heads(ctx, "xrange", at.id(), "+", count)
		if err != nil || len(entries) == 0 {
			return Stored{}, 0, err
		}
		for _, s := range entries {
			if seq, ok := s.Seq(); ok {
				return s, seq, nil
			}
		}
		at, _ = parsePosition(entries[len(entries)-1].ID)
		at = at.next()
	}
}

// scan reads a page from the interval's beginning, entry by entry.
func (k *seek) scan(ctx context.Context) error {
	end, _ := k.to.id().Previous()
	count := min(k.config.Page, 4*seekScan)
	entries, err := k.heads(ctx, "xrange", k.from.id(), end, count)
	if err != nil {
		return err
	}
	for _, s := range entries {
		if seq, ok := s.Seq(); ok && seq >= k.seq {
			k.best, k.found, k.from = s, true, k.to
			return nil
		}
	}
	k.from = k.to
	if len(entries) == count {
		at, _ := parsePosition(entries[count-1].ID)
		k.from = at.next()
	}
	return nil
}
