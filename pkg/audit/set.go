package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// ofSet fits a stretch to a partitioned set, whose ends are seqs. At an open end
// it notes how far every partition has come: what a writer at work has stored in
// one and not yet in another is no gap.
func (x *stretch) ofSet(ctx context.Context, stream *reader.Reader, from, to place.Place) (err error) {
	if from.Kind == place.Seq {
		x.span.From = from.Seq
	}
	if to.Kind == place.Seq {
		x.span.To = to.Seq
		x.to = x.bounds.Last.ID
		last, _ := x.bounds.Last.Seq()
		x.open = to.Seq >= last
	}
	cursors, err := stream.Cursors(ctx)
	if err != nil {
		return err
	}
	if x.end, err = stream.End(ctx); err != nil || !x.open || !stream.OwnsCursor() {
		return err
	}
	for i, part := range stream.Partitions() {
		b, err := part.Bounds(ctx)
		if err != nil && !errors.Is(err, reader.ErrNoStream) {
			return err
		}
		last, _ := b.Last.Seq()
		if reached := max(last, cursors[i].Seq); reached > 0 && (x.reached == 0 || reached < x.reached) {
			x.reached = reached
		}
	}
	return nil
}

// pick yields what of a set's range belongs to the stretch.
func (x *stretch) pick(entries iter.Seq2[reader.Stored, error]) iter.Seq2[reader.Stored, error] {
	return func(yield func(reader.Stored, error) bool) {
		for s, err := range entries {
			seq, ok := s.Seq()
			switch {
			case err == nil && ok && x.span.To > 0 && seq > x.span.To:
				return
			case err == nil && ok && seq < x.span.From:
				continue
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// entriesIn reads a stretch.
func entriesIn(ctx context.Context, stream *reader.Reader, x stretch) iter.Seq2[reader.Stored, error] {
	switch {
	case !stream.IsSet():
		return stream.Range(ctx, x.from, x.to)
	case x.open:
		return x.pick(stream.UpTo(ctx, x.from, x.end))
	}
	return x.pick(stream.Range(ctx, x.from, x.to))
}

// untrimmedFrom is the seq from which on no partition has been trimmed; 0 when
// none was.
func untrimmedFrom(ctx context.Context, stream *reader.Reader) (from event.Seq, err error) {
	if !stream.IsSet() {
		return 0, nil
	}
	for _, part := range stream.Partitions() {
		b, err := part.Bounds(ctx)
		if errors.Is(err, reader.ErrNoStream) {
			continue
		}
		if err != nil {
			return 0, err
		}
		added, err := part.EntriesAdded(ctx)
		if err != nil {
			return 0, err
		}
		if first, _ := b.First.Seq(); added != b.Length {
			from = max(from, first)
		}
	}
	return from, nil
}

// nameEntry is an entry's id, of a set with its partition: {2}:1767225600000-0.
func nameEntry(stream *reader.Reader, s reader.Stored) string {
	if !stream.IsSet() {
		return string(s.ID)
	}
	return fmt.Sprintf("{%d}:%s", s.Partition, s.ID)
}

// rereadMargin is how far apart in time partitions may have stored neighbours.
const rereadMargin = 10 * time.Second

// reread reads again what lies between two entries as nameEntry gives them. Of a
// set it reads the time between, and some more at either end.
func reread(ctx context.Context, stream *reader.Reader, from, to string) iter.Seq2[verify.Mark, error] {
	if !stream.IsSet() {
		return marksOf(stream, stream.Range(ctx, reader.ID(from), reader.ID(to)))
	}
	_, from, _ = strings.Cut(from, ":")
	_, to, _ = strings.Cut(to, ":")
	begin := reader.IDAt(reader.ID(from).Time().Add(-rereadMargin))
	end := reader.IDAt(reader.ID(to).Time().Add(rereadMargin))
	return marksOf(stream, stream.Range(ctx, begin, end))
}

func marksOf(stream *reader.Reader, entries iter.Seq2[reader.Stored, error]) iter.Seq2[verify.Mark, error] {
	return func(yield func(verify.Mark, error) bool) {
		for s, err := range entries {
			seq, ok := s.Seq()
			if (ok || err != nil) && !yield(verify.Mark{Seq: seq, ID: nameEntry(stream, s)}, err) {
				return
			}
		}
	}
}
