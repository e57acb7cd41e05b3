package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

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
	"github.com/fhctl/fhctl/pkg/relay"
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
	r := &tailRelay{tailRun: t, stop: stop, notes: observe.NewLog(t.Log, nil)}
	r.start(up.Whole)
	up.Stop = stop
	source, err := up.Source(t.Env, t.cfg, observe.Observers{r})
	if err != nil {
		return err
	}
	if !t.end {
		return r.follow(ctx, source)
	}
	up.Stop = nil // the probe ends where the recording does, before all was shown
	probe, err := up.Source(t.Env, t.cfg, observe.Observers{observe.Silent{}})
	if err != nil {
		return err
	}
	r.quiet = time.AfterFunc(time.Hour, func() { stop(errAtEnd) })
	defer r.quiet.Stop()
	group, both := errgroup.WithContext(ctx)
	both, done := context.WithCancel(both)
	group.Go(func() error { r.findEnd(both, probe); return nil })
	err = r.follow(ctx, source)
	done()
	return errors.Join(err, group.Wait())
}

// errAtEnd ends reading where --end wants it.
var errAtEnd = errors.New("the end was reached")

// tailRelay is tail at work on a relay. It observes the connection.
type tailRelay struct {
	*tailRun
	observe.Silent
	stop  context.CancelCauseFunc
	notes *observe.Log
	quiet *time.Timer // ends it; nil without --end
	// quietAt is when the timer fires; of a stopped timer what was left.
	quietAt   time.Time
	quietLeft time.Duration

	from    event.Position // where the first connection begins
	seen    *follow.Follower
	up      bool // a connection has succeeded
	endSeq  atomic.Int64
	decoder frame.Decoder
	decoded event.Event
	event   output.Event
	encoder entry.Encoder
}

func (r *tailRelay) start(recording bool) {
	switch {
	case r.since.Kind == place.Seq && r.since.Seq > 1:
		r.from = event.AfterSeq(r.since.Seq - 1)
	case r.since.Kind == place.Seq, r.since.Kind == place.Oldest, r.since.Kind == place.Unset && recording:
		r.from = event.Position{Start: event.Oldest}
	}
	r.seen = follow.New(r.from, r.cfg.Ingest.IdleTimeout, r.Log)
}

// Link gives up when the first dial fails, since somebody waits; a connection
// that breaks later is made again.
func (r *tailRelay) Link(l event.Link) {
	switch {
	case l.State == event.LinkUp:
		r.up = true
		r.quietly(quietEnd)
		r.Log.Debug("Connected to relay", "relay", l.URL, "from", l.From.String())
	case l.State == event.LinkDown && l.Err != nil && !r.up:
		r.stop(unreachable(l.Err))
	case l.State == event.LinkDown && l.Err != nil:
		r.notes.Link(l)
	}
}

func unreachable(err error) error {
	if fault.ClassOf(err) != fault.Internal {
		return err
	}
	return fault.New(fault.Unreachable, err, "is --relay-url right, and the relay up?")
}

// Alarm passes on what must not be silent.
func (r *tailRelay) Alarm(a event.Alarm, seq event.Seq, detail string) { r.notes.Alarm(a, seq, detail) }

// bench.quietly sets when silence means the end; 0 stops the clock while we, not the
// relay, take our time.
func (r *tailRelay) quietly(after time.Duration) {
	switch {
	case r.quiet == nil:
	case after == 0:
		r.quiet.Stop()
		r.quietLeft = max(time.Until(r.quietAt), time.Millisecond)
	default:
		r.quietAt = time.Now().Add(after)
		r.quiet.Reset(after)
	}
}

// quietAgain starts the clock again behind a chunk: anew when it brought an
// event, else where it was. Notices and repeats are silence too.
func (r *tailRelay) quietAgain(before event.Seq) {
	if r.quiet == nil {
		return
	}
	after := r.quietLeft
	switch {
	case r.seen.Last() != before:
		after = quietEnd
	case r.seen.Astray(): // until it is judged: what the relay counts anew may be all there is
		after = quietEnd + follow.StrayTime
	}
	r.quietly(after)
}

// follow shows frames until ctx ends: how following ends is no failure.
func (r *tailRelay) follow(ctx context.Context, source *relay.Source) error {
	defer r.seen.Close()
	resume := func(context.Context) (event.Position, error) { return r.resume(), nil }
	for chunk, err := range source.Frames(ctx, resume) {
		if err != nil {
			return unreachable(err)
		}
		r.quietly(0)
		r.seen.Enter(chunk)
		before := r.seen.Last()
		more, err := r.chunk(chunk)
		chunk.Release()
		if err == nil {
			err = r.out.Flush()
		}
		if err != nil || !more {
			return err
		}
		r.quietAgain(before)
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, errAtEnd) || errors.Is(cause, shell.ErrInterrupted) && !r.end || cause == context.DeadlineExceeded { // a dial has time limits of its own
		return nil
	}
	return cause
}

func (r *tailRelay) chunk(chunk *event.Chunk) (more bool, err error) {
	for i := range chunk.Frames {
		if more, err = r.one(&chunk.Frames[i]); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// one shows a frame.
func (r *tailRelay) one(f *event.Frame) (more bool, err error) {
	r.frame = f.Data
	r.decoder.Raw = true
	if err := r.decode(f); err != nil {
		r.decoded.Seq = 0
		return r.reject(err, f.Data)
	}
	ev := &r.decoded
	if ev.Kind == event.KindError {
		return r.refusal(ev)
	}
	if ev.Seq > 0 {
		if r.seen.Take(ev.Seq) != event.Fresh {
			return true, nil
		}
		if end := event.Seq(r.endSeq.Load()); end > 0 && ev.Seq >= end {
			return false, nil
		}
	}
	if ev.Kind == event.KindInfo {
		r.Log.Warn("The relay sends a notice", "name", string(ev.Notice.Name), "message", string(ev.Notice.Message))
	}
	r.describe(ev)
	return r.show(&r.event)
}

// resume is where to read on. A relay that counts anew (Q6) is followed from the seq
// that it began with: to drop what it sends would be to drop everything.
func (r *tailRelay) resume() event.Position {
	at, restarted, first := r.seen.Resume()
	if !restarted {
		return at
	}
	r.Log.Warn("The relay sends only events below the seq asked for: its numbering has restarted, and reading goes on in the new one", "seq", first.String(), "asked", at.String())
	at = event.Position{Start: event.Oldest}
	if first > 1 {
		at = event.AfterSeq(first - 1)
	}
	r.seen.Rewind(at)
	return at
}

func (r *tailRelay) decode(f *event.Frame) error {
	if f.Fault != event.ReasonNone {
		return &event.Reject{Reason: f.Fault, Detail: "the message could not be read whole"}
	}
	return r.decoder.Decode(f.Data, &r.decoded)
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

// refusal is an error frame: the relay closes behind it.
func (r *tailRelay) refusal(ev *event.Event) (more bool, err error) {
	name, message := string(ev.Notice.Name), string(ev.Notice.Message)
	if name == "FutureCursor" {
		return false, fault.New(fault.Cursor, fmt.Errorf("the relay knows no seq as high as %s: %s %s", r.seen.At(), name, message),
			"take a seq of this relay, or --since live")
	}
	r.Log.Warn("The relay ends the connection", "name", name, "message", message)
	r.describe(ev)
	return r.show(&r.event)
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

// findEnd notes the lowest of the first seqs that the relay sends live: what lies
// before it is what there was when we came.
func (r *tailRelay) findEnd(ctx context.Context, source *relay.Source) {
	live := func(context.Context) (event.Position, error) { return event.Position{Start: event.Live}, nil }
	const enough = 3 // one of them may be far off
	seen := 0
	for chunk, err := range source.Frames(ctx, live) {
		if err != nil {
			return // silence will tell
		}
		for _, f := range chunk.Frames {
			if seq, ok := frame.PeekSeq(f.Data); ok {
				if end := r.endSeq.Load(); end == 0 || int64(seq) < end {
					r.endSeq.Store(int64(seq))
				}
				seen++
			}
		}
		chunk.Release()
		if seen >= enough {
			return
		}
	}
}
