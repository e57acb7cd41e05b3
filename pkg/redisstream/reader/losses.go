package reader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
)

// Loss is a line of the ledger: what a group lost to trimming in one stretch, or what
// somebody removed from the stream that was not read again.
type Loss struct {
	event.Trim
	Since time.Time // when the stretch began, by the server's clock
	Until time.Time // when it was last added to
	Kept  event.Seq // the oldest seq left then; 0 when none was
	ID    ID        // of the line
	// Added is how many entries the stream had ever been given when entries were
	// removed by somebody else; Group is then "", for they are gone for all.
	Added int64
}

// LedgerKey is the stream that holds losses; of a set, the names of all in one.
func (r *Reader) LedgerKey() string {
	if r.parts == nil {
		return keyspace.Ledger(r.config.CursorKey)
	}
	return r.setName(r.config.CursorKey) + keyspace.Ledger("")
}

// Losses reads the newest n lines of the ledger, newest first. A missing ledger
// has none; why says, in words, that it could not be looked at. A set has a ledger
// for each partition: those of all are read, and none where one could not be.
func (r *Reader) Losses(ctx context.Context, n int) (losses []Loss, why string, err error) {
	for _, part := range r.Partitions() {
		some, why, err := part.ownLosses(ctx, n)
		if why != "" || err != nil {
			return nil, why, err
		}
		losses = append(losses, some...)
	}
	if r.IsSet() {
		slices.SortStableFunc(losses, func(a, b Loss) int { return b.ID.Compare(a.ID) })
	}
	return losses[:min(n, len(losses))], "", nil
}

// ownLosses is Losses of one stream.
func (r *Reader) ownLosses(ctx context.Context, n int) (losses []Loss, why string, err error) {
	lines, err := r.Lines(ctx, r.LedgerKey(), n)
	switch class := fault.ClassOf(err); {
	case errors.Is(err, ErrNoStream):
		return nil, "", nil
	case class == fault.Refused:
		return nil, "this Redis user may not read it", nil
	case class == fault.Data:
		return nil, "it is not a stream", nil
	case err != nil:
		return nil, "", fmt.Errorf("read losses: %w", err)
	}
	for _, line := range lines {
		losses = append(losses, lossOf(line))
	}
	return losses, "", nil
}

// lossOf reads a line; what is not a number is 0.
func lossOf(line Stored) Loss {
	number := func(name string) int64 {
		text, _ := line.Value(name)
		n, _ := strconv.ParseInt(text, 10, 64)
		return max(0, n)
	}
	l := Loss{Until: line.ID.Time(), Since: time.UnixMilli(number("since")).UTC(), Kept: event.Seq(number("kept")), ID: line.ID, Added: number("added")}
	if _, noted := line.Value("since"); !noted {
		l.Since = l.Until
	}
	l.Group, _ = line.Value("group")
	l.Unread, l.Pending = number("unread"), number("pending")
	l.From, l.To = event.Seq(number("from")), event.Seq(number("to"))
	return l
}
