package redisstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/wait"
)

// PartitionSet stores events in Identity.Partitions streams at once, each with a
// cursor of its own: an event goes where entry.Partition says, so that a
// repository's events stay in one stream and in order. It satisfies the
// pipeline's sink as Writer does, under the same rules for concurrency.
//
// Every batch moves every cursor, so that after each Commit that succeeds all
// are equal. A crash leaves some ahead: Resume then begins at the lowest, and
// each partition drops what it has. G1 to G4 hold for each stream, and so for
// the set.
type PartitionSet struct {
	config Config
	parts  []*partition
	stores stores
	// telling lets partitions, which work at the same time, tell one by one.
	telling sync.Mutex

	mu       sync.Mutex
	opened   bool      // every partition has a cursor
	at       event.Seq // what the next batch continues, once opened
	where    []uint8   // partition of each entry of the batches in hand
	receipts []event.Receipt
}

// partition is one of the set, and its share of the batches in hand.
type partition struct {
	*Writer
	from    event.Seq // everything up to here is stored
	chunks  []*event.Batch
	used    int
	present int // entries of this share that are below from
	foreign int // of them those of writers other than fhctl
	lost    int // entries of this share that such a writer lost
	refused int // entries of this share that are too large for the server
	length  int64
	cursor  event.Seq // after the last batch
	trimmed []event.Trim
	err     error
}

// OpenPartitions is Open for a set of cfg.Identity.Partitions, 2 to
// keyspace.MostPartitions. MaxLen is the whole set's: each stream keeps its share.
func OpenPartitions(ctx context.Context, cfg Config) (*PartitionSet, error) {
	cfg = cfg.withDefaults()
	n := cfg.Identity.partitions()
	if n < 2 || n > keyspace.MostPartitions {
		return nil, fault.New(fault.Usage, fmt.Errorf("%d partitions: a set has 2 to %d", n, keyspace.MostPartitions), "")
	}
	if err := keyspace.CheckPartitions(cfg.StreamKey, cfg.CursorKey); err != nil {
		return nil, err
	}
	s := &PartitionSet{config: cfg, stores: stores{notify: cfg.Notify, down: make([]bool, n)}}
	servers := map[string]bool{}
	for i := range n {
		w, err := Open(ctx, s.part(i, servers))
		if err != nil {
			_ = s.Close()
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		s.parts = append(s.parts, &partition{Writer: w, length: -1})
	}
	return s, nil
}

// part is the configuration of one partition's Writer.
func (s *PartitionSet) part(i int, servers map[string]bool) Config {
	c := s.config
	n := int64(c.Identity.partitions())
	c.StreamKey, c.CursorKey = keyspace.Partition(c.StreamKey, i), keyspace.Partition(c.CursorKey, i)
	c.MaxLen = (c.MaxLen + n - 1) / n
	c.Notify = s.stores.of(i)
	c.Logger = c.Logger.With("partition", i)
	c.leader = Config{CursorKey: keyspace.Partition(s.config.CursorKey, 0)}.LeaseKey()
	if i > 0 {
		c.Writer = "" // who leads the first partition leads the set
	}
	c.warned = servers
	c.Alarm = func(a event.Alarm, seq event.Seq, detail string) {
		s.telling.Lock()
		defer s.telling.Unlock()
		s.config.Alarm(a, seq, fmt.Sprintf("partition %d: %s", i, detail))
	}
	c.CursorMoved = func(m event.CursorMove) {
		s.telling.Lock()
		defer s.telling.Unlock()
		s.config.CursorMoved(m)
	}
	return c
}

// Close closes all connections. It does not wait for a Commit.
func (s *PartitionSet) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// Length is the number of entries in all streams together.
func (s *PartitionSet) Length(ctx context.Context) (n int64, err error) {
	for _, p := range s.parts {
		length, err := p.Length(ctx)
		if err != nil {
			return 0, err
		}
		n += length
	}
	return n, nil
}

// Poll reads the stored cursors and gives the lowest; ok is false when one is
// missing.
func (s *PartitionSet) Poll(ctx context.Context) (lowest event.Seq, ok bool, err error) {
	for i, p := range s.parts {
		seq, ok, err := p.Poll(ctx)
		if err != nil || !ok {
			return 0, false, err
		}
		if i == 0 || seq < lowest {
			lowest = seq
		}
	}
	return lowest, true, nil
}

// Lead is Writer.Lead for the set: who leads the first partition leads all.
func (s *PartitionSet) Lead(ctx context.Context) (event.Lead, error) {
	lead, err := s.parts[0].Lead(ctx)
	if err != nil || lead.Leading {
		return lead, err
	}
	lead.Cursor, _, err = s.Poll(ctx)
	if err != nil {
		lead.Cursor = 0 // unknown, this time
	}
	return lead, nil
}

// awaitRoom waits until no partition is full. Meanwhile the lead is kept: it is
// the first partition's, which may have room.
func (s *PartitionSet) awaitRoom(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var leading sync.WaitGroup
	leading.Go(func() {
		for s.parts[0].lease.ID != "" && wait.For(ctx, lease.RenewEach) == nil {
			if _, err := s.parts[0].Lead(ctx); err != nil {
				stop(err)
			}
		}
	})
	s.each(ctx, func(ctx context.Context, p *partition) error { return p.awaitRoom(ctx) })
	err := s.failed(ctx)
	var led *event.Led
	if errors.As(context.Cause(ctx), &led) {
		err = nil // the streams are another's to fill
	}
	stop(nil)
	leading.Wait()
	return err
}

// awaitRoom waits where Commit found the stream full.
func (w *Writer) awaitRoom(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.retention.waiting {
		return nil
	}
	// Should another writer lead meanwhile, the stream is its to fill.
	var led *event.Led
	err := w.waitForRoom(ctx)
	if errors.As(err, &led) || errors.As(context.Cause(ctx), &led) {
		err = nil
	}
	w.retention.waiting = err != nil
	return err
}

// each runs do for all partitions at once. The first error stops the others; it
// is kept in partition.err, where those that were stopped have none.
func (s *PartitionSet) each(ctx context.Context, do func(context.Context, *partition) error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for _, p := range s.parts {
		p.err = nil
		all.Go(func() {
			err := do(ctx, p)
			if err != nil && context.Cause(ctx) == errSibling {
				return
			}
			if p.err = err; err != nil {
				stop(errSibling)
			}
		})
	}
	all.Wait()
}

// errSibling stops partitions because another one cannot go on.
var errSibling = errors.New("another partition cannot go on")

// failed is the error of the set: the end of ctx, or a final error, counts more
// than what the next start repairs, and a cursor that moved more than a full stream.
func (s *PartitionSet) failed(ctx context.Context) (err error) {
	for i, p := range s.parts {
		var led *event.Led
		var full *event.Full
		moved, hasMoved := asMoved(p.err)
		switch {
		case p.err == nil:
		case errors.As(p.err, &led):
			return led
		case hasMoved:
			err = &event.Moved{To: moved.To, Alarm: moved.Alarm, Detail: fmt.Sprintf("partition %d: %s", i, moved.Detail)}
		case errors.As(p.err, &full):
			if err == nil {
				err = &event.Full{Detail: fmt.Sprintf("partition %d: %s", i, full.Detail)}
			}
		default:
			return fmt.Errorf("partition %d: %w", i, p.err)
		}
	}
	if fault.Ended(ctx) != nil {
		return fmt.Errorf("store events: %w", ctx.Err())
	}
	return err
}

// stores makes one availability of many: down while any is, up when all are.
type stores struct {
	mu     sync.Mutex
	notify func(event.Store)
	down   []bool
}

func (s *stores) of(i int) func(event.Store) {
	return func(e event.Store) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.down[i] = !e.Up
		for _, down := range s.down {
			if down && e.Up {
				return
			}
		}
		s.notify(e)
	}
}

// over notes that all have answered.
func (s *stores) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := false
	for i, down := range s.down {
		was = was || down
		s.down[i] = false
	}
	if was {
		s.notify(event.Store{Up: true})
	}
}

// standing is where a partition stands, as it is stored.
type standing struct {
	present bool
	cursor  event.Seq
	side    *script.Side
	// restored is set when the cursor was missing until now, and told says so.
	restored bool
	told     *event.Moved
}

func (st *standing) epoch() int64 {
	if st.side == nil {
		return 0
	}
	return st.side.Epoch
}

// look reads where all partitions stand, and refuses what is not ours.
func (s *PartitionSet) look(ctx context.Context) ([]standing, error) {
	stands := make([]standing, len(s.parts))
	index := map[*partition]*standing{}
	for i, p := range s.parts {
		index[p] = &stands[i]
	}
	s.each(ctx, func(ctx context.Context, p *partition) (err error) {
		*index[p], err = p.look(ctx)
		return err
	})
	if err := s.failed(ctx); err != nil {
		return nil, err
	}
	s.stores.over()
	return stands, nil
}

// look reads cursor and side key, waiting for Redis.
func (w *Writer) look(ctx context.Context) (st standing, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	text, st.present, st.side, err = w.state(ctx)
	if moved, back := asMoved(err); back { // it had vanished
		st.restored, st.told = true, moved
		text, st.present, st.side, err = w.state(ctx)
	}
	if err != nil {
		return st, err
	}
	w.floor.learn(st.side)
	var ok bool
	if st.cursor, ok = event.ParseSeq(text); st.present && !ok {
		return st, w.badCursor(text) // whose it is does not matter
	}
	if err := w.checkOwner(st.side, st.present); err != nil {
		return st, err
	}
	if st.present {
		st.cursor, err = w.settle(ctx, st.cursor, st.side)
	}
	return st, err
}

// knownCursor is what a Writer knows of its cursor. Lead changes it while the set resumes:
// a set takes all of it at once, under the Writer's lock.
type knownCursor struct {
	acked                   event.Seq
	epoch                   int64
	followed, anotherHasLed bool // see lease.Lease
}

func (w *Writer) knows() knownCursor {
	w.mu.Lock()
	defer w.mu.Unlock()
	return knownCursor{w.acked, w.epoch, w.lease.Followed(), w.lease.AnotherHasLed()}
}

// asksStill is asks for the set.
func (w *Writer) asksStill(stored *script.Side) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asks(stored)
}

// rememberNow learns what no group has acknowledged, however lately that was asked.
func (w *Writer) rememberNow(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.floor.next = time.Time{}
	w.remember(ctx)
}

// jump makes the next batch leave the saved cursor.
func (w *Writer) jump() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at.jump = true
}

// coldStartAt is coldStart for the set.
func (w *Writer) coldStartAt(st *standing) event.Resume {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.continueFrom(st)
	return w.coldStart(st.side)
}

// adoptState makes the Writer continue from what was read.
func (w *Writer) adoptState(st *standing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.continueFrom(st)
}

func (w *Writer) continueFrom(st *standing) {
	w.ahead, w.former = ahead{}, nil
	w.acked, w.epoch = st.cursor, st.epoch()
	w.at = continuation{expected: st.cursor.String(), epoch: w.epoch}
	w.time, w.stored, w.hadEntries = w.time[:0], 0, false
	if w.hasSide = st.side != nil; w.hasSide {
		w.time, w.stored, w.hadEntries = append(w.time, st.side.EventTime...), st.side.Stored, st.side.Stored > 0
	}
}

// peek reads a cursor that is not this Writer's; "" is none, or one that this
// Redis user may not read.
func (w *Writer) peek(ctx context.Context, key string) (cursor string, err error) {
	err = w.config.retry(ctx, "read cursor", func(ctx context.Context) (err error) {
		cursor, err = w.client.Get(ctx, key).Result()
		var reply redis.Error
		if errors.Is(err, redis.Nil) || errors.As(err, &reply) && conn.CauseOf(err) == "" {
			err = nil
		}
		return err
	})
	return cursor, err
}

// otherCount refuses to start live beside a cursor of another number of
// partitions.
func otherCount(key, cursor string, have, want int) error {
	return fault.New(fault.Cursor, fmt.Errorf("there is no cursor for %d partitions, but %s, of another number of partitions, stands at %.32q: starting live would leave a gap; nothing was changed", want, key, cursor),
		fmt.Sprintf("take it over with all writers stopped: fhctl cursor set --partitions %d --from-partitions %s; or choose where to start with --from", want, count(have)))
}

// count is a number of partitions; 0 is one that is not known.
func count(n int) string {
	if n == 0 {
		return "N"
	}
	return strconv.Itoa(n)
}

// besideSet refuses a cold start of one stream where a partitioned one of the
// same names has a cursor.
func (w *Writer) besideSet(ctx context.Context) error {
	key := keyspace.Partition(w.config.CursorKey, 0)
	if w.config.From.Requested || w.config.Identity.partitions() > 1 || keyspace.CheckPartitions(key[:len(w.config.CursorKey)]) != nil {
		return nil
	}
	cursor, err := w.peek(ctx, key)
	if err != nil || cursor == "" {
		return err
	}
	return otherCount(key, cursor, 0, 1)
}

// interruptedFor is how long the cursors of a running set may disagree about how
// often they were moved on purpose: an operator's move goes from one to the next.
const interruptedFor = 10 * time.Second
