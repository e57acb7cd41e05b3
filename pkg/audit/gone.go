package audit

import (
	"context"
	"errors"

	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// ledgerWhole is as many lines as a ledger of losses keeps, and some.
const ledgerWhole = 2000

// gone reports what the ledger of losses says was removed from the stretch by somebody
// and not read again: the entries around it look sound.
func (a *audit) gone(ctx context.Context, stream *reader.Reader, x stretch, check *verify.Stream) error {
	for _, part := range stream.Partitions() {
		lines, why, err := part.Losses(ctx, ledgerWhole)
		if err != nil {
			return err
		}
		if why != "" {
			a.Logger.Warn("What was removed from the stream and is gone could not be looked up in the ledger of losses", "ledger", part.LedgerKey(), "why", why)
		}
		for _, line := range lines {
			if line.Group != "" {
				continue
			}
			if in, err := goneIn(ctx, part, &x, line); err != nil {
				return err
			} else if in {
				check.Gone(part.LedgerKey()+" "+string(line.ID), line.From, line.To)
			}
		}
	}
	return nil
}

// goneIn reports whether a loss lies in the stretch. Of a whole stream it does until
// trimming has passed the place.
func goneIn(ctx context.Context, part *reader.Reader, x *stretch, line reader.Loss) (bool, error) {
	at := reader.IDAt(line.Until)
	if !x.whole {
		return at.Compare(x.from) >= 0 && at.Compare(x.to) <= 0, nil
	}
	b, err := part.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) || err == nil && b.Length == 0 {
		return true, nil
	}
	if err != nil || b.First.ID.Compare(at) <= 0 {
		return true, err
	}
	added, err := part.EntriesAdded(ctx)
	return added < 0 || added-line.Added <= b.Length, err
}
