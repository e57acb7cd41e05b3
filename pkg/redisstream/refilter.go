package redisstream

import (
	"context"
	"slices"

	"github.com/fhctl/fhctl/pkg/event"
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
	w.fix()
}

// replaces reports whether a stored filter set is one that Refilter left.
func (w *Writer) replaces(stored *side) bool {
	return stored != nil && stored.Filter != w.config.Identity.Filter && slices.Contains(w.former, stored.Filter)
}

// refilter moves the side key over to the Writer's filters, if the cursor is
// still what was read. Whether it was is for the next read to tell. The epoch
// rises, so that a writer with the former filters cannot mistake what it meets.
func (w *Writer) refilter(ctx context.Context, cursor string, stored *side) error {
	seq, ok := event.ParseSeq(cursor)
	if !ok {
		return nil
	}
	c := &w.config
	head := string(c.head(nil, []byte(stored.EventTime), stored.Stored, stored.Upto))
	var m moved
	err := c.patiently(ctx, "change the filters of the cursor", func(ctx context.Context) (err error) {
		m, err = w.run(ctx, rebaseScript, seq.String(), seq.String(), c.Identity.Relay, stored.Filter,
			c.Identity.partitions(), c.adopt(), stored.Epoch, head)
		return err
	})
	if err == nil && m.status == "OK" {
		c.Logger.Info("The cursor's filters were changed, as asked", "cursor", seq.String(),
			"from", or(stored.Filter, "none"), "to", or(c.Identity.Filter, "none"))
	}
	return err
}
