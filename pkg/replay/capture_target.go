package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
)

// checkpointEvery is how much of a recording a crash can take.
const checkpointEvery = 5 * time.Second

// CaptureConfig says which capture is written.
type CaptureConfig struct {
	// Path is its name. Until it is complete it is Path.partial, with its position in
	// Path.resume. A file that exists is never replaced.
	Path string
	// Source says whose numbering the seqs are, and Selection is the fingerprint of the
	// filter. A capture that was begun with others is not resumed.
	Source, Selection string
	// Resume goes on with a partial capture, if there is one.
	Resume bool
}

// CaptureTarget writes a capture. Every five seconds what it has is made safe.
type CaptureTarget struct {
	path   string
	w      *capture.Writer
	state  resumeState
	from   event.Seq
	next   time.Time // of the next checkpoint
	unsafe bool      // something was written since the last one
	cut    string
}

// CreateCapture begins a capture, or goes on with one.
func CreateCapture(cfg CaptureConfig) (*CaptureTarget, error) {
	path := cfg.Path
	t := &CaptureTarget{path: path, state: resumeState{V: 1, Source: cfg.Source, Selection: cfg.Selection}, next: time.Now().Add(checkpointEvery)}
	var state *resumeState
	var err error
	if cfg.Resume {
		state, err = loadState(path)
	}
	if err != nil {
		return nil, err
	}
	if state == nil {
		if t.w, err = capture.CreatePartial(path); err != nil {
			return nil, unfinished(path, err)
		}
		// From the first moment a crash leaves what is needed to resume.
		return t, t.checkpoint(t.w.Checkpoint)
	}
	if state.Source != cfg.Source || state.Selection != cfg.Selection {
		return nil, fault.New(fault.Usage, fmt.Errorf("resume %s: it was begun from %s with other settings (this run: %s)", path, state.Source, cfg.Source),
			"use the same source and filters, or begin anew under another name")
	}
	t.state = *state
	t.from, _ = event.ParseSeq(state.Seq)
	if t.w, err = capture.Resume(path, state.Size); err != nil {
		return nil, err
	}
	t.shorten()
	return t, nil
}

// CapturePosition is the seq behind which a capture that is not complete would be
// resumed, 0 when there is none.
func CapturePosition(path string) (event.Seq, error) {
	state, err := loadState(path)
	if state == nil {
		return 0, err
	}
	seq, _ := event.ParseSeq(state.Seq)
	return seq, nil
}

// unfinished says what to do about a partial capture that is in the way.
func unfinished(path string, err error) error {
	if !errors.Is(err, capture.ErrPartial) {
		return err
	}
	hint := fmt.Sprintf("begin anew: rm %s", capture.PartialName(path))
	if state, e := loadState(path); state != nil || e != nil {
		hint = fmt.Sprintf("go on with it: %s; or begin anew: rm %s %s", fault.To("resume", ""), capture.PartialName(path), stateName(path))
	}
	return fault.New(fault.Usage, err, hint)
}

// shorten goes back to what is left of a partial capture that was cut since its
// state was written: the source is read again from there.
func (t *CaptureTarget) shorten() {
	size, frames, last := t.w.Kept()
	if size >= t.state.Size {
		return
	}
	t.cut = fmt.Sprintf("%s is %d bytes shorter than it was: %d events are left of %d, up to seq %s, and recording goes on behind that",
		capture.PartialName(t.path), t.state.Size-size, frames, t.state.Events, last)
	t.from, t.state.Size, t.state.Events, t.state.Seq = last, size, frames, ""
	if last > 0 {
		t.state.Seq = last.String()
	}
}

// Cut is what a person should know of a partial capture that had become shorter; ""
// otherwise.
func (t *CaptureTarget) Cut() string { return t.cut }

// After is the last seq of a capture that is resumed.
func (t *CaptureTarget) After() event.Seq { return t.from }

// Put writes the frame, which an entry of a stream does not have.
func (t *CaptureTarget) Put(_ context.Context, e *Selected) (bool, error) {
	if e.Frame == nil {
		return false, nil
	}
	if err := t.w.Write(e.Frame); err != nil {
		return false, err
	}
	t.unsafe = true
	t.state.Events++
	if e.Seq > 0 {
		t.state.Seq = e.Seq.String()
	}
	if time.Now().After(t.next) {
		return true, t.checkpoint(t.w.Checkpoint)
	}
	return true, nil
}

// checkpoint makes the partial capture and its state agree, the file first.
func (t *CaptureTarget) checkpoint(sync func() (int64, error)) (err error) {
	t.next = time.Now().Add(checkpointEvery)
	if t.state.Size, err = sync(); err != nil {
		return err
	}
	t.unsafe = false
	return t.state.save(t.path)
}

// Flush makes safe what was written, when it is time.
func (t *CaptureTarget) Flush(context.Context) error {
	if t.unsafe && time.Now().After(t.next) {
		return t.checkpoint(t.w.Checkpoint)
	}
	return nil
}

// Finish gives a complete capture its name. Of one that is not, it keeps the position;
// without any event in it, nothing.
func (t *CaptureTarget) Finish(_ context.Context, complete bool) error {
	if complete {
		return errors.Join(t.w.Close(), removeState(t.path))
	}
	if t.state.Seq == "" {
		return errors.Join(t.w.Discard(), removeState(t.path)) // nothing to go on with
	}
	return t.checkpoint(t.w.Suspend)
}
