package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/coverage"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/verify"
)

// maxFileRereads bounds how often a capture is read again from its beginning
// to look for an earlier frame.
const maxFileRereads = 16

// capture checks a recording.
func (r *verifyRun) capture(ctx context.Context) error {
	file, err := capture.Open(r.source.Path)
	if err != nil {
		return notToCheck(err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	r.begin(verify.OfCapture)
	rules := r.rules()
	rules.Report = r.report.finding
	rules.Reread = func(_ context.Context, from, to string) iter.Seq2[verify.Mark, error] {
		return frameMarks(r.source.Path, from, to)
	}
	rules.MaxRereads = maxFileRereads
	within := coverage.Frames{From: r.verifyPlan.from, To: r.verifyPlan.to}
	rules.Uncovered = func() []string {
		r.report.lacks = within.Lacks()
		return r.report.lacks
	}
	check := verify.NewFrames(rules)
	read, passed, err := r.frames(ctx, file, &within, check)
	within.Whole = err == nil
	damage, damaged := errors.AsType[*capture.Damage](err)
	if damaged {
		check.Damaged(damage)
		err = nil
	} else if errors.As(err, new(*capture.NotCapture)) {
		return notToCheck(err)
	}
	if within.Kept == 0 && err == nil && !damaged && ctx.Err() == nil {
		return r.nothing("frames", fmt.Sprintf("it holds %d frames, seq %d to %d", read, passed.From, passed.To))
	}
	return r.end(ctx, check.Close(), err)
}

// notToCheck says of a file that is no capture that nothing was checked.
func notToCheck(err error) error {
	if !errors.As(err, new(*capture.NotCapture)) {
		return err
	}
	return fault.New(fault.Unreachable, fmt.Errorf("nothing to check: %w", err), fault.HintOf(err))
}

// frames hands the frames of the range to the check. It gives how many frames
// were read, and their seqs.
func (r *verifyRun) frames(ctx context.Context, file *capture.Reader, within *coverage.Frames, check *verify.Frames) (read int64, seqs verify.Span, err error) {
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
		if !within.Holds(data, seq) {
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
