package reader

import (
	"context"

	"github.com/fhctl/fhctl/pkg/event"
)

// countLimit is how many entries are counted one by one.
const countLimit = 100_000

// CountAfter is how many stored entries have a seq above the one given. It is
// exact near both ends of the stream; in the middle of a long one, exact is
// false and it is estimated from the seqs. The conditions are SeekSeq's.
func (r *Reader) CountAfter(ctx context.Context, seq event.Seq) (n int64, exact bool, err error) {
	if r.parts != nil {
		return r.setCount(ctx, seq)
	}
	s, found, err := r.SeekSeq(ctx, seq+1)
	if err != nil || !found {
		return 0, err == nil, err
	}
	b, err := r.Bounds(ctx)
	if err != nil {
		return 0, false, err
	}
	if s.ID.Compare(b.First.ID) <= 0 {
		return b.Length, true, nil
	}
	n = estimate(s, b)
	switch {
	case n <= countLimit:
		n, err = r.count(ctx, s.ID, b.Last.ID)
		return n, err == nil, err
	case b.Length-n <= countLimit:
		before, _ := s.ID.Previous()
		n, err = r.count(ctx, b.First.ID, before)
		return b.Length - n, err == nil, err
	}
	return n, false, nil
}

func (r *Reader) count(ctx context.Context, from, to ID) (n int64, err error) {
	for _, err := range r.Range(ctx, from, to) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
