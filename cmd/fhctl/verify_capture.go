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
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/text"
	"github.com/fhctl/fhctl/pkg/verify"
)

// maxFileRereads bounds how often a capture is read again from its beginning
// to look for an earlier frame.
const maxFileRereads = 16

// capture checks a recording.
func (r *verifyRun) capture(ctx context.Context) error {
	file, err := capture.Open(r.source.path)
	if err != nil {
		return notToCheck(err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	r.begin(verify.OfCapture)
	rules := r.rules()
	rules.Report = r.report.finding
	rules.Reread = func(_ context.Context, from, to string) iter.Seq2[verify.Mark, error] {
		return frameMarks(r.source.path, from, to)
	}
	rules.MaxRereads = maxFileRereads
	within := frameRange{from: r.verifyPlan.from, to: r.verifyPlan.to}
	whole := false // the file was read to its end
	rules.Uncovered = func() []string {
		r.report.lacks = within.lacks(whole)
		return r.report.lacks
	}
	check := verify.NewFrames(rules)
	read, passed, err := r.frames(ctx, file, &within, check)
	whole = err == nil
	damage, damaged := errors.AsType[*capture.Damage](err)
	if damaged {
		check.Damaged(damage)
		err = nil
	} else if errors.As(err, new(*capture.NotCapture)) {
		return notToCheck(err)
	}
	if within.kept == 0 && err == nil && !damaged && ctx.Err() == nil {
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
func (r *verifyRun) frames(ctx context.Context, file *capture.Reader, within *frameRange, check *verify.Frames) (read int64, seqs verify.Span, err error) {
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
	from, to place.Place
	decoder  frame.Decoder
	ev       event.Event
	at       timeSpan
	trust    trusted
	seq      event.Seq
	kept     int64
	// Of the whole file, so far: where it begins, and how far it goes.
	first, last     event.Seq
	began, farthest time.Time
}

func (f *frameRange) holds(data []byte, seq event.Seq) bool {
	if seq > 0 {
		f.seq = seq
	}
	f.saw(seq, time.Time{})
	if f.from.Kind == place.Time || f.to.Kind == place.Time {
		if f.decoder.Decode(data, &f.ev) == nil {
			if at := f.trust.span(f.ev.Time); !at.latest.IsZero() {
				f.at = at
				f.saw(0, at.earliest)
			}
		}
	}
	switch {
	case f.from.Kind == place.Seq && f.seq < f.from.Seq, f.to.Kind == place.Seq && f.seq > f.to.Seq,
		f.from.Kind == place.Time && f.at.latest.Before(f.from.Time), f.to.Kind == place.Time && f.at.earliest.After(f.to.Time):
		return false
	}
	f.kept++
	return true
}

// saw widens what is known of the file; zero is unknown.
func (f *frameRange) saw(seq event.Seq, at time.Time) {
	if seq > 0 && f.first == 0 {
		f.first = seq
	}
	f.last = max(f.last, seq)
	if f.began.IsZero() {
		f.began = at
	}
	if at.After(f.farthest) {
		f.farthest = at
	}
}

// lacks says what of the range the file does not hold. How far it goes is known
// once it was read whole.
func (f *frameRange) lacks(whole bool) (why []string) {
	if f.from.Kind == place.Seq && f.first > 0 && f.from.Seq < f.first || f.from.Kind == place.Time && f.from.Time.Before(f.began) {
		why = append(why, fmt.Sprintf("asked for from %s on, but the recording begins with %s: what lies before is not covered", f.from, frameMark(f.first, f.began)))
	}
	if whole && (f.to.Kind == place.Seq && f.to.Seq > f.last || f.to.Kind == place.Time && f.to.Time.After(f.farthest)) {
		why = append(why, fmt.Sprintf("asked for up to %s, but the recording ends with %s: what lies behind is not covered", f.to, frameMark(f.last, f.farthest)))
	}
	return why
}

// frameMark names an end of a recording, with its event time where that was read.
func frameMark(seq event.Seq, at time.Time) string {
	if at.IsZero() {
		return fmt.Sprintf("seq %s", seq)
	}
	return fmt.Sprintf("seq %s of %s", seq, text.Time(at))
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
