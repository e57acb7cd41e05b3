package partitions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Set stores events in several streams at once, each with a cursor of its own: an
// event goes where entry.Partition says, so that a repository's events stay in one
// stream and in order. It satisfies the pipeline's sink as a single stream does, under
// the same rules for concurrency.
//
// Every batch moves every cursor, so that after each Commit that succeeds all
// are equal. A crash leaves some ahead: Resume then begins at the lowest, and
// each partition drops what it has. G1 to G4 hold for each stream, and so for
// the set.
type Set struct {
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

// Config says what a set consists of. All of it but Hooks is the same for the whole life
// of a stream's set.
type Config struct {
	Partitions int // 2 to keyspace.MostPartitions
	// StreamKey and CursorKey name the set; keyspace.Partition gives those of each part.
	StreamKey, CursorKey string
	// Shared says that several processes may store: Lead then has to be kept while
	// the set waits.
	Shared bool
	// From is where this start was asked to begin, where Requested is set.
	From      event.Position
	Requested bool
	// Beside refuses a start without a cursor beside one of another number of partitions.
	Beside func(context.Context) error
	Hooks
}

// Hooks are what hears of a set, or of one part of it. None is nil. A set calls its own
// from one goroutine at a time.
type Hooks struct {
	Notify      func(event.Store) // of all streams together: down while one is
	Alarm       func(a event.Alarm, seq event.Seq, detail string)
	CursorMoved func(event.CursorMove)
}

// partition is one of the set, and its share of the batches in hand.
type partition struct {
	Part
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

// Open calls open for each part, which may wait for Redis, and makes a set of them. The
// set closes what was opened, also where a later part cannot be. Keys or a number that
// no set can have are a fault.Usage.
func Open(cfg Config, open func(i int, heard Hooks) (Part, error)) (*Set, error) {
	n := cfg.Partitions
	if n < 2 || n > keyspace.MostPartitions {
		return nil, fault.New(fault.Usage, fmt.Errorf("%d partitions: a set has 2 to %d", n, keyspace.MostPartitions), "")
	}
	if err := keyspace.CheckPartitions(cfg.StreamKey, cfg.CursorKey); err != nil {
		return nil, err
	}
	s := &Set{config: cfg, stores: stores{notify: cfg.Notify, down: make([]bool, n)}}
	for i := range n {
		p, err := open(i, s.hooks(i))
		if err != nil {
			_ = s.Close()
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		s.parts = append(s.parts, &partition{Part: p, length: -1})
	}
	return s, nil
}

// hooks are those of one part, which speaks for itself.
func (s *Set) hooks(i int) Hooks {
	return Hooks{
		Notify: s.stores.of(i),
		Alarm: func(a event.Alarm, seq event.Seq, detail string) {
			s.alarm(inPartition(i, &event.Moved{Alarm: a, To: event.AfterSeq(seq), Detail: detail}))
		},
		CursorMoved: func(m event.CursorMove) {
			s.telling.Lock()
			defer s.telling.Unlock()
			s.config.CursorMoved(m)
		},
	}
}

// alarm tells of what concerns one partition, while others may do so too.
func (s *Set) alarm(m *event.Moved) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.config.Alarm(m.Alarm, m.To.Seq, m.Detail)
}

// Close closes all connections. It does not wait for a Commit.
func (s *Set) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// Length is the number of entries in all streams together.
func (s *Set) Length(ctx context.Context) (n int64, err error) {
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
func (s *Set) Poll(ctx context.Context) (lowest event.Seq, ok bool, err error) {
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

// Lead asks to lead the set, or to go on leading: who leads the first partition leads all.
func (s *Set) Lead(ctx context.Context) (event.Lead, error) {
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
func (s *Set) awaitRoom(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var leading sync.WaitGroup
	leading.Go(func() {
		for s.config.Shared && wait.For(ctx, lease.RenewEach) == nil {
			if _, err := s.parts[0].Lead(ctx); err != nil {
				stop(err)
			}
		}
	})
	s.each(ctx, func(ctx context.Context, p *partition) error { return p.AwaitRoom(ctx) })
	err := s.failed(ctx)
	var led *event.Led
	if errors.As(context.Cause(ctx), &led) {
		err = nil // the streams are another's to fill
	}
	stop(nil)
	leading.Wait()
	return err
}

// each runs do for all partitions at once. The first error stops the others; it
// is kept in partition.err, where those that were stopped have none.
func (s *Set) each(ctx context.Context, do func(context.Context, *partition) error) {
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
func (s *Set) failed(ctx context.Context) (err error) {
	for i, p := range s.parts {
		var led *event.Led
		var full *event.Full
		moved, hasMoved := errors.AsType[*event.Moved](p.err)
		switch {
		case p.err == nil:
		case errors.As(p.err, &led):
			return led
		case hasMoved:
			// What vanished is told of each; a move by an operator is one.
			if before, ok := errors.AsType[*event.Moved](err); ok && before.Alarm != event.AlarmConflict {
				s.alarm(before)
			}
			err = inPartition(i, moved)
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

// look reads where all partitions stand, and refuses what is not ours.
func (s *Set) look(ctx context.Context) ([]Standing, error) {
	stands := make([]Standing, len(s.parts))
	index := map[*partition]*Standing{}
	for i, p := range s.parts {
		index[p] = &stands[i]
	}
	s.each(ctx, func(ctx context.Context, p *partition) (err error) {
		*index[p], err = p.Look(ctx)
		return err
	})
	if err := s.failed(ctx); err != nil {
		return nil, err
	}
	s.stores.over()
	return stands, nil
}

// interruptedFor is how long the cursors of a running set may disagree about how
// often they were moved on purpose: an operator's move goes from one to the next.
const interruptedFor = 10 * time.Second
