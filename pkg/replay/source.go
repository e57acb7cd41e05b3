package replay

import (
	"context"
	"iter"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

// Piece is what a source holds at one place: a message or an entry. It belongs to the
// receiver. The zero fields are those that the source does not have.
type Piece struct {
	// Frame is a message as the relay sent it; nil from a stream of entries.
	Frame []byte
	// Stored is an entry of a stream.
	Stored reader.Stored
	// Fault is why a message did not arrive whole.
	Fault event.Reason
	// Back is set, of a piece that is nothing else, when reading went back behind this
	// seq, since one above it was false: what follows may lie below what was yielded.
	Back event.Seq
}

// Source is where events come from. Pieces is called once; State from any goroutine
// while it runs.
type Source interface {
	// Pieces yields everything from the beginning of the range on, or what follows the
	// seq after if that is not 0. It may yield what lies behind the end of the range:
	// Run judges that. An error is the last thing it yields. When ctx ends it ends.
	Pieces(ctx context.Context, after event.Seq) iter.Seq2[Piece, error]
	// Nature is known before anything is read.
	Nature() Nature
	// State is how far Pieces has come.
	State() State
	// Close frees what the source holds. Run does not call it.
	Close() error
}

// Nature is what a source is. The zero Nature is that of a file.
type Nature struct {
	// Rising is set when seqs only rise: the first at the end of the range is the last
	// that is wanted, and Run does not wait for another.
	Rising bool
	// Past is set when what happens after the run began is not wanted.
	Past bool
	// Endless is set when the source ends with its context only, which then completes
	// the run.
	Endless bool
}

// State is how far a source has been read.
type State struct {
	// Done is the part of the range, from 0 to 1; -1 when it is unknown.
	Done float64
	// Repeats counts events that came again, and were left out.
	Repeats int64
}

// seqAbove reports whether a frame has a seq above after.
func seqAbove(raw []byte, after event.Seq) bool {
	seq, ok := frame.PeekSeq(raw)
	return ok && seq > after
}

// partDone is how much of a range of seqs lies behind at; -1 when unknown.
func partDone(first, at, last int64) float64 {
	if first == 0 || last <= first {
		return -1
	}
	return max(0, min(1, float64(at-first+1)/float64(last-first+1)))
}
