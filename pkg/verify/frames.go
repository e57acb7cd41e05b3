package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// Frames judges the frames of a capture, given in file order.
type Frames struct {
	*ledger
	order   *sequence
	decoder frame.Decoder
	ev      event.Event
	revs    revs
}

// NewFrames starts a check. Frames are named "frame N", from 1, also to
// Config.Reread.
func NewFrames(cfg Config) *Frames {
	l := newLedger(cfg)
	return &Frames{ledger: l, order: newSequence(l)}
}

// FrameID names the n-th frame, from 1.
func FrameID(n int64) string { return fmt.Sprintf("frame %d", n) }

// Frame judges the next frame. The error is Config.Reread's.
func (f *Frames) Frame(ctx context.Context, number int64, data []byte) error {
	id := FrameID(number)
	chosen := f.cover()
	seq, numbered := frame.PeekSeq(data)
	f.place(seq, id)
	if numbered {
		if err := f.order.observe(ctx, seq, id); err != nil {
			return err
		}
	}
	if chosen {
		f.contents(id, data)
	}
	return nil
}

// Damaged reports why the capture cannot be read to its end.
func (f *Frames) Damaged(err error) {
	f.found(Finding{Rule: CaptureDamaged, Seq: f.sum.Last.Seq, ID: f.sum.Last.ID, Where: "behind it", Detail: err.Error()})
}

// Close ends the check.
func (f *Frames) Close() Summary {
	f.order.close()
	return f.summary()
}

// flagRules are the rules of oddities that were tolerated.
var flagRules = [event.FlagKinds]Rule{event.FlagEnvelope: FrameOdd, event.FlagRecord: RecordOdd, event.FlagRoot: CARRoot, event.FlagHandle: HandleSyntax}

// contents judges one frame by itself and against its repository's last.
func (f *Frames) contents(id string, data []byte) {
	ev := &f.ev
	if err := f.decoder.Decode(data, ev); err != nil {
		f.rejected(id, err)
		return
	}
	f.sum.Kinds[ev.Kind]++
	for flag, rule := range flagRules {
		if ev.Flags.Has(event.Flag(flag)) {
			f.found(Finding{Rule: rule, Seq: ev.Seq, ID: id})
		}
	}
	c := commitCheck{Frames: f, id: id, ev: ev}
	switch ev.Kind {
	case event.KindCommit:
		c.commit()
	case event.KindSync:
		c.sync()
	}
}

func (f *Frames) rejected(id string, err error) {
	var r *event.Reject
	if !errors.As(err, &r) {
		f.found(Finding{Rule: FrameUnreadable, ID: id, Detail: err.Error()})
		return
	}
	rule := FrameInvalid
	switch {
	case r.Reason.Framing():
		rule = FrameUnreadable
	case r.Reason == event.ReasonCAR:
		rule = CARInvalid
	case r.Reason == event.ReasonDID:
		rule = DIDSyntax
	}
	f.found(Finding{Rule: rule, Seq: r.Seq, ID: id, Detail: r.Reason.String() + ": " + r.Detail})
}
