package partitions

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Refilter makes the set one of another filter set, as an operator asked, with the next
// Resume. The side keys change one by one: should
// the process die in between, the next start with the same filters, or another
// process that is given them, changes the rest before anything is stored.
func (s *Set) Refilter(fingerprint string) {
	for _, p := range s.parts {
		p.Refilter(fingerprint)
	}
}

// finishRefilter finds out whether a change of filters was interrupted. If it was
// one to ours, the partitions that have the former filters are ours to change.
func (s *Set) finishRefilter(ctx context.Context) error {
	sides, err := s.sides(ctx)
	if err != nil {
		return err
	}
	for k, left := range sides {
		i := slices.IndexFunc(sides, func(changed *script.Side) bool { return interrupted(changed, left) })
		if i < 0 {
			continue
		}
		switch p := s.parts[k]; p.Known().Filter {
		case sides[i].Filter:
			p.Replace(left.Filter)
		case left.Filter:
			return fault.New(fault.Cursor, fmt.Errorf("a change of filters was interrupted: the cursor of partition %d has filter %s, that of %d still %s, which is this run's; nothing was changed",
				i, cmp.Or(sides[i].Filter, "none"), k, cmp.Or(left.Filter, "none")),
				"start once with the settings that were being put into force, which completes the change; then they can be changed back")
		}
	}
	return nil
}

// sides reads the side keys of all partitions, nil where there is none.
func (s *Set) sides(ctx context.Context) ([]*script.Side, error) {
	sides := make([]*script.Side, len(s.parts))
	for i, p := range s.parts {
		side, err := p.Side(ctx)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		sides[i] = side
	}
	return sides, nil
}

// interrupted reports whether one partition was given other filters and another,
// which had the same as it did, was not.
func interrupted(changed, left *script.Side) bool {
	return changed != nil && left != nil && changed.Was != nil && *changed.Was == left.Filter &&
		changed.Filter != left.Filter && changed.Epoch == left.Epoch+1
}
