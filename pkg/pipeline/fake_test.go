package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// The smallest CBOR that makes frames: these tests are about order and
// positions, so an #identity with its seq in the handle is enough.

func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
	default:
		return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, n)
	}
}

func text(s string) []byte { return append(head(3, uint64(len(s))), s...) }

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func header(kind string) []byte {
	return join(head(5, 2), text("t"), text("#"+kind), text("op"), head(0, 1))
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func identity(seq event.Seq) []byte { return identityAt(seq, epoch) }

func identityAt(seq event.Seq, at time.Time) []byte {
	return join(header("identity"), head(5, 4),
		text("did"), text("did:plc:aaaabbbbccccddddeeeeffff"),
		text("seq"), head(0, uint64(seq)),
		text("time"), text(at.Format(time.RFC3339)),
		text("handle"), text(fmt.Sprintf("h%d.example", seq)))
}

func wantData(seq event.Seq) string {
	return fmt.Sprintf(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","handle":"h%d.example"}`, seq)
}

func syncEvent(seq event.Seq) []byte {
	return join(header("sync"), head(5, 5),
		text("did"), text("did:plc:aaaabbbbccccddddeeeeffff"),
		text("rev"), text("3kaaaaaaaaa2a"),
		text("seq"), head(0, uint64(seq)),
		text("time"), text(epoch.Format(time.RFC3339)),
		text("blocks"), head(2, 0))
}

func unknown(seq event.Seq) []byte {
	return join(header("zebra"), head(5, 1), text("seq"), head(0, uint64(seq)))
}

func notAnIdentity(seq event.Seq) []byte {
	return join(header("identity"), head(5, 2), text("did"), head(0, 5), text("seq"), head(0, uint64(seq)))
}

func info(name string) []byte {
	return join(header("info"), head(5, 1), text("name"), text(name))
}

func errorFrame(name string) []byte {
	return join(head(5, 1), text("op"), head(1, 0), head(5, 1), text("error"), text(name))
}

// oversize stands for a message that the source could not deliver whole.
var oversize = []byte("oversize")

// connection is what the fake relay does once asked for a position: it yields
// frames until it returns. Returning breaks the connection.
type connection func(ctx context.Context, from event.Position, send func(...[]byte) bool)

var errBroke = errors.New("connection broke")

// fakeRelay is a FrameSource that plays scripted connections, then ends.
type fakeRelay struct {
	conns []connection
	chunk int // frames per chunk, default 3
	lull  bool
	delay time.Duration
	// judged: it has doubted leaps itself
	judged bool

	next   int // index into conns; goes on across generations
	mu     sync.Mutex
	asked  []event.Position
	causes []error
}

func (r *fakeRelay) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		for r.next < len(r.conns) {
			from, err := resume(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			r.mu.Lock()
			r.asked = append(r.asked, from)
			r.mu.Unlock()
			play := r.conns[r.next]
			r.next++
			if !r.connect(ctx, uint64(r.next), from, play, yield) {
				return
			}
			time.Sleep(r.delay)
		}
	}
}

func (r *fakeRelay) connect(ctx context.Context, n uint64, from event.Position, play connection, yield func(*event.Chunk, error) bool) bool {
	conn, hangup := context.WithCancelCause(ctx)
	defer hangup(errBroke)
	going := true
	play(conn, from, func(frames ...[]byte) bool {
		for some := range slices.Chunk(frames, max(r.chunk, 1)) {
			if conn.Err() != nil || !going {
				return false
			}
			c := &event.Chunk{Arrived: time.Now(), Conn: n, Hangup: hangup, Lull: r.lull, Judged: r.judged}
			c.Buf = slices.Concat(some...)
			at := 0
			for _, data := range some {
				f := event.Frame{Data: c.Buf[at : at+len(data)]}
				if &data[0] == &oversize[0] {
					f.Fault = event.ReasonOversize
				}
				c.Frames = append(c.Frames, f)
				at += len(data)
			}
			c.Recycle = recycle
			going = yield(c, nil)
		}
		return going && conn.Err() == nil
	})
	r.mu.Lock()
	r.causes = append(r.causes, context.Cause(conn))
	r.mu.Unlock()
	return going && ctx.Err() == nil
}

// recycle empties the chunk and writes over it, as a source does that uses it
// again.
func recycle(c *event.Chunk) {
	for i := range c.Buf {
		c.Buf[i] = 0xff
	}
	clear(c.Frames)
	c.Reset()
}

func (r *fakeRelay) positions() []event.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// ended is how many connections have.
func (r *fakeRelay) ended() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.causes)
}

// hangUpSeen waits until the receiver closed the connection, or ctx ended.
func hangUpSeen(ctx context.Context) { <-ctx.Done() }

// memorySink keeps the rules of the append script in memory.
type memorySink struct {
	mu      sync.Mutex
	start   event.Resume
	cursor  event.Seq
	has     bool
	entries []event.Entry
	calls   int
	sizes   []int
	rebased []event.Seq

	returned []event.Seq

	before func(call int, batches []*event.Batch) error // injected trouble
}

func (s *memorySink) Resume(context.Context) (event.Resume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has {
		return event.Resume{Position: event.AfterSeq(s.cursor), Why: "saved cursor"}, nil
	}
	return s.start, nil
}

func (s *memorySink) Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := ctx.Err(); err != nil {
		return nil, err // a sink that is told to give up stores nothing
	}
	if s.before != nil {
		if err := s.before(s.calls, batches); err != nil {
			return nil, err
		}
	}
	var receipts []event.Receipt
	for _, b := range batches {
		if s.has && (b.After.Start != event.After || s.cursor < b.After.Seq) {
			return receipts, &event.Moved{To: event.AfterSeq(s.cursor), Alarm: event.AlarmRollback, Detail: "cursor is behind"}
		}
		receipts = append(receipts, s.append(b))
	}
	return receipts, ctx.Err()
}

func (s *memorySink) append(b *event.Batch) event.Receipt {
	var r event.Receipt
	for _, e := range b.Entries {
		if s.has && e.Seq <= s.cursor {
			r.Present++
			continue
		}
		if len(s.returned) > 0 && slices.ContainsFunc(s.entries, func(had event.Entry) bool { return had.Seq == e.Seq }) {
			r.Present++
			continue
		}
		s.entries = append(s.entries, event.Entry{Seq: e.Seq, Kind: e.Kind, Data: slices.Clone(e.Data)})
		s.cursor, s.has = e.Seq, true
		r.Appended++
	}
	s.cursor, s.has = max(s.cursor, b.Upto), true
	s.sizes = append(s.sizes, len(b.Entries))
	r.Cursor, r.Length = s.cursor, int64(len(s.entries))
	return r
}

func (s *memorySink) Poll(context.Context) (event.Seq, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor, s.has, nil
}

func (s *memorySink) Rebase(_ context.Context, seq event.Seq) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor, s.has = seq, true
	s.rebased = append(s.rebased, seq)
	return nil
}

func (s *memorySink) Return(_ context.Context, seq event.Seq) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor, s.has = seq, true
	s.returned = append(s.returned, seq)
	return nil
}

func (s *memorySink) set(seq event.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor, s.has = seq, true
}

func (s *memorySink) seqs() []event.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []event.Seq
	for _, e := range s.entries {
		out = append(out, e.Seq)
	}
	return out
}

// recorder is an Observer that remembers.
type recorder struct {
	mu      sync.Mutex
	counts  event.Counts
	links   []event.Link
	alarms  []event.Alarm
	rejects []event.Reject
	kept    [][]byte // the frames of rejects
	stored  int
	roles   []event.Role // changes only
}

func (r *recorder) lock() func() { r.mu.Lock(); return r.mu.Unlock }

func (r *recorder) Link(l event.Link) { defer r.lock()(); r.links = append(r.links, l) }
func (r *recorder) Store(event.Store) {}
func (r *recorder) Role(role event.Role) {
	defer r.lock()()
	if n := len(r.roles); n == 0 || r.roles[n-1].Leading != role.Leading || r.roles[n-1].By != role.By {
		r.roles = append(r.roles, role)
	}
}
func (r *recorder) Counted(c *event.Counts) { defer r.lock()(); r.counts.Add(c) }
func (r *recorder) Rejected(j *event.Reject, frame []byte) {
	defer r.lock()()
	r.rejects, r.kept = append(r.rejects, *j), append(r.kept, bytes.Clone(frame))
}
func (r *recorder) Stored(_ *event.Batch, receipt event.Receipt) {
	defer r.lock()()
	r.stored += receipt.Appended
}
func (r *recorder) Alarm(a event.Alarm, _ event.Seq, _ string) {
	defer r.lock()()
	r.alarms = append(r.alarms, a)
}

func (r *recorder) alarmed(want event.Alarm) int {
	defer r.lock()()
	n := 0
	for _, a := range r.alarms {
		if a == want {
			n++
		}
	}
	return n
}

func (r *recorder) total() event.Counts { defer r.lock()(); return r.counts }
