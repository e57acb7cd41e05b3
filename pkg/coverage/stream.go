package coverage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/text"
)

// Beginning is where a stream, or a set that was trimmed unevenly, begins to hold
// everything. Its seq is 0 when the entry there has none.
type Beginning struct {
	Seq event.Seq
	ID  reader.ID
}

// BeginningOf finds where a stream with these bounds begins to hold everything. A
// partition that was never trimmed lacks nothing.
func BeginningOf(ctx context.Context, stream *reader.Reader, b reader.Bounds) (begins Beginning, err error) {
	begins.ID = b.First.ID
	begins.Seq, _ = b.First.Seq()
	if !stream.IsSet() {
		return begins, nil
	}
	for _, part := range stream.Partitions() {
		b, err := part.Bounds(ctx)
		if errors.Is(err, reader.ErrNoStream) || err == nil && b.Length == 0 {
			continue
		}
		if err != nil {
			return begins, err
		}
		added, err := part.EntriesAdded(ctx)
		if err != nil {
			return begins, err
		}
		if added == b.Length {
			continue
		}
		if seq, _ := b.First.Seq(); seq > begins.Seq {
			begins.Seq = seq
		}
		if b.First.ID.Compare(begins.ID) > 0 {
			begins.ID = b.First.ID
		}
	}
	return begins, nil
}

// Lacks says what of the beginning of a range is not held; "" when all of it is.
func (b Beginning) Lacks(from place.Place, name string) string {
	early := false
	switch from.Kind {
	case place.Seq:
		early = b.Seq > 0 && from.Seq < b.Seq
	case place.Time:
		early = reader.IDAt(from.Time).Compare(b.ID) < 0 && from.Time.UnixMilli() < b.ID.Time().UnixMilli()
	case place.ID:
		early = reader.ID(from.ID).Compare(b.ID) < 0
	}
	if !early {
		return ""
	}
	return fmt.Sprintf("asked for from %s on, but %s begins with %s: what lies before is not covered", from, name, Name(b.Seq, b.ID))
}

// LacksEnd says what of the end of a range a stream that ends with last does not
// hold yet; "" when all of it is there. A time up to now has no more to come.
func LacksEnd(to place.Place, last reader.Stored, reached event.Seq, name string, now time.Time) string {
	seq, _ := last.Seq()
	early := false
	switch to.Kind {
	case place.Seq:
		early = to.Seq > max(seq, reached)
	case place.Time:
		early = to.Time.After(now) && to.Time.After(last.ID.Time())
	case place.ID:
		id := reader.ID(to.ID)
		early = id.Compare(last.ID) > 0 && id.Compare(reader.IDAt(now)) > 0
	}
	if !early {
		return ""
	}
	return fmt.Sprintf("asked for up to %s, but %s ends with %s: what is still to come is not covered", to, name, Name(seq, last.ID))
}

// Name names an entry for people: by its seq and when it was stored.
func Name(seq event.Seq, id reader.ID) string {
	if seq == 0 {
		return fmt.Sprintf("entry %s, stored %s", id, text.Time(id.Time()))
	}
	return fmt.Sprintf("seq %s, stored %s", seq, text.Time(id.Time()))
}
