package replay

import (
	"context"

	"github.com/fhctl/fhctl/pkg/event"
)

// Target is where events go. Run calls it from one goroutine.
type Target interface {
	// After is the seq behind which reading goes on; 0 is the beginning.
	After() event.Seq
	// Put takes one event, which it may keep; taken is false when the target does not
	// take its kind.
	Put(ctx context.Context, e *Selected) (taken bool, err error)
	// Flush passes on what Put kept, because the next event is not there yet.
	Flush(ctx context.Context) error
	// Finish ends the target, also after an error of Put or Flush. A whole run is
	// complete; what is not, is kept so that another run can go on behind it. It is to
	// end soon also when ctx has ended.
	Finish(ctx context.Context, complete bool) error
}

// PresentCounter is a Target that learns only while it stores which of the events that
// it took were there already.
type PresentCounter interface {
	Target
	// Present counts them, so far.
	Present() int64
}

// Returner is a Target that goes by the seqs it has, and has to be told when the source
// went back: Return is called behind all that was Put, and what lies above the seq may come
// again.
type Returner interface {
	Target
	Return(ctx context.Context, to event.Seq) error
}

// Discard is the target that stores nothing, to see what another would take.
type Discard struct {
	// From is what After gives.
	From event.Seq
	// Entries takes what yields an entry, as a stream does; else frames, as a capture.
	Entries bool
}

// After is From.
func (d Discard) After() event.Seq { return d.From }

// Put takes what has the form.
func (d Discard) Put(_ context.Context, e *Selected) (bool, error) {
	return !d.Entries || e.HasEntry, nil
}

// Flush does nothing.
func (Discard) Flush(context.Context) error { return nil }

// Finish does nothing.
func (Discard) Finish(context.Context, bool) error { return nil }
