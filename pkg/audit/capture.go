package audit

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

// Capture checks the frames of a capture file. Where the file is damaged, that is a
// finding, and what came before is checked. The Summary is nil where nothing was
// checked: see [Stream].
func Capture(ctx context.Context, path string, s Stretch, o Options) (*Summary, error) {
	a := newAudit(s, o)
	file, err := capture.Open(path)
	if err != nil {
		return nil, notToCheck(err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	a.tell(0, 0, 0)
	within := coverage.Frames{From: a.From, To: a.To}
	check := verify.NewFrames(a.frameRules(path, &within))
	read, passed, err := a.frames(ctx, file, &within, check)
	within.Whole = err == nil
	damage, damaged := errors.AsType[*capture.Damage](err)
	if damaged {
		check.Damaged(damage)
		err = nil
	} else if errors.As(err, new(*capture.NotCapture)) {
		return nil, notToCheck(err)
	}
	if within.Kept == 0 && err == nil && !damaged && ctx.Err() == nil {
		return nil, errNothing(Nothing{What: "frames"}, fmt.Sprintf("it holds %d frames, seq %d to %d", read, passed.From, passed.To))
	}
	return a.end(check.Close(), err)
}

// frameRules are the rules with what they need to know of the file.
func (a *audit) frameRules(path string, within *coverage.Frames) verify.Config {
	rules := a.rules()
	rules.Reread = func(_ context.Context, from, to string) iter.Seq2[verify.Mark, error] {
		return frameMarks(path, from, to)
	}
	rules.MaxRereads = maxFileRereads
	rules.Uncovered = func() []string {
		a.summary.Lacks = within.Lacks()
		return a.summary.Lacks
	}
	return rules
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
func (a *audit) frames(ctx context.Context, file *capture.Reader, within *coverage.Frames, check *verify.Frames) (read int64, seqs verify.Span, err error) {
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
		if read%(tellEach/8) == 0 {
			a.tell(read, file.Fraction(), seq)
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
