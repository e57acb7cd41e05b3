package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
)

const (
	streamBatch      = 500
	streamBatchBytes = 1 << 20
)

// StreamConfig says which stream is appended to.
type StreamConfig struct {
	Connection conn.Connection
	// StreamKey is the stream's, or that of a set of Partitions streams; up to 1 is one
	// stream. Its cursor has the first of CursorNames that fits the server.
	StreamKey  string
	Partitions int
	// MaxLen trims to about that many entries; 0 never trims.
	MaxLen        int64
	AllowEviction bool
	// Source says whose numbering the seqs are, and Selection is the fingerprint of the
	// filter. A stream that was begun with others is not resumed.
	Source, Selection string
	// Resume goes on behind the cursor of an earlier run.
	Resume bool
	// AppendToLive takes a stream that no replay made although a writer is at work on
	// the same Redis: LiveCursor and LivePartitions are the writer's.
	AppendToLive   bool
	LiveCursor     string
	LivePartitions int
}

// identity marks the cursor.
func (c *StreamConfig) identity() string { return reader.ReplayPrefix + c.Source }

func (c *StreamConfig) cursor() string {
	return cursorName(c.Connection.URL, c.StreamKey, c.Partitions)
}

// StreamTarget stores entries in a stream that is not the live one, with a cursor
// of its own beside it. It is the script and the discipline of ingest: what the
// cursor covers is never appended again.
type StreamTarget struct {
	w       redisstream.Sink
	from    event.Seq
	at      event.Position
	max     event.Seq
	batch   event.Batch
	times   event.Times // of the last events
	present int64
	// failed is set once Redis refused a batch, which is not sent again.
	failed bool
}

// TakeHint is what helps where a stream is taken for a live one.
func TakeHint() string {
	return "consumers would take the events for new ones; choose another " + fault.To("to-stream", "") + ", or say " + fault.To("append-to-live-stream", "")
}

// Check refuses a live stream, and a cursor of an earlier replay that nobody asked to
// resume. It gives the seq to go on after, and changes nothing.
func (c *StreamConfig) Check(ctx context.Context) (event.Seq, error) {
	r, err := reader.Open(ctx, reader.Config{Connection: c.Connection, StreamKey: c.StreamKey, CursorKey: c.cursor(), Partitions: c.Partitions})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	ours, err := r.Cursor(ctx)
	if err != nil {
		return 0, err
	}
	_, err = r.Bounds(ctx)
	exists := err == nil
	if err != nil && !errors.Is(err, reader.ErrNoStream) {
		return 0, err
	}
	if exists && !ours.Present && !c.AppendToLive {
		if err := c.looksLive(ctx, ours.Status); err != nil {
			return 0, err
		}
	}
	if ours.Present && !exists {
		return 0, fault.New(fault.Conflict, fmt.Errorf("the replay cursor %s stands at seq %s, but stream %s is gone", r.CursorKey(), ours.Seq, c.StreamKey),
			beginAnew(r))
	}
	return c.resumeAfter(r, ours)
}

// looksLive refuses a stream that no replay made on a Redis that a writer
// feeds.
func (c *StreamConfig) looksLive(ctx context.Context, beat dashboard.Heartbeat) error {
	if beat.Present {
		return fault.New(fault.Conflict, fmt.Errorf("stream %s exists and no replay made it, while a writer is at work on this Redis (%s)", c.StreamKey, dashboard.StatusKey), TakeHint())
	}
	live, err := reader.Open(ctx, reader.Config{Connection: c.Connection, StreamKey: c.StreamKey, CursorKey: c.LiveCursor, Partitions: c.LivePartitions})
	if err != nil {
		return err
	}
	defer live.Close()
	cursor, err := live.Cursor(ctx)
	if err == nil && cursor.Present {
		err = fault.New(fault.Conflict, fmt.Errorf("stream %s exists and no replay made it, while this Redis has a live cursor (%s)", c.StreamKey, live.CursorKey()), TakeHint())
	}
	return err
}

func (c *StreamConfig) resumeAfter(r *reader.Reader, ours reader.CursorState) (event.Seq, error) {
	switch {
	case !ours.Present:
		return 0, nil
	case ours.NotSeq:
		return 0, fault.New(fault.Cursor, fmt.Errorf("cursor %s is not a seq", r.CursorKey()), beginAnew(r))
	case !c.Resume:
		return 0, fault.New(fault.Conflict, fmt.Errorf("an earlier replay into %s stands at seq %s (%s)", c.StreamKey, ours.Seq, r.CursorKey()),
			"go on behind it: "+fault.To("resume", "")+"; or choose another "+fault.To("to-stream", "")+"; or "+beginAnew(r))
	case ours.SidePresent && (ours.Side.Relay != c.identity() || ours.Side.Filter != c.Selection):
		return 0, fault.New(fault.Cursor, fmt.Errorf("the replay into %s was begun from %s with other settings (this run: %s)", c.StreamKey, ours.Side.Relay, c.identity()),
			"use the same source and filters, or choose another "+fault.To("to-stream", ""))
	}
	return ours.Seq, nil
}

// AppendTo checks a stream and opens it for appending.
func AppendTo(ctx context.Context, c StreamConfig) (*StreamTarget, error) {
	if _, err := c.Check(ctx); err != nil {
		return nil, err
	}
	w, err := redisstream.OpenSink(ctx, redisstream.Config{
		Connection: c.Connection, StreamKey: c.StreamKey, CursorKey: c.cursor(),
		MaxLen: c.MaxLen, AllowEviction: c.AllowEviction,
		Identity: redisstream.Identity{Relay: c.identity(), Filter: c.Selection, Partitions: c.Partitions},
	})
	if err != nil {
		return nil, err
	}
	t := &StreamTarget{w: w}
	at, err := w.Resume(ctx)
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	t.at = at.Position
	if t.at.Start == event.After {
		t.from, t.max = t.at.Seq, t.at.Seq
	} else {
		t.at = event.Position{Start: event.Oldest}
	}
	t.batch.Reset(t.at)
	return t, nil
}

// beginAnew says how to forget a replay into a stream.
func beginAnew(r *reader.Reader) string {
	var keys []string
	for _, part := range r.Partitions() {
		keys = append(keys, part.StreamKey(), part.CursorKey(), part.CursorKey()+":meta")
	}
	return "begin anew: DEL " + strings.Join(keys, " ")
}

// After is the cursor of a stream that is resumed.
func (t *StreamTarget) After() event.Seq { return t.from }

// Present counts what the cursor covered already.
func (t *StreamTarget) Present() int64 { return t.present }

// Put takes commits, identities and accounts with a seq.
func (t *StreamTarget) Put(ctx context.Context, e *Selected) (bool, error) {
	known := e.Kind == event.KindCommit || e.Kind == event.KindIdentity || e.Kind == event.KindAccount
	if !e.HasEntry || e.Seq == 0 || !known {
		return false, nil
	}
	if len(t.batch.Entries) >= streamBatch || len(t.batch.Entries) > 0 && t.batch.Bytes+len(e.Data) > streamBatchBytes {
		if err := t.Flush(ctx); err != nil {
			return false, err
		}
	}
	if len(t.batch.Entries) == 0 {
		t.batch.Arrived = time.Now()
	}
	if e.Sent != "" {
		t.times.Note([]byte(e.Sent))
	}
	if len(e.Data) > large { // stored before the next is read
		t.batch.Lend(e.Seq, e.Kind, []byte(e.Data))
		e.Data, e.Stored = "", reader.Stored{} // or there would be two of it
		return true, t.Flush(ctx)
	}
	t.batch.Add(e.Seq, e.Kind, []byte(e.Data))
	return true, nil
}

// Return goes back behind a seq: what the stream holds above it is known again, and the
// rest is appended.
func (t *StreamTarget) Return(ctx context.Context, to event.Seq) error {
	if err := t.Flush(ctx); err != nil {
		return err
	}
	if t.at.Start == event.After && to < t.at.Seq {
		if err := t.w.Return(ctx, to); err != nil {
			t.failed = true
			return fmt.Errorf("go back in the target: %w", err)
		}
		t.at = event.AfterSeq(to)
	}
	t.max = min(t.max, to)
	t.batch.Reset(t.at)
	return nil
}

// Flush stores the batch.
func (t *StreamTarget) Flush(ctx context.Context) error {
	if len(t.batch.Entries) == 0 || t.failed {
		return nil
	}
	for _, e := range t.batch.Entries {
		t.max = max(t.max, e.Seq)
	}
	t.batch.Upto = t.max
	sent, _, _ := t.times.Middle()
	t.batch.Time = append(t.batch.Time[:0], sent...)
	receipts, err := t.w.Commit(ctx, []*event.Batch{&t.batch})
	t.failed = err != nil
	var moved *event.Moved
	if errors.As(err, &moved) {
		return fault.New(fault.Conflict, fmt.Errorf("append to the target: %w", err), "another replay writes into this stream: let one finish")
	}
	if err != nil {
		return err
	}
	t.present += int64(receipts[0].Present)
	t.at = event.AfterSeq(receipts[0].Cursor)
	t.batch.Reset(t.at)
	return nil
}

// stopDrain is how long what was read may take to be stored when stopping.
const stopDrain = 6 * time.Second

// Finish stores what is left, within six seconds.
func (t *StreamTarget) Finish(ctx context.Context, _ bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopDrain)
	defer cancel()
	return errors.Join(t.Flush(ctx), t.w.Close())
}
