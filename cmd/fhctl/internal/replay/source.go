package replay

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fhctl/fhctl/cmd/fhctl/internal/endpoint"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/ranges"
	"github.com/fhctl/fhctl/cmd/fhctl/internal/shell"
	"github.com/fhctl/fhctl/pkg/capture"
	"github.com/fhctl/fhctl/pkg/config"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// piece is what a source holds at one place: a message or an entry. It belongs
// to the receiver.
type piece struct {
	frame  []byte
	stored reader.Stored
	fault  event.Reason // a message that did not arrive whole
}

// player is a source of a replay. Its methods are called from one goroutine,
// except for done and quiet.
type player interface {
	// pieces yields everything from the beginning of the range on, or what
	// follows the seq after if that is not 0. A stream ends with the range;
	// of the others the end is judged event by event.
	pieces(ctx context.Context, after event.Seq) iter.Seq2[piece, error]
	// done is how much of the range has been read, -1 when unknown.
	done() float64
	// quiet is how much silence means that there is no more; 0 is none.
	quiet() time.Duration
	// endless reports whether only the operator ends it.
	endless() bool
	close()
}

// origin is a source with what is known of it before it is read.
type origin struct {
	player
	kind     endpoint.Kind
	name     string // for people; no password
	identity string // whose numbering the seqs are
	log      relayserver.Log
}

// stream is the player of a stream.
func (o *origin) stream() (*streamPlayer, bool) {
	c, _ := o.player.(closing)
	s, ok := c.player.(*streamPlayer)
	return s, ok
}

// openOrigin opens the source of a plan.
func openOrigin(ctx context.Context, env *shell.Env, cfg *config.Config, p *replayPlan) (*origin, error) {
	switch p.source.Kind {
	case endpoint.CaptureEnd:
		return openCaptureOrigin(p.source.Path, p.sel.from)
	case endpoint.EndStream:
		return openStreamOrigin(ctx, env.Log, cfg, p)
	}
	return openRelayOrigin(env, cfg, p)
}

// capturePlayer reads a capture file once.
type capturePlayer struct {
	*capture.Reader
	from event.Seq    // where the range begins; 0 is the beginning
	part atomic.Int64 // of the file that was read, in millionths
}

func openCaptureOrigin(path string, from place.Place) (*origin, error) {
	r, err := capture.Open(path)
	if err != nil {
		return nil, err
	}
	player := &capturePlayer{Reader: r}
	if from.Kind == place.Seq {
		player.from = from.Seq
	}
	return &origin{player: player, kind: endpoint.CaptureEnd, name: path, identity: endpoint.CaptureIdentity(path)}, nil
}

func (c *capturePlayer) pieces(ctx context.Context, after event.Seq) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		if _, err := c.SeekAfter(max(after, c.from-1)); err != nil {
			yield(piece{}, err)
			return
		}
		for raw, err := range c.Frames() {
			if ctx.Err() != nil {
				return
			}
			if err == nil && after > 0 && !seqAbove(raw, after) {
				continue
			}
			c.part.Store(int64(c.Fraction() * 1e6))
			if !yield(piece{frame: slices.Clone(raw)}, err) || err != nil {
				return
			}
		}
	}
}

func (c *capturePlayer) done() float64        { return float64(c.part.Load()) / 1e6 }
func (c *capturePlayer) quiet() time.Duration { return 0 }
func (c *capturePlayer) endless() bool        { return false }
func (c *capturePlayer) close()               { _ = c.Close() }

// streamPlayer reads a range of a stream.
type streamPlayer struct {
	*reader.Reader
	from, until place.Place
	bounds      reader.Bounds
	read        atomic.Int64
	part        atomic.Int64 // in millionths, by time
}

func openStreamOrigin(ctx context.Context, log *slog.Logger, cfg *config.Config, p *replayPlan) (*origin, error) {
	// A URL with a password of its own needs no file.
	file := cfg.Redis.PasswordFile
	if place, err := conn.ParseURL(p.source.Url); err == nil && place.Password {
		file = ""
	}
	connection, name, closeServer, err := p.redis(log, cfg, p.source.Url, file)
	if err != nil {
		return nil, err
	}
	key := cfg.Redis.StreamKey
	r, err := reader.Open(ctx, reader.Config{Connection: connection, StreamKey: key, CursorKey: cfg.Redis.CursorKey, Partitions: cfg.Redis.Partitions})
	if err != nil {
		closeServer()
		return nil, err
	}
	o := &streamPlayer{Reader: r, from: p.sel.from, until: p.sel.until}
	o.bounds, err = r.Bounds(ctx)
	if err == nil && o.bounds.Length > 0 && !p.resume {
		err = o.tellLacks(ctx, log, p.started)
	}
	if errors.Is(err, reader.ErrNoStream) {
		err = fault.New(fault.Unreachable, err, "check --redis-url and --stream-key; fhctl ingest makes the stream with the first event it stores")
	}
	if err != nil {
		_ = r.Close()
		closeServer()
		return nil, err
	}
	return &origin{player: closing{o, closeServer}, kind: endpoint.EndStream, name: "stream " + r.StreamKey() + " at " + name, identity: "stream:" + key}, nil
}

// ranges.TellLacks says what of the range the stream does not hold.
func (o *streamPlayer) tellLacks(ctx context.Context, log *slog.Logger, now time.Time) error {
	held, err := ranges.HeldSince(ctx, o.Reader, o.bounds)
	if err != nil {
		return err
	}
	ranges.TellLacks(log, held.Lacks(o.from, "the stream"), ranges.LacksEnd(o.until, o.bounds.Last, 0, "the stream", now))
	return nil
}

// closing is a player with something more to close.
type closing struct {
	player
	also func()
}

func (c closing) close() { c.player.close(); c.also() }

func (o *streamPlayer) close() { _ = o.Close() }

func (o *streamPlayer) pieces(ctx context.Context, after event.Seq) iter.Seq2[piece, error] {
	return func(yield func(piece, error) bool) {
		first, last, found, err := o.ends(ctx, after)
		if err != nil {
			yield(piece{}, err)
			return
		}
		if !found {
			return
		}
		begin, end := first.Time(), last.Time()
		for stored, err := range o.Range(ctx, first, last) {
			if err != nil {
				yield(piece{}, err)
				return
			}
			o.measure(stored.ID, begin, end)
			// Of a set a few entries from before the range may come along.
			if seq, ok := stored.Seq(); ok && (seq <= after || o.from.Kind == place.Seq && seq < o.from.Seq) {
				continue
			}
			if !yield(piece{stored: stored}, nil) {
				return
			}
		}
	}
}

// ends turns the range into ids. The end is where the stream ends now.
func (o *streamPlayer) ends(ctx context.Context, after event.Seq) (first, last reader.ID, found bool, err error) {
	if o.bounds.Length == 0 {
		return "", "", false, nil
	}
	first, last = o.bounds.First.ID, o.bounds.Last.ID
	switch o.until.Kind { // newest is the present end
	case place.ID:
		last = reader.ID(o.until.ID)
	case place.Time:
		// Without its second part an id means the whole millisecond.
		last = reader.ID(strconv.FormatInt(max(0, o.until.Time.UnixMilli()), 10))
	}
	seek := after + 1
	switch o.from.Kind {
	case place.Newest:
		if seq, ok := o.bounds.Last.Seq(); ok && o.IsSet() { // ids are a partition's own
			seek = max(seek, seq)
			break
		}
		first = o.bounds.Last.ID
	case place.ID:
		first = reader.ID(o.from.ID)
	case place.Time:
		first = reader.IDAt(o.from.Time)
	case place.Seq:
		seek = max(seek, o.from.Seq)
	}
	if seek <= 1 {
		return first, last, true, nil
	}
	at, found, err := o.SeekSeq(ctx, seek)
	if found && first.Compare(at.ID) < 0 {
		first = at.ID
	}
	return first, last, found, err
}

func (o *streamPlayer) measure(id reader.ID, begin, end time.Time) {
	n := o.read.Add(1)
	part := float64(n) / float64(max(1, o.bounds.Length))
	if !o.from.Open() || !o.until.Open() {
		part = float64(id.Time().Sub(begin)+1) / float64(end.Sub(begin)+1)
	}
	o.part.Store(int64(min(part, 1) * 1e6))
}

func (o *streamPlayer) done() float64        { return float64(o.part.Load()) / 1e6 }
func (o *streamPlayer) quiet() time.Duration { return 0 }
func (o *streamPlayer) endless() bool        { return false }
