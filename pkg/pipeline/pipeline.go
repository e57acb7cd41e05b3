package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/filter"
	"github.com/fhctl/fhctl/pkg/wait"
)

// FrameSource yields chunks of frames in relay order. It connects, and
// reconnects after passing troubles, from the position that resume gives it
// each time. An error it yields is terminal. Cancelling ctx ends the iteration.
type FrameSource interface {
	Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error]
}

// Sink stores batches. One goroutine calls Commit, in order.
type Sink interface {
	// Resume tells where to begin, and why in words. An *event.Moved error
	// means that the sink had to repair its cursor first: ask again.
	Resume(ctx context.Context) (at event.Resume, err error)
	// Commit stores the batches in order and retries passing faults until
	// ctx ends. It returns a receipt for each batch that was stored. An
	// *event.Moved error means the next batch was not stored and reading
	// must begin again elsewhere; *event.Led that another process leads. Any
	// other error is final.
	Commit(ctx context.Context, batches []*event.Batch) ([]event.Receipt, error)
	// Poll reads the stored cursor; ok is false when there is none.
	Poll(ctx context.Context) (seq event.Seq, ok bool, err error)
	// Rebase moves the cursor to seq because an operator allowed a new
	// numbering to be followed.
	Rebase(ctx context.Context, seq event.Seq) error
	// Return moves the cursor back to seq, of the same numbering. The entries
	// above it are known again: what they hold is not stored a second time, also
	// by another process or after a crash. An *event.Moved error means that the
	// cursor was not where Commit left it.
	Return(ctx context.Context, seq event.Seq) error
}

// Shared is a Sink that several processes may have, of which one stores at a
// time and the others stand by. A Sink that is not Shared is always stored to.
type Shared interface {
	Sink
	// Lead asks to store, or to go on storing, and tells who does. It is
	// called a few times a second, also during a Commit, and cheap for one
	// that leads and stores. It waits for the sink while ctx lasts, unless
	// this process leads.
	//
	// After others have stored, Resume is asked again where to begin. An
	// *event.Moved or *event.Led error is what Commit would return.
	Lead(ctx context.Context) (event.Lead, error)
}

// OnReset is what to do when the relay's numbering restarts below the cursor.
type OnReset uint8

const (
	// Wait reports and holds until an operator moves the cursor (Q7).
	Wait OnReset = iota
	// Follow adopts the new numbering from its first event.
	Follow
)

// Config composes a run. Source, Sink and Observer are required; zero numbers
// take the defaults named.
type Config struct {
	Source   FrameSource
	Sink     Sink
	Observer event.Observer
	Filter   *filter.Filter // nil keeps everything
	Logger   *slog.Logger   // nil is silent

	Decoders   int           // goroutines; one per CPU but one, at most 4; 1 is the reader itself
	BatchSize  int           // entries in a batch: 500
	BatchBytes int           // bytes of JSON in a batch: 512 KiB
	BatchAge   time.Duration // longest wait of an entry for its batch: 40 ms
	InFlight   int           // batches handed to the sink at once: 4
	QueueBytes int64         // bytes between reader and sequencer, of frames or what they became: 8 MiB
	UntilSeq   event.Seq     // stop once this seq is stored; 0 runs on
	OnReset    OnReset
	// IdleTimeout is after how long without a new event Source ends a connection; 0 is
	// never.
	IdleTimeout time.Duration
	Drain       time.Duration // time to store what was read when stopping: 6 s
}

func (c *Config) setDefaults() {
	setDefault(&c.Decoders, min(max(runtime.GOMAXPROCS(0)-1, 1), 4))
	setDefault(&c.BatchSize, 500)
	setDefault(&c.BatchBytes, 512<<10)
	setDefault(&c.BatchAge, 40*time.Millisecond)
	setDefault(&c.InFlight, 4)
	setDefault(&c.QueueBytes, 8<<20)
	setDefault(&c.Drain, 6*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Pipeline is one composition, run once.
type Pipeline struct {
	cfg Config

	queuedFrames atomic.Int64
	queuedBytes  atomic.Int64
	// These outlive generations. Only the sequencer touches the first, only
	// the writer the second, only lead the third.
	recent revs
	losing map[string]time.Time // groups that lost entries to trimming, and when last
	told   string               // who leads, as last logged
	large  large
	leapt  time.Time // when a leap was rejected last; the sequencer's
	// returning is what the next generation's tracker is to know, where this one goes
	// back to the beginning of a gap; the sequencer's.
	returning *event.Tracker
}

// New checks nothing: the edge has validated the settings.
func New(cfg Config) *Pipeline {
	cfg.setDefaults()
	return &Pipeline{cfg: cfg}
}

// Queued is what lies between reader and sequencer now.
func (p *Pipeline) Queued() (frames, bytes int64) {
	return p.queuedFrames.Load(), p.queuedBytes.Load()
}

// Run moves events until ctx is cancelled, the source ends, UntilSeq is stored
// or an error is final. Cancelling ctx is a clean stop: what was read is
// stored within Config.Drain and Run returns nil; what could not be stored is
// behind the cursor and will be read again.
func (p *Pipeline) Run(ctx context.Context) error {
	at, err := p.begin(ctx)
	if err != nil {
		return stopped(ctx, fmt.Errorf("find where to resume: %w", err))
	}
	var pace pacer
	for {
		p.cfg.Logger.Info("Starting", "from", at.Position.String(), "why", at.Why)
		progress, err := p.generation(ctx, at)
		var full *event.Full
		if errors.As(err, &full) {
			if at, err = p.waitForRoom(ctx, full); err != nil {
				return stopped(ctx, err)
			}
			continue
		}
		var moved *event.Moved
		var led *event.Led
		switch {
		case errors.As(err, &moved) && moved.Asked: // "Starting" tells why
		case errors.As(err, &moved):
			p.cfg.Observer.Alarm(moved.Alarm, moved.To.Seq, moved.Detail)
		case !errors.As(err, &led):
			return stopped(ctx, err)
		}
		if err := pace.wait(ctx, progress); err != nil {
			return nil
		}
		if moved != nil {
			at = event.Resume{Position: moved.To, Why: moved.Error()}
		} else if at, err = p.begin(ctx); err != nil {
			return stopped(ctx, fmt.Errorf("find where to stand by: %w", err))
		}
	}
}

// waitForRoom waits, disconnected, until the sink takes events again, and gives
// where it is then. What was in flight is behind the cursor.
func (p *Pipeline) waitForRoom(ctx context.Context, full *event.Full) (event.Resume, error) {
	if err := ctx.Err(); err != nil {
		return event.Resume{}, err
	}
	p.cfg.Observer.Alarm(event.AlarmFull, 0, full.Detail)
	p.cfg.Logger.Warn("The stream is full: nothing is read from the relay until its readers catch up", "why", full.Detail)
	at, err := p.begin(ctx)
	if err != nil {
		return at, fmt.Errorf("wait for room in the stream: %w", err)
	}
	return at, nil
}

// begin asks the sink where to start. A cursor that the sink had to repair is an
// alarm; asked again, the sink tells where it is now.
func (p *Pipeline) begin(ctx context.Context) (event.Resume, error) {
	for {
		at, err := p.cfg.Sink.Resume(ctx)
		var moved *event.Moved
		if !errors.As(err, &moved) {
			return at, err
		}
		p.cfg.Observer.Alarm(moved.Alarm, moved.To.Seq, moved.Detail)
	}
}

// stopped turns the errors that cancelling ctx causes into a clean stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}

// covered reports whether a stored cursor is one that UntilSeq asked for, and
// says so: then there is nothing to wait for.
func (p *Pipeline) covered(cursor event.Seq) bool {
	if p.cfg.UntilSeq == 0 || cursor < p.cfg.UntilSeq {
		return false
	}
	p.cfg.Logger.Info("Already stored", "seq", cursor.String(), "until", p.cfg.UntilSeq.String())
	return true
}

// errDone ends a generation that has nothing left to do.
var errDone = errors.New("nothing left to read")

// generation runs the goroutines of one stretch that begins at a known
// position, and reports whether it stored anything.
func (p *Pipeline) generation(ctx context.Context, at event.Resume) (progress bool, err error) {
	if at.Position.Start == event.After && p.covered(at.Position.Seq) {
		return false, nil
	}
	group, alive := errgroup.WithContext(context.WithoutCancel(ctx))
	reading, stopReading := context.WithCancel(alive)
	defer stopReading()
	g := p.newGeneration(at, stopReading)
	defer context.AfterFunc(ctx, func() { g.stopping.Store(true); stopReading() })()
	leading, stopLeading := context.WithCancel(alive)
	if sink, shared := p.cfg.Sink.(Shared); shared {
		group.Go(func() error { return g.lead(reading, leading, sink) })
	} else {
		g.start(reading, at)
	}
	group.Go(func() error { return g.read(reading) })
	for range p.cfg.Decoders {
		group.Go(func() error { return g.decode(alive) })
	}
	group.Go(func() error { return g.sequence(alive) })
	group.Go(func() error { defer stopLeading(); return g.write(ctx, alive) })
	err = group.Wait()
	if err == nil || errors.Is(err, errDone) {
		err = g.ended
	}
	if moved, ok := errors.AsType[*event.Moved](err); ok && g.heldTries > 0 && moved.Alarm == event.AlarmConflict {
		moved.Asked = true // the run was held until somebody moves the cursor
	}
	return g.stored.Load(), err
}

// generation is the state shared by the goroutines of one stretch.
type generation struct {
	*Pipeline
	at          event.Resume // settled once flowing is closed
	stopReading context.CancelFunc

	standby standby
	flowing chan struct{} // closed once this process leads, or never will
	over    chan struct{} // closed once the sequencer has ended

	room    *semaphore.Weighted // bytes between reader and sequencer
	todo    chan *work          // reader → decoders
	ordered chan *work          // reader → sequencer, in order
	spare   chan *work          // sequencer → reader, for reuse
	filled  chan *event.Batch   // sequencer → writer
	empty   chan *event.Batch   // writer → sequencer, for reuse

	stopping atomic.Bool // the run is to end: what is not stored is behind the cursor

	stored  atomic.Bool  // something reached the sink
	acked   atomic.Int64 // last watermark the sink acknowledged
	placed  atomic.Int64 // last seq that was Fresh, as decoders may know it
	holding atomic.Pointer[hold]

	// Only the reader's goroutine touches these.
	decoding  decoding
	heldTries int   // holds since the last connection that was not held
	ended     error // why the source ended; read once the reader has
}

const (
	chunksInFlight = 64 // bound by count; QueueBytes usually binds first
	keepBytes      = 1 << 20
)

func (p *Pipeline) newGeneration(at event.Resume, stopReading context.CancelFunc) *generation {
	batches := 2*p.cfg.InFlight + 1 // one filling, one set waiting, one set in the sink
	g := &generation{
		Pipeline:    p,
		at:          at,
		stopReading: stopReading,
		standby:     standby{at: at.Position},
		flowing:     make(chan struct{}),
		over:        make(chan struct{}),
		room:        semaphore.NewWeighted(p.cfg.QueueBytes),
		todo:        make(chan *work, chunksInFlight),
		ordered:     make(chan *work, chunksInFlight),
		spare:       make(chan *work, chunksInFlight),
		filled:      make(chan *event.Batch, batches),
		empty:       make(chan *event.Batch, batches),
	}
	for range batches {
		g.empty <- new(event.Batch)
	}
	g.acked.Store(int64(at.Position.Seq))
	// What an earlier generation had in flight is gone.
	p.queuedFrames.Store(0)
	p.queuedBytes.Store(0)
	p.large.free = make(chan struct{}, 1)
	g.giveLarge()
	g.placed.Store(int64(at.Position.Seq))
	return g
}

// pacer slows a run whose cursor keeps moving under it, so that two writers
// cannot chase each other in a tight loop.
type pacer struct{ delay time.Duration }

func (p *pacer) wait(ctx context.Context, progress bool) error {
	if progress {
		p.delay = 0
	}
	d := p.delay
	p.delay = min(max(2*p.delay, 100*time.Millisecond), 10*time.Second)
	return wait.For(ctx, d)
}
