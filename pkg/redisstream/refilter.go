package redisstream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Refilter makes this Writer one of another filter set, as an operator asked of
// the running process. Nothing stored is touched yet: the next Resume, which
// must come before the next Commit, moves the side key over by compare-and-set.
// Up to the cursor found there the former filters hold, behind it the new.
//
// Only a filter set that this Writer itself had is replaced. Any other is
// somebody else's, and Resume fails with fault.Cursor as ever (I9).
func (w *Writer) Refilter(fingerprint string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := &w.config.Identity
	if fingerprint == id.Filter {
		return
	}
	w.former = append(w.former, id.Filter)
	id.Filter = fingerprint
}

// replaces reports whether a stored filter set is one that Refilter left.
func (w *Writer) replaces(stored *script.Side) bool {
	return stored != nil && stored.Filter != w.config.Identity.Filter && slices.Contains(w.former, stored.Filter)
}

// refilter moves the side key over to the Writer's filters, if it still has the
// former ones. Another writer may be storing: the filters change behind whatever
// it stored last. The epoch rises, so that a writer with the former filters cannot
// mistake what it meets. Whether it came to pass is for the next read to tell.
func (w *Writer) refilter(ctx context.Context, stored *script.Side) error {
	c := &w.config
	head := string(c.head(nil, []byte(stored.EventTime), 0, -1, floor{}))
	head += `,"was":` + strconv.Quote(stored.Filter) // a fingerprint: nothing to escape
	former := c.owner()
	former.Filter = stored.Filter
	var m script.State
	err := c.retry(ctx, "change the filters of the cursor", func(ctx context.Context) (err error) {
		m, err = script.Refilter{Owner: former, Epoch: stored.Epoch, Side: head}.Run(ctx, w.client, w.keys)
		return err
	})
	if err == nil && m.Status == script.OK {
		c.Logger.Info("The cursor's filters were changed, as asked", "cursor", m.Cursor.String(),
			"from", cmp.Or(stored.Filter, "none"), "to", cmp.Or(c.Identity.Filter, "none"))
	}
	return err
}

// Refilter is Writer.Refilter for the set. The side keys change one by one: should
// the process die in between, the next start with the same filters, or another
// process that is given them, changes the rest before anything is stored.
func (s *PartitionSet) Refilter(fingerprint string) {
	for _, p := range s.parts {
		p.Refilter(fingerprint)
	}
}

// finishRefilter finds out whether a change of filters was interrupted. If it was
// one to ours, the partitions that have the former filters are ours to change.
func (s *PartitionSet) finishRefilter(ctx context.Context) error {
	sides, err := s.sides(ctx)
	if err != nil {
		return err
	}
	for k, left := range sides {
		i := slices.IndexFunc(sides, func(changed *script.Side) bool { return interrupted(changed, left) })
		if i < 0 {
			continue
		}
		switch p := s.parts[k]; p.filter() {
		case sides[i].Filter:
			p.replace(left.Filter)
		case left.Filter:
			return fault.New(fault.Cursor, fmt.Errorf("a change of filters was interrupted: the cursor of partition %d has filter %s, that of %d still %s, which is this run's; nothing was changed",
				i, cmp.Or(sides[i].Filter, "none"), k, cmp.Or(left.Filter, "none")),
				"start once with the settings that were being put into force, which completes the change; then they can be changed back")
		}
	}
	return nil
}

// sides reads the side keys of all partitions, nil where there is none.
func (s *PartitionSet) sides(ctx context.Context) ([]*script.Side, error) {
	sides := make([]*script.Side, len(s.parts))
	for i, p := range s.parts {
		err := p.config.retry(ctx, "read the filters of the cursor", func(ctx context.Context) (err error) {
			_, _, sides[i], err = p.readState(ctx)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return sides, nil
}

// interrupted reports whether one partition was given other filters and another,
// which had the same as it did, was not.
func interrupted(changed, left *script.Side) bool {
	return changed != nil && left != nil && changed.Was != nil && *changed.Was == left.Filter &&
		changed.Filter != left.Filter && changed.Epoch == left.Epoch+1
}

func (w *Writer) filter() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.config.Identity.Filter
}

// replace lets the next read of the side key replace a filter set.
func (w *Writer) replace(former string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.former, former) {
		w.former = append(w.former, former)
	}
}
