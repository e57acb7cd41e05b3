package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/verify"
)

// ofSet fits a stretch to a partitioned set, whose ends are seqs. At an open end
// it notes how far every partition has come: what a writer at work has stored in
// one and not yet in another is no gap.
func (x *stretch) ofSet(ctx context.Context, reader *redisstream.Reader, from, to place.Place) (err error) {
	if from.Kind == place.Seq {
		x.span.From = from.Seq
	}
	if to.Kind == place.Seq {
		x.span.To = to.Seq
		x.to = x.bounds.Last.ID
		last, _ := x.bounds.Last.Seq()
		x.open = to.Seq >= last
	}
	cursors, err := reader.Cursors(ctx)
	if err != nil {
		return err
	}
	if x.end, err = reader.End(ctx); err != nil || !x.open || !reader.OwnsCursor() {
		return err
	}
	for i, part := range reader.Partitions() {
		b, err := part.Bounds(ctx)
		if err != nil && !errors.Is(err, redisstream.ErrNoStream) {
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
func (x *stretch) pick(entries iter.Seq2[redisstream.Stored, error]) iter.Seq2[redisstream.Stored, error] {
	return func(yield func(redisstream.Stored, error) bool) {
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
func entriesIn(ctx context.Context, reader *redisstream.Reader, x stretch) iter.Seq2[redisstream.Stored, error] {
	switch {
	case !reader.IsSet():
		return reader.Range(ctx, x.from, x.to)
	case x.open:
		return x.pick(reader.UpTo(ctx, x.from, x.end))
	}
	return x.pick(reader.Range(ctx, x.from, x.to))
}

// untrimmedFrom is the seq from which on no partition has been trimmed; 0 when
// none was.
func untrimmedFrom(ctx context.Context, reader *redisstream.Reader) (from event.Seq, err error) {
	if !reader.IsSet() {
		return 0, nil
	}
	for _, part := range reader.Partitions() {
		b, err := part.Bounds(ctx)
		if errors.Is(err, redisstream.ErrNoStream) {
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
func nameEntry(reader *redisstream.Reader, s redisstream.Stored) string {
	if !reader.IsSet() {
		return string(s.ID)
	}
	return fmt.Sprintf("{%d}:%s", s.Partition, s.ID)
}

// rereadMargin is how far apart in time partitions may have stored neighbours.
const rereadMargin = 10 * time.Second

// reread reads again what lies between two entries as nameEntry gives them. Of a
// set it reads the time between, and some more at either end.
func reread(ctx context.Context, reader *redisstream.Reader, from, to string) iter.Seq2[verify.Mark, error] {
	if !reader.IsSet() {
		return marksOf(reader, reader.Range(ctx, redisstream.ID(from), redisstream.ID(to)))
	}
	_, from, _ = strings.Cut(from, ":")
	_, to, _ = strings.Cut(to, ":")
	begin := redisstream.IDAt(redisstream.ID(from).Time().Add(-rereadMargin))
	end := redisstream.IDAt(redisstream.ID(to).Time().Add(rereadMargin))
	return marksOf(reader, reader.Range(ctx, begin, end))
}
