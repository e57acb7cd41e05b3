package audit

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/verify"
)

// stretch is the part of a stream that is read.
type stretch struct {
	bounds   reader.Bounds
	from, to reader.ID          // both included
	empty    bool               // the range holds nothing
	whole    bool               // from the first entry to the last
	open     bool               // up to the stream's end
	begins   coverage.Beginning // from where on the stream has everything
	// Of a partitioned set, whose ids are places in time only: the seqs that
	// belong to it, and where the partitions end.
	span    verify.Span
	end     reader.Place
	reached event.Seq // by every partition; 0 at an end that is given
}

// stretchOf finds the ends of the range. What is appended later does not belong
// to it.
func stretchOf(ctx context.Context, stream *reader.Reader, from, to place.Place) (x stretch, err error) {
	if x.bounds, err = stream.Bounds(ctx); err != nil || x.bounds.Length == 0 {
		x.empty = true
		return x, err
	}
	if x.begins, err = coverage.BeginningOf(ctx, stream, x.bounds); err != nil {
		return x, err
	}
	from, to = settle(stream, x.bounds, from, to)
	x.from, x.to = x.bounds.First.ID, x.bounds.Last.ID
	first, found, err := seekPlace(ctx, stream, from)
	if err != nil {
		return x, err
	}
	if !from.Open() {
		x.empty = !found
		if first.Compare(x.from) > 0 {
			x.from = first
		}
	}
	x.open = true
	if to.Kind != place.Unset {
		var behind reader.ID
		behind, found, err = seekPlace(ctx, stream, next(to))
		if err != nil {
			return x, err
		}
		if found && behind.Compare(x.to) <= 0 {
			x.to, x.open = before(behind), false
		}
	}
	x.empty = x.empty || x.from.Compare(x.to) > 0
	x.whole = x.open && x.from == x.bounds.First.ID
	if stream.IsSet() {
		return x, x.ofSet(ctx, stream, from, to)
	}
	return x, nil
}

// settle turns the newest entry into its place. A range that ends with it is open.
func settle(stream *reader.Reader, b reader.Bounds, from, to place.Place) (place.Place, place.Place) {
	if to.Kind == place.Newest {
		to = place.Place{}
	}
	if from.Kind != place.Newest {
		return from, to
	}
	if seq, ok := b.Last.Seq(); ok && stream.IsSet() { // ids are a partition's own
		from.Kind, from.Seq = place.Seq, seq
	} else {
		from.Kind, from.ID = place.ID, string(b.Last.ID)
	}
	return from, to
}

// seekPlace is the id where a place begins. An id or a time need not be an
// entry's.
func seekPlace(ctx context.Context, stream *reader.Reader, p place.Place) (id reader.ID, found bool, err error) {
	var s reader.Stored
	switch p.Kind {
	case place.Seq:
		s, found, err = stream.SeekSeq(ctx, p.Seq)
		return s.ID, found, err
	case place.Time:
		return reader.IDAt(p.Time), true, nil
	case place.ID:
		return reader.ID(p.ID), p.ID != "", nil
	}
	return "", false, nil
}

// next is the place just behind an end that is included. Nothing lies behind the
// highest id.
func next(p place.Place) place.Place {
	p.Seq++
	p.Time = p.Time.Truncate(time.Millisecond).Add(time.Millisecond)
	if p.Kind == place.ID {
		behind := reader.ID(p.ID).Next()
		if behind.Compare(reader.ID(p.ID)) < 0 {
			behind = ""
		}
		p.ID = string(behind)
	}
	return p
}

// before is the highest id below one that is not the lowest.
func before(id reader.ID) reader.ID {
	ms, n, _ := strings.Cut(string(id), "-")
	number, _ := strconv.ParseUint(n, 10, 64)
	if number > 0 {
		return reader.ID(ms + "-" + strconv.FormatUint(number-1, 10))
	}
	milli, _ := strconv.ParseUint(ms, 10, 64)
	return reader.ID(strconv.FormatUint(max(milli, 1)-1, 10) + "-" + strconv.FormatUint(1<<64-1, 10))
}

// fraction is how much of the stretch was read: by entries where all are read,
// else by time.
func (x *stretch) fraction(done int64, at reader.ID) float64 {
	if x.whole {
		return float64(done) / float64(x.bounds.Length)
	}
	span := x.to.Time().Sub(x.from.Time())
	if span <= 0 {
		return -1
	}
	return float64(at.Time().Sub(x.from.Time())) / float64(span)
}
