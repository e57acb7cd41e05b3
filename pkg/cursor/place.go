package cursor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
)

// target is a place found: where the cursor goes and why there.
type target struct {
	remove bool
	to     event.Seq
	found  string // for people; "" says nothing beyond the value
}

// find looks a place up. Times and entry ids are answered from the
// stream's own entries: no relay can be asked for them.
func find(ctx context.Context, r *reader.Reader, p place.Place, now time.Time) (target, error) {
	switch {
	case p.Kind == place.Live:
		return target{remove: true, found: "no cursor: the next ingest starts live"}, nil
	case p.Kind == place.Oldest || p.Kind == place.Seq && p.Seq == 0:
		return target{found: "oldest: all that the relay still holds"}, nil
	case p.Kind == place.Seq:
		return target{to: p.Seq}, nil
	}
	return findInStream(ctx, r, p, now)
}

// findInStream is the last event stored before a time, or up to an entry.
func findInStream(ctx context.Context, r *reader.Reader, p place.Place, now time.Time) (target, error) {
	b, err := r.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) || err == nil && b.Length == 0 {
		return target{}, fault.New(fault.Cursor, fmt.Errorf("no stored event can tell the seq of %s: %s is empty", p.Text, r.StreamKey()),
			"give a seq, or oldest for all that the relay still holds")
	}
	if err != nil {
		return target{}, err
	}
	upto, asked := reader.IDAt(p.Time), "before "+text.Time(p.Time)
	if p.Kind == place.ID {
		upto, asked = reader.ID(p.ID).Next(), "before the entry after "+p.Text
	}
	if p.Kind == place.Newest {
		upto, asked = b.Last.ID.Next(), "up to now"
	}
	start, err := beforeFirst(ctx, r, b)
	if err != nil {
		return target{}, err
	}
	if upto.Compare(b.First.ID) < 0 {
		return target{}, fault.New(fault.Cursor, fmt.Errorf("the stream does not go back to %s: its first event was stored %s, %s ago",
			p.Text, text.Time(b.First.ID.Time()), text.Span(now.Sub(b.First.ID.Time()))),
			fmt.Sprintf("write %s to begin with that first event, or oldest for all that the relay still holds", place.Text(start, now)))
	}
	seq, at, err := lastBefore(ctx, r, upto)
	if err != nil {
		return target{}, err
	}
	if at.IsZero() { // the very moment of the first entry, or none before it has a seq
		return target{to: start, found: "before the first event of the stream, stored " + text.Time(b.First.ID.Time())}, nil
	}
	return target{to: seq, found: fmt.Sprintf("the last event stored %s; it was stored %s, %s ago",
		asked, text.Time(at), text.Span(now.Sub(at)))}, nil
}

// beforeFirst is the seq before the lowest that the stream begins with. Entries may
// have none, as accounts and identities of the app's own producer.
func beforeFirst(ctx context.Context, r *reader.Reader, b reader.Bounds) (event.Seq, error) {
	for s, err := range r.Range(ctx, b.First.ID, b.Last.ID) {
		if err != nil {
			return 0, err
		}
		if seq, ok := s.Seq(); ok {
			return max(seq-1, 0), nil
		}
	}
	return 0, fault.New(fault.Data, fmt.Errorf("the entries of %s have no seq", r.StreamKey()),
		"give a seq, or oldest for all that the relay still holds")
}

// lastBefore is the newest entry with a seq below an id; zero when there is
// none.
func lastBefore(ctx context.Context, r *reader.Reader, id reader.ID) (event.Seq, time.Time, error) {
	for {
		entries, err := r.HeadsBefore(ctx, id, 100)
		if err != nil || len(entries) == 0 {
			return 0, time.Time{}, err
		}
		for _, s := range slices.Backward(entries) {
			if seq, ok := s.Seq(); ok {
				return seq, s.ID.Time(), nil
			}
		}
		id = entries[0].ID
	}
}
