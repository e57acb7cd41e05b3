package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/verify"
)

// maxFileRereads bounds how often a capture is read again from its beginning
// to look for an earlier frame.
const maxFileRereads = 16

// capture checks a recording.
func (r *verifyRun) capture(ctx context.Context) error {
	file, err := capture.Open(r.source.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	r.begin(verify.OfCapture)
	rules := r.rules()
	rules.Report = r.report.finding
	rules.Reread = func(_ context.Context, from, to string) iter.Seq2[verify.Mark, error] {
		return frameMarks(r.source.path, from, to)
	}
	rules.MaxRereads = maxFileRereads
	check := verify.NewFrames(rules)
	read, passed, err := r.frames(ctx, file, check)
	if damage, ok := errors.AsType[*capture.Damage](err); ok && damage.Frames > 0 {
		check.Damaged(damage.Err)
		err = nil
	} else if ok {
		r.report.abandon()
		return fault.New(fault.Unreachable, fmt.Errorf("nothing to check: %s is not a capture: %w", r.source.path, damage.Err),
			"fhctl record makes captures")
	}
	sum := check.Close()
	if sum.Items == 0 && err == nil && ctx.Err() == nil {
		r.report.abandon()
		return r.nothing("frames", fmt.Sprintf("it holds %d frames, seq %d to %d", read, passed.From, passed.To))
	}
	return r.end(ctx, sum, err)
}

// frames hands the frames of the range to the check. It gives how many frames
// were read, and their seqs.
func (r *verifyRun) frames(ctx context.Context, file *capture.Reader, check *verify.Frames) (read int64, seqs verify.Span, err error) {
	within := frameRange{from: r.verifyPlan.from, to: r.verifyPlan.to}
	for data, err := range file.Frames() {
		if err == nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil {
			return read, seqs, err
		}
		read++
		seq, ok := frame.PeekSeq(data)
		if ok {
			if seqs.From == 0 {
				seqs.From = seq
			}
			seqs.To = max(seqs.To, seq)
		}
		if !within.holds(data, seq) {
			continue
		}
		if err := check.Frame(ctx, read, data); err != nil {
			return read, seqs, err
		}
		if read%(drawEach/8) == 0 {
			r.report.progress(read, file.Fraction(), seq)
		}
	}
	return read, seqs, nil
}

// frameRange is --from and --to of a capture. A frame that has no seq, or no
// time, stands where the one before it does.
type frameRange struct {
	from, to place
	decoder  frame.Decoder
	ev       event.Event
	at       time.Time
	seq      event.Seq
}

func (f *frameRange) holds(data []byte, seq event.Seq) bool {
	if seq > 0 {
		f.seq = seq
	}
	if f.from.kind == placeTime || f.to.kind == placeTime {
		if f.decoder.Decode(data, &f.ev) == nil {
			if at, err := time.Parse(time.RFC3339, string(f.ev.Time)); err == nil {
				f.at = at
			}
		}
	}
	switch {
	case f.from.kind == placeSeq && f.seq < f.from.seq, f.to.kind == placeSeq && f.seq > f.to.seq,
		f.from.kind == placeTime && f.at.Before(f.from.time), f.to.kind == placeTime && f.at.After(f.to.time):
		return false
	}
	return true
}

// frameMarks reads the seqs of frames again, by their names.
func frameMarks(path, from, to string) iter.Seq2[verify.Mark, error] {
	return func(yield func(verify.Mark, error) bool) {
		file, err := capture.Open(path)
		if err != nil {
			yield(verify.Mark{}, err)
			return
		}
		defer func() { _ = file.Close() }()
		low, high, n := frameNumber(from), frameNumber(to), int64(0)
		for data, err := range file.Frames() {
			if n++; err != nil || n > high {
				if err != nil {
					yield(verify.Mark{}, err)
				}
				return
			}
			seq, ok := frame.PeekSeq(data)
			if ok && n >= low && !yield(verify.Mark{Seq: seq, ID: verify.FrameID(n)}, nil) {
				return
			}
		}
	}
}

func frameNumber(id string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(id, "frame "), 10, 64)
	return n
}
