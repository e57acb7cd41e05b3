package redisstream

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
	entries, err := r.page(ctx, "xrange", IDAt(t), "+", 1)
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
	b, err := r.Bounds(ctx)
	if errors.Is(err, ErrNoStream) || err == nil && b.Length == 0 {
		return Stored{}, false, nil
	}
	if err != nil {
		return Stored{}, false, err
	}
	first, _ := parsePosition(b.First.ID)
	last, _ := parsePosition(b.Last.ID)
	k := seek{Reader: r, seq: seq, from: first, to: last.next()}
	if err := k.narrow(ctx, b.Length); err != nil {
		return Stored{}, false, err
	}
	return k.scan(ctx)
}

// seek is a search: what it looks for lies in [from, to), or is best.
type seek struct {
	*Reader
	seq      event.Seq
	from, to position
	best     Stored
	found    bool
}

// narrow halves the interval by time until about seekScan entries are left in
// it, or one millisecond, which ids cannot divide evenly.
func (k *seek) narrow(ctx context.Context, length int64) error {
	perMilli := float64(length) / float64(k.to.ms-k.from.ms+1)
	for k.to.ms > k.from.ms+1 && perMilli*float64(k.to.ms-k.from.ms) > seekScan {
		middle := position{ms: k.from.ms + (k.to.ms-k.from.ms)/2}
		s, seq, err := k.firstNumbered(ctx, middle)
		if err != nil {
			return err
		}
		if s.ID == "" || seq >= k.seq {
			if s.ID != "" {
				k.best, k.found = s, true
			}
			k.to = middle
			continue
		}
		at, _ := parsePosition(s.ID)
		k.from = at.next()
		if k.from.compare(k.to) >= 0 {
			return nil
		}
	}
	return nil
}

// firstNumbered is the first entry at or above a position, and below the
// interval's end or not, that has a seq.
func (k *seek) firstNumbered(ctx context.Context, at position) (Stored, event.Seq, error) {
	for count := 1; ; count = k.config.Page {
		entries, err := k.page(ctx, "xrange", at.id(), "+", count)
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

// scan reads what is left of the interval, entry by entry.
func (k *seek) scan(ctx context.Context) (Stored, bool, error) {
	if k.from.compare(k.to) >= 0 {
		return k.best, k.found, nil
	}
	end, _ := previous(k.to.id())
	narrow := *k.Reader
	narrow.config.Page = min(k.config.Page, 2*seekScan)
	for s, err := range narrow.Range(ctx, k.from.id(), end) {
		if err != nil {
			return Stored{}, false, err
		}
		if seq, ok := s.Seq(); ok && seq >= k.seq {
			return s, true, nil
		}
	}
	return k.best, k.found, nil
}
