package pipeline

import (
	"bytes"
	"context"
	"errors"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// mark is what a decoder leaves of one frame for the sequencer. Its slices are
// the work's, or its own.
type mark struct {
	size     int    // of the frame
	frame    []byte // the frame itself, when it is worth keeping: of rejects and skips
	kind     event.Kind
	filtered bool
	flags    event.Flags
	ops      []op // delivered; of a commit
	seq      event.Seq
	repo     repoRev // of a commit
	entry    []byte  // the entry's JSON; nil when the event yields none
	time     []byte
	skips    []event.Reason // of ops; usually nil
	reject   *event.Reject  // the whole frame; usually nil
	notice   *event.Notice  // info and error events
}

// op is what is counted of one delivered op.
type op struct {
	action     event.Action
	collection event.Collection
}

// decode does everything costly for chunks as they come.
func (g *generation) decode(ctx context.Context) error {
	var d decoding
	for {
		select {
		case w, ok := <-g.todo:
			if !ok {
				return nil
			}
			d.work(w, g.cfg.Filter.Keep)
		case <-ctx.Done():
			return nil
		}
	}
}

// decoding is what one goroutine needs to decode.
type decoding struct {
	decoder frame.Decoder
	ev      event.Event
}

// work decodes a chunk and lets the sequencer have it.
func (d *decoding) work(w *work, keep func(*event.Event) bool) {
	for _, f := range w.chunk.Frames {
		w.add(f, &d.decoder, &d.ev, keep)
	}
	w.letGo()
	w.done <- struct{}{}
}

// add leaves a mark of one frame, and nothing that points into it.
func (w *work) add(f event.Frame, decoder *frame.Decoder, ev *event.Event, keep func(*event.Event) bool) {
	w.marks = append(w.marks, mark{size: len(f.Data)})
	m := &w.marks[len(w.marks)-1]
	w.read(m, f, decoder, ev, keep)
	if m.reject != nil || m.skips != nil {
		m.frame = bytes.Clone(f.Data)
	}
}

func (w *work) read(m *mark, f event.Frame, decoder *frame.Decoder, ev *event.Event, keep func(*event.Event) bool) {
	if f.Fault != event.ReasonNone {
		m.reject = &event.Reject{Reason: f.Fault, Detail: "not readable as one binary message"}
		return
	}
	if err := decoder.Decode(f.Data, ev); err != nil {
		m.reject = asReject(err)
		m.seq = m.reject.Seq
		return
	}
	m.kind, m.seq, m.flags, m.time = ev.Kind, ev.Seq, ev.Flags, w.copied(ev.Time)
	if ev.Kind == event.KindInfo || ev.Kind == event.KindError {
		m.notice = copyNotice(ev.Notice)
		return
	}
	if m.filtered = !keep(ev); m.filtered {
		return
	}
	if ev.Kind == event.KindCommit {
		w.countOps(m, ev.Commit.Ops)
		m.repo = newRepoRev(ev.DID, ev.Commit.Rev)
	}
	start := len(w.data)
	if out, ok := entry.Append(w.data, ev); ok {
		w.data = out
		m.entry = out[start:len(out):len(out)]
	}
}

// copied is a copy that lives as long as the work.
func (w *work) copied(text []byte) []byte {
	start := len(w.data)
	w.data = append(w.data, text...)
	return w.data[start:len(w.data):len(w.data)]
}

func (w *work) countOps(m *mark, ops []event.Op) {
	start := len(w.ops)
	for i := range ops {
		if o := &ops[i]; o.Skip == event.ReasonNone {
			w.ops = append(w.ops, op{o.Action, event.CollectionOf(o.Collection())})
		} else {
			m.skips = append(m.skips, o.Skip)
		}
	}
	m.ops = w.ops[start:len(w.ops):len(w.ops)]
}

func asReject(err error) *event.Reject {
	var reject *event.Reject
	if errors.As(err, &reject) {
		return reject
	}
	return &event.Reject{Reason: event.ReasonCBOR, Detail: err.Error()}
}

func copyNotice(n event.Notice) *event.Notice {
	return &event.Notice{
		Name:    append([]byte(nil), n.Name...),
		Message: append([]byte(nil), n.Message...),
	}
}
