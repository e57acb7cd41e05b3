package replay

import (
	"context"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/place"
)

// CaptureSource reads a capture file once.
type CaptureSource struct {
	file *capture.Reader
	from event.Seq    // where the range begins; 0 is the beginning
	part atomic.Int64 // of the file that was read, in millionths
}

// OpenCapture opens a capture. Of from only a seq is sought: any other place is judged
// event by event.
func OpenCapture(path string, from place.Place) (*CaptureSource, error) {
	file, err := capture.Open(path)
	if err != nil {
		return nil, err
	}
	c := &CaptureSource{file: file}
	if from.Kind == place.Seq {
		c.from = from.Seq
	}
	return c, nil
}

// Pieces yields the frames. Where the file is damaged it ends with a *capture.Damage:
// what came before stands.
func (c *CaptureSource) Pieces(ctx context.Context, after event.Seq) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		if _, err := c.file.SeekAfter(max(after, c.from-1)); err != nil {
			yield(Piece{}, err)
			return
		}
		for raw, err := range c.file.Frames() {
			if ctx.Err() != nil {
				return
			}
			if err == nil && after > 0 && !seqAbove(raw, after) {
				continue
			}
			c.part.Store(int64(c.file.Fraction() * 1e6))
			if !yield(Piece{Frame: slices.Clone(raw)}, err) || err != nil {
				return
			}
		}
	}
}

// Nature is that of a file.
func (c *CaptureSource) Nature() Nature { return Nature{} }

// State goes by the bytes of the file.
func (c *CaptureSource) State() State { return State{Done: float64(c.part.Load()) / 1e6} }

// Close closes the file.
func (c *CaptureSource) Close() error { return c.file.Close() }
