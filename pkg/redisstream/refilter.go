package redisstream

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/fhctl/fhctl/pkg/redisstream/floor"
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
	head := string(c.head(nil, []byte(stored.EventTime), 0, -1, floor.Floor{}))
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
