package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/output"
)

// receiver is where a replay goes.
type receiver interface {
	// after is the seq behind which reading goes on; 0 is the beginning.
	after() event.Seq
	// put takes one event; stored is false when the target does not take
	// its kind.
	put(ctx context.Context, p *played) (stored bool, err error)
	// flush passes on what put kept, because the next event is not there yet.
	flush(ctx context.Context) error
	// finish ends the target. A whole replay is complete; what is not, is
	// kept so that --resume can go on.
	finish(ctx context.Context, complete bool) error
}

// nowhere is the target of --dry-run.
type nowhere struct {
	from    event.Seq
	entries bool
}

func (n nowhere) after() event.Seq                 { return n.from }
func (nowhere) flush(context.Context) error        { return nil }
func (nowhere) finish(context.Context, bool) error { return nil }
func (n nowhere) put(_ context.Context, p *played) (bool, error) {
	return !n.entries || p.entry, nil
}

// printer writes events to standard output.
type printer struct {
	out     *bufio.Writer
	raw     bool
	text    *output.Columns // nil prints JSON
	source  string
	outline entry.Outline
	line    []byte
}

func newPrinter(w io.Writer, p *replayPlan) *printer {
	t := &printer{out: bufio.NewWriterSize(shell.Visible(w), 64<<10), raw: p.raw, text: p.columns, source: output.FromRelay}
	if p.source.Kind == endpoint.EndStream {
		t.source = output.FromStream
	}
	return t
}

func (t *printer) after() event.Seq            { return 0 }
func (t *printer) flush(context.Context) error { return t.out.Flush() }

func (t *printer) finish(context.Context, bool) error { return t.out.Flush() }

func (t *printer) put(_ context.Context, p *played) (bool, error) {
	switch {
	case t.raw && p.frame != nil:
		return true, t.Write(output.AppendFrame(t.line[:0], p.frame))
	case t.raw:
		return true, output.WriteEntry(t.out, string(p.stored.ID), p.stored.Fields)
	case !p.entry:
		return false, nil
	}
	err := t.event(p)
	if len(p.data) > shell.LargeItem {
		t.outline = entry.Outline{} // which points into the data
	}
	return true, err
}

// write keeps the memory of a line for the next, unless it is large.
func (t *printer) Write(line []byte) error {
	if t.line = line; cap(line) > shell.LargeItem {
		t.line = nil
	}
	_, err := t.out.Write(line)
	return err
}

// event renders one event as tail does.
func (t *printer) event(p *played) error {
	e := output.Event{
		Source: t.source, ID: string(p.stored.ID), At: p.at, Sent: p.sent,
		Kind: p.typ, Seq: p.seq, Data: p.data, Skipped: p.skips, Op: -1,
	}
	if err := t.outline.Read(e.Data); err != nil {
		e.Data, e.Fault, e.Fields = "", "data is "+err.Error(), p.stored.Fields
	}
	e.Outline = t.outline
	if t.text == nil {
		return output.WriteJSON(t.out, &e)
	}
	if len(e.Outline.Ops) > 0 {
		e.Op = 0
	}
	return t.Write(t.text.Append(t.line[:0], &e))
}

// checkpointEvery is how much of a recording a crash can take.
const checkpointEvery = 5 * time.Second

// recorder writes a capture.
type recorder struct {
	path   string
	w      *capture.Writer
	state  resumeState
	from   event.Seq
	next   time.Time // of the next checkpoint
	unsafe bool      // something was written since the last one
	cut    string    // what a person should know of a capture that became shorter
}

// openRecorder begins a capture, or goes on with one.
func openRecorder(path, source, selection string, resume bool) (*recorder, error) {
	t := &recorder{path: path, state: resumeState{V: 1, Source: source, Selection: selection}, next: time.Now().Add(checkpointEvery)}
	var state *resumeState
	var err error
	if resume {
		state, err = loadState(path)
	}
	if err != nil {
		return nil, err
	}
	if state == nil {
		if t.w, err = capture.CreatePartial(path); err != nil {
			return nil, unfinished(path, err)
		}
		// From the first moment a crash leaves what --resume needs.
		return t, t.checkpoint(t.w.Checkpoint)
	}
	if state.Source != source || state.Selection != selection {
		return nil, fault.New(fault.Usage, fmt.Errorf("resume %s: it was begun from %s with other settings (this run: %s)", path, state.Source, source),
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

// unfinished says what to do about a partial capture that is in the way.
func unfinished(path string, err error) error {
	if !errors.Is(err, capture.ErrPartial) {
		return err
	}
	hint := fmt.Sprintf("begin anew: rm %s", capture.PartialName(path))
	if state, e := loadState(path); state != nil || e != nil {
		hint = fmt.Sprintf("go on with it: --resume; or begin anew: rm %s %s", capture.PartialName(path), stateName(path))
	}
	return fault.New(fault.Usage, err, hint)
}

// shorten goes back to what is left of a partial capture that was cut since its
// state was written: the source is read again from there.
func (t *recorder) shorten() {
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

func (t *recorder) after() event.Seq { return t.from }

func (t *recorder) put(_ context.Context, p *played) (bool, error) {
	if err := t.w.Write(p.frame); err != nil {
		return false, err
	}
	t.unsafe = true
	t.state.Events++
	if p.seq > 0 {
		t.state.Seq = p.seq.String()
	}
	if time.Now().After(t.next) {
		return true, t.checkpoint(t.w.Checkpoint)
	}
	return true, nil
}

// checkpoint makes the partial capture and its state agree, the file first.
func (t *recorder) checkpoint(sync func() (int64, error)) (err error) {
	t.next = time.Now().Add(checkpointEvery)
	if t.state.Size, err = sync(); err != nil {
		return err
	}
	t.unsafe = false
	return t.state.save(t.path)
}

func (t *recorder) flush(context.Context) error {
	if t.unsafe && time.Now().After(t.next) {
		return t.checkpoint(t.w.Checkpoint)
	}
	return nil
}

func (t *recorder) finish(_ context.Context, complete bool) error {
	if complete {
		return errors.Join(t.w.Close(), removeState(t.path))
	}
	if t.state.Seq == "" {
		return errors.Join(t.w.Discard(), removeState(t.path)) // nothing to go on with
	}
	return t.checkpoint(t.w.Suspend)
}
