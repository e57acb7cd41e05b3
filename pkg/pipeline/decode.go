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
	large    bool    // entry is in the memory for large ones
	lent     bool    // and a batch has it
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
			d.work(ctx, g, w)
		case <-ctx.Done():
			return nil
		}
	}
}

// decoding is what one goroutine needs to decode.
type decoding struct {
	decoder frame.Decoder
	encoder entry.Encoder
	ev      event.Event
	last    event.Seq // one in order, of a moment before the chunk
	prev    event.Seq // of the frame before, 0 when unknown
	widest  event.Seq // about the widest rise between frames of late
}

// work decodes a chunk and lets the sequencer have it, in portions if it must.
func (d *decoding) work(ctx context.Context, g *generation, w *work) {
	defer w.finish()
	d.decoder.Raw, d.last, d.prev = true, event.Seq(g.placed.Load()), 0
	if w.from.Lull {
		d.prev = d.last // nothing or little is on its way between them
	}
	if w.data == nil {
		w.data = make([]byte, 0, portionBytes+entry.Overrun)
	}
	for _, f := range w.chunk.Frames {
		for !d.add(w, f, g.cfg.Filter.Keep) {
			d.decoder.Forget(&d.ev) // its memory is needed elsewhere
			if len(w.marks) > 0 || !w.turn {
				if !g.await(ctx, w) {
					return
				}
				continue
			}
			// Alone in its portion, and still too large for it.
			if !d.addLarge(ctx, g, w, f) {
				return
			}
			break
		}
		if len(f.Data) > largeFrame {
			d.decoder.Forget(&d.ev)
		}
	}
}

// await hands over what is made of a chunk and waits until it is taken; false means
// that nobody wants the rest. Then this chunk is the first in line: what it needs,
// others hold only for as long as the sink takes to store it.
func (g *generation) await(ctx context.Context, w *work) bool {
	if !g.queue(ctx, w) {
		return false
	}
	w.more = true
	w.done <- struct{}{}
	select {
	case wanted := <-w.again:
		w.turn = true
		return wanted && ctx.Err() == nil
	case <-g.over: // whatever ended ctx ends the sequencer
		return false
	}
}

// add leaves a mark of one frame; false, and nothing, when its entry has no room in
// this portion.
func (d *decoding) add(w *work, f event.Frame, keep func(*event.Event) bool) bool {
	w.marks = append(w.marks, mark{size: len(f.Data)})
	m := &w.marks[len(w.marks)-1]
	start, ops, times := len(w.data), len(w.ops), len(w.times)
	if !d.read(w, m, f, keep) {
		out, ok, err := d.encoder.Append(w.data, &d.ev, portionBytes)
		if err != nil {
			w.marks, w.ops, w.times = w.marks[:len(w.marks)-1], w.ops[:ops], w.times[:times]
			return false
		}
		if w.data = out; ok {
			m.entry = out[start:len(out):len(out)]
		}
	}
	d.note(w, m, f)
	return true
}

// addLarge is add for a frame whose entry is larger than a portion. There is memory
// for one such entry; false means that ctx ended before it was free.
func (d *decoding) addLarge(ctx context.Context, g *generation, w *work, f event.Frame) bool {
	buf, ok := g.takeLarge(ctx)
	if !ok {
		return false
	}
	w.large = true
	w.marks = append(w.marks, mark{size: len(f.Data)})
	m := &w.marks[len(w.marks)-1]
	d.read(w, m, f, g.cfg.Filter.Keep)
	out, ok, err := d.encoder.Append(buf, &d.ev, event.MaxData)
	if err != nil {
		m.reject = &event.Reject{Reason: event.ReasonLimit, Seq: d.ev.Seq, Detail: "over 13,000,000 bytes as JSON"}
	} else if ok {
		m.entry, m.large = out, true
	}
	d.note(w, m, f)
	return true
}

// note counts what became of the event, and keeps the frame where that is worth
// keeping.
func (d *decoding) note(w *work, m *mark, f event.Frame) {
	if m.reject == nil && !m.filtered && m.notice == nil {
		m.flags = d.ev.Flags
		if m.kind == event.KindCommit {
			w.countOps(m, d.ev.Commit.Ops)
		}
	}
	rises := d.rises(m.seq) && len(f.Data) <= largeFrame
	if far := rises || event.FarAhead(d.last, m.seq); m.reject == nil && m.skips == nil && !far {
		return
	}
	if m.frame = f.Data; len(f.Data) > largeFrame {
		w.keep = true
	} else {
		m.frame = bytes.Clone(f.Data)
	}
}

// rises reports whether a frame's seq is further above the one before it than is usual,
// so that it may prove to be false.
func (d *decoding) rises(seq event.Seq) (unusual bool) {
	if seq == 0 {
		return false
	}
	if d.prev > 0 && seq > d.prev {
		rise := seq - d.prev
		unusual = rise > 1 && rise > 2*d.widest
		d.widest = max(d.widest-d.widest>>7, rise)
	}
	d.prev = seq
	return unusual
}

// largeFrame is from which size on a rejected frame is not copied: the whole chunk,
// which it was read into, waits with it. Bytes.
const largeFrame = 64 << 10

// read decodes a frame into the mark, and into d.ev; true when it yields no entry.
func (d *decoding) read(w *work, m *mark, f event.Frame, keep func(*event.Event) bool) (done bool) {
	if f.Fault != event.ReasonNone {
		m.reject = &event.Reject{Reason: f.Fault, Detail: "not readable as one binary message"}
		return true
	}
	ev := &d.ev
	if err := d.decoder.Decode(f.Data, ev); err != nil {
		m.reject = asReject(err)
		m.seq = m.reject.Seq
		return true
	}
	m.kind, m.seq, m.flags, m.time = ev.Kind, ev.Seq, ev.Flags, w.copied(ev.Time)
	if ev.Kind == event.KindInfo || ev.Kind == event.KindError {
		m.notice = copyNotice(ev.Notice)
		return true
	}
	if m.filtered = !keep(ev); m.filtered {
		return true
	}
	if ev.Kind == event.KindCommit {
		m.repo = newRepoRev(ev.DID, ev.Commit.Rev)
	}
	return false
}

// copied is a copy that lives as long as the portion.
func (w *work) copied(text []byte) []byte {
	start := len(w.times)
	w.times = append(w.times, text...)
	return w.times[start:len(w.times):len(w.times)]
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
	return &event.Notice{Name: clip(n.Name), Message: clip(n.Message)}
}

// clip copies what is worth knowing of a text that may be as long as a message.
func clip(text []byte) []byte {
	const enough = 1 << 10
	return bytes.Clone(text[:min(len(text), enough)])
}
