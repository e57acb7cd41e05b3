package tail

import (
	"context"
	"errors"
	"fmt"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/settings"
	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// heldEntries is how many entries --tail may hold in memory; beyond it the
// stream is counted off from its beginning.
const heldEntries = 10_000

// readStream shows the stream, without joining a group.
func (t *tailRun) readStream(ctx context.Context) error {
	stream, err := settings.OpenReader(ctx, t.Log, t.cfg)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // nothing was written
	bounds, err := stream.Bounds(ctx)
	if missing := errors.Is(err, reader.ErrNoStream); err != nil && !missing {
		return err
	} else if missing && !t.follow {
		return fault.New(fault.Unreachable, err, `"fhctl ingest" makes it; --stream-key names another, -f waits for it`)
	}
	t.tellEmpty(bounds.Length)
	if bounds.Length > 0 && t.since.Kind != place.Unset {
		held, err := coverage.BeginningOf(ctx, stream, bounds)
		if err != nil {
			return err
		}
		ranges.TellLacks(t.Log, held.Lacks(t.since, "the stream"))
	}
	r := &tailStream{tailRun: t, Reader: stream, last: bounds.Last.ID}
	if r.end, err = stream.End(ctx); err != nil {
		return err
	}
	if bounds.Length > 0 {
		if more, err := r.stored(ctx, bounds.Length); err != nil || !more {
			return err
		}
	}
	if !t.follow {
		t.tellBeyond(bounds.Last)
		return nil
	}
	return r.added(ctx)
}

// tellBeyond says that --since lies behind everything, where it does.
func (t *tailRun) tellBeyond(last reader.Stored) {
	if t.looked > 0 || t.since.Open() || t.since.Kind == place.Live || t.last == 0 || last.ID == "" {
		return
	}
	seq, _ := last.Seq()
	t.Log.Warn(fmt.Sprintf("Nothing is stored from %s on: the stream ends with %s", t.since, coverage.Name(seq, last.ID)))
}

// tellEmpty says why nothing comes, if nothing is there.
func (t *tailRun) tellEmpty(length int64) {
	what := fmt.Sprintf("Stream %s is empty", t.cfg.Redis.StreamKey)
	if t.follow {
		what += "; waiting for its first entry"
	}
	if length == 0 {
		t.Log.Warn(what)
	}
}

// tailStream is tail at work on a stream.
type tailStream struct {
	*tailRun
	*reader.Reader
	last  reader.ID // of the stream when we came, then of what was shown
	end   reader.Place
	event output.Event // in hand; it keeps its memory
}

// replay.stored shows what was there when we came.
func (r *tailStream) stored(ctx context.Context, length int64) (more bool, err error) {
	from, err := r.begin(ctx)
	if err != nil {
		return false, err
	}
	skip := int64(0)
	switch {
	case r.tailRun.last == 0:
		return true, nil
	case r.tailRun.last > 0 && r.tailRun.last <= heldEntries:
		return r.newest(ctx, from)
	case r.tailRun.last > 0:
		skip = length - r.tailRun.last
	}
	if skip > 0 {
		return r.counted(ctx, from, skip)
	}
	for stored, err := range r.UpTo(ctx, from, r.end) {
		if err != nil {
			return false, err
		}
		if more, err := r.one(stored); err != nil || !more {
			return more, err
		}
	}
	return true, r.out.Flush()
}

// begin is the first id to show; --since beyond the end gives one behind it.
func (r *tailStream) begin(ctx context.Context) (reader.ID, error) {
	switch r.since.Kind {
	case place.Live:
		return r.last.Next(), nil
	case place.Newest:
		return r.newestID(ctx)
	case place.Time:
		return reader.IDAt(r.since.Time), nil
	case place.ID:
		return reader.ID(r.since.ID), nil
	case place.Seq:
		first, found, err := r.SeekSeq(ctx, r.since.Seq)
		if err == nil && !found {
			return r.last.Next(), nil
		}
		return first.ID, err
	}
	return "", nil
}

// newestID is the id of the newest entry; of a set the one of the highest seq, in
// whichever partition.
func (r *tailStream) newestID(ctx context.Context) (reader.ID, error) {
	last, err := r.LastHeads(ctx, 1)
	if err != nil || len(last) == 0 {
		return "", err
	}
	if seq, ok := last[0].Seq(); ok && r.IsSet() {
		r.since.Kind, r.since.Seq = place.Seq, seq
	}
	return last[0].ID, nil
}

// newest shows the last entries, not before from.
func (r *tailStream) newest(ctx context.Context, from reader.ID) (more bool, err error) {
	for stored, err := range r.Latest(ctx, int(r.tailRun.last)) {
		if err != nil {
			return false, err
		}
		if at := &r.end[stored.Partition]; stored.ID.Compare(*at) > 0 {
			*at = stored.ID
		}
		if from != "" && stored.ID.Compare(from) < 0 {
			continue
		}
		if more, err := r.one(stored); err != nil || !more {
			return more, err
		}
	}
	return true, r.out.Flush()
}

// counted shows what is left behind the first entries, not before from.
func (r *tailStream) counted(ctx context.Context, from reader.ID, skip int64) (more bool, err error) {
	for stored, err := range r.UpTo(ctx, "", r.end) {
		if err != nil {
			return false, err
		}
		if skip--; skip >= 0 || from != "" && stored.ID.Compare(from) < 0 {
			continue
		}
		if more, err := r.one(stored); err != nil || !more {
			return more, err
		}
	}
	return true, r.out.Flush()
}

// added shows what is added, until ctx ends: how following ends is no failure.
func (r *tailStream) added(ctx context.Context) error {
	for stored, err := range r.FollowFrom(ctx, r.end) {
		if err != nil {
			return err
		}
		more, err := r.one(stored)
		if err == nil {
			err = r.out.Flush()
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (r *tailStream) one(stored reader.Stored) (more bool, err error) {
	if seq, ok := stored.Seq(); ok && r.since.Kind == place.Seq && seq < r.since.Seq {
		return true, nil // another partition had stored it a moment later
	}
	r.entry = stored
	readStored(&r.event, stored)
	return r.show(&r.event)
}

// readStored makes an event of an entry, by the names of its fields. What
// cannot be read is shown all the same, with why.
func readStored(e *output.Event, stored reader.Stored) {
	*e = output.Event{Source: output.FromStream, ID: string(stored.ID), At: stored.ID.Time(), Outline: e.Outline}
	e.Seq, _ = stored.Seq()
	f := entry.FieldsOf(stored.Fields)
	e.Kind = f.Type
	err := e.Outline.Read(f.Data)
	switch {
	case !f.HasData:
		e.Fault = "no field data"
	case err != nil:
		e.Fault = "data is " + err.Error()
	case !f.HasType:
		e.Fault = "no field type"
	default:
		e.Data = f.Data
		return
	}
	e.Fields = stored.Fields
}
