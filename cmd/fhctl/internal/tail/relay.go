package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/output"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/pipeline/observe"
	"github.com/fhctl/fhctl/pkg/place"
)

// quietEnd is how long a relay must send nothing for --end to take what it sent
// as all there is.
const quietEnd = 5 * time.Second

// readRelay shows what the relay sends.
func (t *tailRun) readRelay(ctx context.Context) error {
	up, err := endpoint.OpenUpstream(t.Log, t.cfg)
	if err != nil {
		return err
	}
	defer up.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &tailRelay{tailRun: t, notes: observe.NewLog(t.Log, nil)}
	options := follow.Options{From: t.from(up.Whole), IdleTimeout: t.cfg.Ingest.IdleTimeout, Anew: true, Rest: true, Logger: t.Log}
	probed := up
	up.Stop = stop
	open := func(link func(event.Link)) (follow.Source, error) {
		r.link = link
		return up.Source(t.Env, t.cfg, observe.Observers{r})
	}
	if !t.end {
		return r.follow(ctx, open, options)
	}
	options.Quiet = quietEnd
	both, done := context.WithCancel(ctx)
	var probe sync.WaitGroup
	probe.Go(func() { r.findEnd(both, probed) })
	err = r.follow(ctx, open, options)
	done()
	probe.Wait()
	return err
}

// tailRelay is tail at work on a relay. It observes the connection.
type tailRelay struct {
	*tailRun
	observe.Silent
	notes *observe.Log
	link  func(event.Link)

	up      bool // a connection has succeeded
	endSeq  atomic.Int64
	decoder frame.Decoder
	decoded event.Event
	event   output.Event
	encoder entry.Encoder
}

// from is where the first connection begins.
func (t *tailRun) from(recording bool) event.Position {
	switch {
	case t.since.Kind == place.Seq && t.since.Seq > 1:
		return event.AfterSeq(t.since.Seq - 1)
	case t.since.Kind == place.Seq, t.since.Kind == place.Oldest, t.since.Kind == place.Unset && recording:
		return event.Position{Start: event.Oldest}
	}
	return event.Position{}
}

// Link passes changes of the connection on, and logs those of one that was up.
func (r *tailRelay) Link(l event.Link) {
	switch {
	case l.State == event.LinkUp:
		r.up = true
		r.Log.Debug("Connected to relay", "relay", l.URL, "from", l.From.String())
	case l.State == event.LinkDown && l.Err != nil && r.up:
		r.notes.Link(l)
	}
	r.link(l)
}

// Alarm passes on what must not be silent.
func (r *tailRelay) Alarm(a event.Alarm, seq event.Seq, detail string) { r.notes.Alarm(a, seq, detail) }

// unplaced tells of a relay that cannot be reached, or does not have what was asked for.
func unplaced(err error) error {
	if lost, ok := errors.AsType[*follow.PositionError](err); ok {
		return fault.New(fault.Cursor, fmt.Errorf("the relay knows no seq as high as %s: %s", lost.Asked, lost.Message), "take a seq of this relay, or --since live")
	}
	if dial, ok := errors.AsType[*follow.DialError](err); ok {
		err = dial.Err
	}
	if fault.ClassOf(err) != fault.Internal {
		return err
	}
	return fault.New(fault.Unreachable, err, "is --relay-url right, and the relay up?")
}

// follow shows what comes until ctx ends: how following ends is no failure.
func (r *tailRelay) follow(ctx context.Context, open follow.Open, options follow.Options) error {
	var flushed error
	options.Pause = func() { flushed = errors.Join(flushed, r.out.Flush()) }
	for item, err := range follow.Events(ctx, open, options) {
		if err != nil {
			return unplaced(err)
		}
		if item.Back > 0 {
			continue
		}
		more, err := r.one(item)
		if err = errors.Join(err, flushed); err != nil || !more {
			return errors.Join(err, r.out.Flush())
		}
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, shell.ErrInterrupted) && !r.end || cause == context.DeadlineExceeded { // a dial has time limits of its own
		cause = nil
	}
	return errors.Join(cause, flushed, r.out.Flush())
}

// one shows a message.
func (r *tailRelay) one(item *follow.Item) (more bool, err error) {
	r.frame = item.Frame
	if err := r.decode(item); err != nil {
		return r.reject(err, item.Frame)
	}
	if end := event.Seq(r.endSeq.Load()); end > 0 && item.Seq >= end {
		return false, nil
	}
	ev := &r.decoded
	switch ev.Kind {
	case event.KindInfo:
		r.Log.Warn("The relay sends a notice", "name", string(ev.Notice.Name), "message", string(ev.Notice.Message))
	case event.KindError:
		r.Log.Warn("The relay ends the connection", "name", string(ev.Notice.Name), "message", string(ev.Notice.Message))
	}
	r.describe(ev)
	return r.show(&r.event)
}

func (r *tailRelay) decode(item *follow.Item) error {
	r.decoder.Raw = true
	if item.Fault != event.ReasonNone {
		return &event.Reject{Reason: item.Fault, Detail: "the message could not be read whole"}
	}
	return r.decoder.Decode(item.Frame, &r.decoded)
}

// reject tells of a frame that yields no event. --raw shows it all the same,
// unless filters would have to look into it.
func (r *tailRelay) reject(err error, data []byte) (more bool, _ error) {
	reject, ok := errors.AsType[*event.Reject](err)
	if !ok {
		return false, err
	}
	if r.raw && r.match.any {
		return r.Write(nil)
	}
	r.notes.Rejected(reject, data)
	return true, nil
}

// describe makes a line's event of a decoded one.
func (r *tailRelay) describe(ev *event.Event) {
	e := &r.event
	if len(e.Data) > shell.LargeItem {
		e.Outline = entry.Outline{} // it points into the data
	}
	*e = output.Event{Source: output.FromRelay, Sent: string(ev.Time), Kind: ev.Kind.String(), Seq: ev.Seq, Outline: e.Outline}
	// It is informal: what does not parse is shown as it is.
	e.At, _ = time.Parse(time.RFC3339Nano, e.Sent)
	if ev.Kind == event.KindUnknown {
		e.Kind = string(ev.Type)
	}
	data, stored, err := r.encoder.Text(ev)
	if !stored {
		data = unstored(ev)
	}
	if err != nil {
		e.Fault = "data is over " + strconv.Itoa(event.MaxData) + " bytes"
	}
	for i := range ev.Commit.Ops {
		if ev.Kind == event.KindCommit && ev.Commit.Ops[i].Skip != event.ReasonNone {
			e.Skipped++
		}
	}
	e.Data = data
	if err := e.Outline.Read(e.Data); err != nil {
		e.Data, e.Fault = "", "data is "+err.Error()
	}
}

// unstored is the data of an event that yields no entry.
func unstored(ev *event.Event) string {
	data, _ := json.Marshal(struct { // texts only, so it cannot fail
		DID     string `json:"did,omitempty"`
		Rev     string `json:"rev,omitempty"`
		Name    string `json:"name,omitempty"`
		Message string `json:"message,omitempty"`
	}{string(ev.DID), string(ev.Sync.Rev), string(ev.Notice.Name), string(ev.Notice.Message)})
	return string(data)
}

// findEnd notes the first seq that the relay sends live: what lies before it is what
// there was when we came. Where there is none, silence will tell.
func (r *tailRelay) findEnd(ctx context.Context, up endpoint.Upstream) {
	open := func(link func(event.Link)) (follow.Source, error) {
		return up.Source(r.Env, r.cfg, linked{link: link})
	}
	for item, err := range follow.Events(ctx, open, follow.Options{IdleTimeout: r.cfg.Ingest.IdleTimeout, Patient: true}) {
		if err != nil {
			return
		}
		if item.Seq > 0 {
			r.endSeq.Store(int64(item.Seq))
			return
		}
	}
}

// linked hears of changes of a connection, and of nothing else.
type linked struct {
	observe.Silent
	link func(event.Link)
}

func (l linked) Link(change event.Link) { l.link(change) }
