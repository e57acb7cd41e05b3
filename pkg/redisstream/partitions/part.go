package partitions

import (
	"context"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Part is one stream of a set, with a cursor of its own: what stores in it, and what a set
// has to ask and tell it so that all cursors stand together. Commit to Close are those of
// a writer of one stream. A Part takes turns by itself: each call but Poll, Length and
// Close waits until the call before it has ended, and nothing that it returns is changed
// by a later call.
//
// Calls with a context wait for Redis until that ends. Errors are a writer's: an
// *event.Moved where the cursor is not where it was left, an *event.Led where another
// process leads, else one that is final, with its class.
type Part interface {
	Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error)
	Poll(ctx context.Context) (seq event.Seq, ok bool, err error)
	Length(ctx context.Context) (int64, error)
	Rebase(ctx context.Context, seq event.Seq) error
	Return(ctx context.Context, seq event.Seq) error
	Lead(ctx context.Context) (event.Lead, error)
	Refilter(fingerprint string)
	Close() error

	// AwaitRoom waits where Commit returned *event.Full. It ends without an error once
	// another process leads.
	AwaitRoom(ctx context.Context) error
	// Look reads where the partition stands. A cursor that vanished while this process
	// ran is restored, and one that somebody else wrote is put back. Whose cursor it is
	// is checked (fault.Cursor). What the Part goes on from stays as it is: see Adopt.
	Look(ctx context.Context) (Standing, error)
	// Side reads the side key without judging it; nil without one.
	Side(ctx context.Context) (*script.Side, error)
	// Known is what this process knows, without asking Redis.
	Known() Known
	// Adopt makes the Part go on from what Look gave. It copies what it needs.
	Adopt(*Standing)
	// Jump lets the next batch leave the saved cursor, as a start that was asked to
	// begin live does.
	Jump()
	// ColdStart makes the Part begin without a cursor, and says where.
	ColdStart(*Standing) event.Resume
	// InOrder looks whether stream and cursor are as the last writer left them, and goes
	// back for what is not. With led it left that to another process, which leads.
	InOrder(ctx context.Context) (led bool, err error)
	// Restore gives a Part a cursor whose own is missing beside others: the one it
	// remembers, else lowest, with an epoch of at least this one. Young says that the set
	// has never stored anything. The *event.Moved tells what was done, nil where there is
	// nothing to tell.
	Restore(ctx context.Context, lowest event.Seq, epoch int64, young bool) (*event.Moved, error)
	// Remember asks what no group has acknowledged. It does not fail: what is older is safe.
	Remember(ctx context.Context)
	// Replace lets the next Look put this run's filters in the place of former ones.
	Replace(former string)
}

// Standing is where a partition stands, as it is stored.
type Standing struct {
	Present bool // there is a cursor
	Cursor  event.Seq
	Side    *script.Side // nil without a side key
	// Restored is set when the cursor was missing until now, and Told says so.
	Restored bool
	Told     *event.Moved
}

// Epoch is how often the cursor was moved on purpose, as far as is stored.
func (st *Standing) Epoch() int64 {
	if st.Side == nil {
		return 0
	}
	return st.Side.Epoch
}

// Known is what a Part knows of its cursor, all of one moment: Lead changes it while the set
// resumes.
type Known struct {
	Cursor                  event.Seq // 0 where none is known
	Epoch                   int64
	Filter                  string // of this run
	Followed, AnotherHasLed bool   // see lease.Lease
}
