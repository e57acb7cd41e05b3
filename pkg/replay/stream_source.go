package replay

import (
	"context"
	"iter"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// StreamSource reads a range of a stream, or of a set of them, up to where it ends when
// it is opened.
type StreamSource struct {
	stream      *reader.Reader
	from, until place.Place
	bounds      reader.Bounds
	read        atomic.Int64
	part        atomic.Int64 // in millionths, by time
}

// OpenStream asks a stream for its bounds; reader.ErrNoStream says that it does
// not exist. The source takes the reader over, also when there is an error.
func OpenStream(ctx context.Context, stream *reader.Reader, from, until place.Place) (*StreamSource, error) {
	o := &StreamSource{stream: stream, from: from, until: until}
	var err error
	if o.bounds, err = stream.Bounds(ctx); err != nil {
		_ = stream.Close()
		return nil, err
	}
	return o, nil
}

// Bounds is what the stream held when it was opened.
func (o *StreamSource) Bounds() reader.Bounds { return o.bounds }

// Pieces yields the entries of the range.
func (o *StreamSource) Pieces(ctx context.Context, after event.Seq) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		first, last, found, err := o.ends(ctx, after)
		if err != nil {
			yield(Piece{}, err)
			return
		}
		if !found {
			return
		}
		begin, end := first.Time(), last.Time()
		for stored, err := range o.stream.Range(ctx, first, last) {
			if err != nil {
				yield(Piece{}, err)
				return
			}
			o.measure(stored.ID, begin, end)
			// Of a set a few entries from before the range may come along.
			if seq, ok := stored.Seq(); ok && (seq <= after || o.from.Kind == place.Seq && seq < o.from.Seq) {
				continue
			}
			if !yield(Piece{Stored: stored}, nil) {
				return
			}
		}
	}
}

// ends turns the range into ids. The end is where the stream ends now.
func (o *StreamSource) ends(ctx context.Context, after event.Seq) (first, last reader.ID, found bool, err error) {
	if o.bounds.Length == 0 {
		return "", "", false, nil
	}
	first, last = o.bounds.First.ID, o.bounds.Last.ID
	switch o.until.Kind { // newest is the present end
	case place.ID:
		last = reader.ID(o.until.ID)
	case place.Time:
		// Without its second part an id means the whole millisecond.
		last = reader.ID(strconv.FormatInt(max(0, o.until.Time.UnixMilli()), 10))
	}
	seek := after + 1
	switch o.from.Kind {
	case place.Newest:
		if seq, ok := o.bounds.Last.Seq(); ok && o.stream.IsSet() { // ids are a partition's own
			seek = max(seek, seq)
			break
		}
		first = o.bounds.Last.ID
	case place.ID:
		first = reader.ID(o.from.ID)
	case place.Time:
		first = reader.IDAt(o.from.Time)
	case place.Seq:
		seek = max(seek, o.from.Seq)
	}
	if seek <= 1 {
		return first, last, true, nil
	}
	at, found, err := o.stream.SeekSeq(ctx, seek)
	if found && first.Compare(at.ID) < 0 {
		first = at.ID
	}
	return first, last, found, err
}

func (o *StreamSource) measure(id reader.ID, begin, end time.Time) {
	n := o.read.Add(1)
	part := float64(n) / float64(max(1, o.bounds.Length))
	if !o.from.Open() || !o.until.Open() {
		part = float64(id.Time().Sub(begin)+1) / float64(end.Sub(begin)+1)
	}
	o.part.Store(int64(min(part, 1) * 1e6))
}

// Nature is that of a file: it ends where the stream did.
func (o *StreamSource) Nature() Nature { return Nature{} }

// State goes by the times of the entries, or by their number where all are read.
func (o *StreamSource) State() State { return State{Done: float64(o.part.Load()) / 1e6} }

// Close closes the reader.
func (o *StreamSource) Close() error { return o.stream.Close() }
