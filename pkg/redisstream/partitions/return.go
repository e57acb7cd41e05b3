package partitions

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
)

// Return moves all cursors back to seq, as one Part does. Where a crash leaves some that
// have not, the next Resume moves those.
func (s *Set) Return(ctx context.Context, to event.Seq) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each(ctx, func(ctx context.Context, p *partition) error { return p.Return(ctx, to) })
	if err := s.failed(ctx); err != nil {
		return s.settle(ctx, err)
	}
	for _, p := range s.parts {
		p.from = min(p.from, to)
	}
	s.at = min(s.at, to)
	return nil
}

// returned moves partitions back that a crash kept from it while the others were moved. To
// do so once too often does no harm: what is stored is known again.
func (s *Set) returned(ctx context.Context, stands []Standing) ([]Standing, error) {
	to, found := event.Seq(0), false
	for i := range stands {
		st := &stands[i]
		if st.Present && st.Side != nil && st.Side.Again > int64(st.Cursor) && (!found || st.Cursor < to) {
			to, found = st.Cursor, true
		}
	}
	if !found {
		return stands, nil
	}
	for i, p := range s.parts {
		st := &stands[i]
		if !st.Present || st.Side == nil || st.Cursor <= to || st.Side.Again > int64(st.Cursor) {
			continue
		}
		p.Adopt(st)
		err := p.Return(ctx, to)
		if err == nil {
			*st, err = p.Look(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return stands, nil
}
