package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/verify"
)

// stretch is the part of a stream that is read.
type stretch struct {
	bounds   redisstream.Bounds
	from, to redisstream.ID // both included
	empty    bool           // the range holds nothing
	whole    bool           // from the first entry to the last
	open     bool           // up to the stream's end
	// Of a partitioned set, whose ids are places in time only: the seqs that
	// belong to it, and where the partitions end.
	span    verify.Span
	end     redisstream.Place
	reached event.Seq // by every partition; 0 at an end that is given
}

// stretchOf finds the ends of the range. What is appended later does not belong
// to it.
func stretchOf(ctx context.Context, reader *redisstream.Reader, from, to place) (x stretch, err error) {
	if x.bounds, err = reader.Bounds(ctx); err != nil || x.bounds.Length == 0 {
		x.empty = true
		return x, err
	}
	x.from, x.to = x.bounds.First.ID, x.bounds.Last.ID
	first, found, err := seekPlace(ctx, reader, from)
	if err != nil {
		return x, err
	}
	if !from.open() {
		x.from, x.empty = first, !found
	}
	x.open = true
	if !to.open() {
		var behind redisstream.ID
		behind, found, err = seekPlace(ctx, reader, next(to))
		if err != nil {
			return x, err
		}
		if found && behind.Compare(x.to) <= 0 {
			x.to, x.open = before(behind), false
		}
	}
	x.empty = x.empty || x.from.Compare(x.to) > 0
	x.whole = x.open && x.from == x.bounds.First.ID
	if reader.IsSet() {
		return x, x.ofSet(ctx, reader, from, to)
	}
	return x, nil
}

// seekPlace is the id where a place begins. An id or a time need not be an
// entry's.
func seekPlace(ctx context.Context, reader *redisstream.Reader, e place) (id redisstream.ID, found bool, err error) {
	var s redisstream.Stored
	switch e.kind {
	case placeSeq:
		s, found, err = reader.SeekSeq(ctx, e.seq)
		return s.ID, found, err
	case placeTime:
		return redisstream.IDAt(e.time), true, nil
	case placeID:
		return e.id, true, nil
	}
	return "", false, nil
}

// next is the place just behind an end that is included.
func next(e place) place {
	e.seq++
	e.time = e.time.Truncate(time.Millisecond).Add(time.Millisecond)
	if e.kind == placeID {
		e.id = e.id.Next()
	}
	return e
}

// before is the highest id below one that is not the lowest.
func before(id redisstream.ID) redisstream.ID {
	ms, n, _ := strings.Cut(string(id), "-")
	number, _ := strconv.ParseUint(n, 10, 64)
	if number > 0 {
		return redisstream.ID(ms + "-" + strconv.FormatUint(number-1, 10))
	}
	milli, _ := strconv.ParseUint(ms, 10, 64)
	return redisstream.ID(strconv.FormatUint(max(milli, 1)-1, 10) + "-" + strconv.FormatUint(1<<64-1, 10))
}
