package redisstream

import (
	"cmp"
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/preflight"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redisstream/strangers"
)

// Writer stores batches in a Redis stream. It satisfies the pipeline's sink.
// Commit, Resume, Rebase and Lead take turns; Poll and Length may be called at any
// time from any goroutine. Close it when done.
type Writer struct {
	config  Config
	client  *conn.Client // writes; one connection
	control *conn.Client // reads for Poll and Length, so that they never wait for a batch
	keys    script.Keys
	keyArgs []any  // keys as the append script takes them
	limit   string // "1": XTRIM honours LIMIT

	mu         turn
	acked      event.Seq    // the last cursor Redis acknowledged to us
	at         continuation // where the next batch continues, when it cannot tell
	epoch      int64
	time       []byte // of the last event, as the relay sent it
	stored     int64  // seq of the last entry given to Redis; 0 when unknown
	hadEntries bool   // the stream held entries when last heard of
	floor      floor.Floor
	groups     floor.Stream
	ahead      ahead
	others     strangers.Watch // entries and cursor moves that are not ours
	teller     strangers.Teller
	hasSide    bool // a side key was there, or has been written
	calls      []call
	sending    []*script.Call
	plan       []event.Receipt
	former     []string // filters this Writer had, until Resume has replaced them
	lease      lease.Lease
	outage     conn.Outage // of storing and of renewing
	retention  retention
	toldOnce   string // by once
}

// Open connects, waits visibly (Config.Notify and log) until Redis answers, and
// refuses what cannot work: a replica, an eviction policy, keys of the wrong
// type, missing rights. It gives up when ctx ends.
//
// Errors: fault.Usage (URL, files, keys, replica, eviction), fault.Refused
// (credentials, rights), fault.Data (key types), fault.Unreachable (a
// certificate that is not trusted, or ctx ended before Redis answered).
func Open(ctx context.Context, cfg Config) (*Writer, error) {
	cfg = cfg.withDefaults()
	t, err := conn.Parse(cfg.Connection)
	if err != nil {
		return nil, err
	}
	if t.Cluster() {
		if err := keyspace.CheckSlot(cfg.StreamKey, cfg.CursorKey); err != nil {
			return nil, err
		}
	}
	w := &Writer{config: cfg, mu: newTurn(), lease: lease.New(cfg.Writer), client: t.Connect(conn.StoreReply), control: t.Connect(conn.LookReply)}
	w.config.again = w.client.Rediscover
	w.outage = w.config.outage("")
	w.others = strangers.New(strangers.Stream{Client: w.client, Key: cfg.StreamKey, Retry: w.config.retry})
	w.groups = floor.Stream{Client: w.client, Key: cfg.StreamKey, MaxLen: cfg.MaxLen}
	w.teller = strangers.Teller{Alarm: cfg.Alarm, CursorMoved: cfg.CursorMoved, Log: cfg.Logger, Control: w.control}
	w.keys = script.KeysOf(cfg.StreamKey, cfg.CursorKey, cfg.Writer != "")
	if err := w.start(ctx, t); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

func (w *Writer) start(ctx context.Context, t *conn.Target) error {
	c := &w.config
	defer context.AfterFunc(ctx, w.client.Interrupt)()
	s := preflight.Server{
		Client: w.client, Target: t, Keys: w.keys, StreamKey: c.StreamKey, CursorKey: c.CursorKey, SideKey: c.SideKey(), LeaseKey: c.LeaseKey(),
		AllowEviction: c.AllowEviction, Warned: c.warned, URL: fault.Redact(c.URL), Log: c.Logger,
	}
	err := c.retry(ctx, "connect to Redis", s.Answers)
	if err != nil && fault.Ended(ctx) != nil {
		return fault.New(fault.Unreachable, err, cmp.Or(conn.Hint(err), fmt.Sprintf("is Redis running at %s?", s.URL)))
	}
	if err != nil {
		return err
	}
	w.limit = "0"
	err = c.retry(ctx, "check Redis", func(ctx context.Context) error {
		info, err := s.Inspect(ctx)
		if err == nil && info.HonoursLimit() {
			w.limit = "1"
		}
		return err
	})
	if err == nil {
		err = w.prepareRetention(ctx, &s)
	}
	w.keyArgs = w.keys.KeyArgs()
	return err
}

// Close gives the lease back, if this Writer leads, and closes the connections.
// It does not wait for a Commit.
func (w *Writer) Close() error {
	w.release()
	err := w.client.Close()
	if other := w.control.Close(); err == nil {
		err = other
	}
	return err
}

// Length is the number of entries in the stream. It is not a backlog: nobody
// deletes entries.
func (w *Writer) Length(ctx context.Context) (int64, error) {
	ctx, cancel := w.config.Within(ctx)
	defer cancel()
	n, err := w.control.XLen(ctx, w.config.StreamKey).Result()
	if err != nil {
		return 0, fmt.Errorf("measure stream: %w", conn.Final(err))
	}
	return n, nil
}

// Poll reads the stored cursor, to notice that an operator moved it; ok is
// false when there is none. What somebody else than fhctl wrote into the key does
// not count, and without a side key nothing does. It tries once.
func (w *Writer) Poll(ctx context.Context) (seq event.Seq, ok bool, err error) {
	ctx, cancel := w.config.Within(ctx)
	defer cancel()
	pipe := w.control.Pipeline()
	cursor, beside := pipe.Get(ctx, w.config.CursorKey), pipe.Get(ctx, w.config.SideKey())
	conn.Exchange(ctx, pipe)
	text, err := cursor.Result()
	if err == redis.Nil {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read cursor: %w", conn.Final(err))
	}
	if seq, ok = event.ParseSeq(text); !ok {
		return 0, false, w.badCursor(text)
	}
	raw, err := beside.Bytes()
	side, broken := script.ParseSide(raw)
	if err != nil || broken {
		return 0, false, nil // nobody of ours left it there, and no operator
	}
	if side.OwnKnown {
		seq = side.Own // the key itself may hold what a stranger wrote
	}
	return seq, true, nil
}
