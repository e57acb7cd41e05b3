package dashboard

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// The dashboard's keys (contract §5).
const (
	StatusKey  = "firehose:status"
	RecentKey  = "firehose:recent_events"
	Broadcasts = "firehose:events:broadcast"

	statusTTL   = 10 * time.Second // contract §1
	statusEach  = 2 * time.Second  // contract §5: at most 5 s
	recentEach  = time.Second      // contract §5: at most once a second
	recentKeep  = 5 * time.Second  // rewritten when nothing changed, so that it does not expire
	recentCount = 50
	sampleLimit = 256 << 10 // larger entries are not sampled
	lastWords   = 2 * time.Second
)

// Config is what a Dashboard needs.
type Config struct {
	conn.Connection
	// RelayURL is shown until Link tells what was dialled.
	RelayURL string
	// Writer names this process in the status, as in fhctl/HOST-PID. Any
	// name that begins with "fhctl/" is taken for another writer of ours.
	Writer string
	// StreamKey is the stream that this process writes, of a set its base, and MaxLen at
	// which length each of its streams is trimmed, 0 for never. "" shows neither.
	StreamKey string
	MaxLen    int64
	// Shared writes nothing before Role says that this process leads, and
	// nothing while another does: two writers would contradict each other.
	Shared bool
	// Broadcasts per second; 0 means 10.
	Rate int
	// Alarm hears of a status that something else writes (AlarmForeign), once
	// for each such writer, from Run's goroutine; may be nil.
	Alarm func(a event.Alarm, detail string)
	// Foreign hears true when something else begins to write the status, and
	// false when it has not done so for a minute, from Run's goroutine; may be nil.
	Foreign func(present bool)
}

// Dashboard keeps the keys that the app's dashboard and readiness probe read:
// a status every 2 s and on every change of the link, a sample of events at a
// bounded rate. It has a connection of its own, and no failure of Redis here
// reaches the pipeline: Link and Stored never block.
type Dashboard struct {
	config Config
	target *conn.Target
	client *conn.Client

	mu         sync.Mutex
	silent     bool // another leads, or nobody knows yet
	connected  bool
	stopped    bool
	held       string // what reading waits for an operator for; "" once an event is stored
	url        string
	cursor     event.Seq
	nextSample time.Time

	changed chan struct{}
	samples chan sample

	// Run's own.
	recent    []broadcast
	unsaved   bool
	wrote     []byte // the status last written
	foreign   foreign
	broken    bool
	nextSaved time.Time
}

// sample is one stored entry, copied.
type sample struct {
	kind event.Kind
	data []byte
	at   time.Time
}

// New prepares a dashboard; the error is a fault.Usage from Dial.
func New(cfg Config) (*Dashboard, error) {
	cfg.Connection = cfg.Connection.WithDefaults()
	cfg.Writer = cmp.Or(cfg.Writer, "fhctl/ingest")
	if cfg.Rate <= 0 {
		cfg.Rate = 10
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(event.Alarm, string) {}
	}
	if cfg.Foreign == nil {
		cfg.Foreign = func(bool) {}
	}
	// A slow answer must not hold up the next status.
	cfg.CommandTimeout = min(cfg.CommandTimeout, statusEach)
	t, err := conn.Parse(cfg.Connection)
	if err != nil {
		return nil, err
	}
	return &Dashboard{
		config: cfg, target: t, client: t.Connect(conn.LookReply), url: cfg.RelayURL, silent: cfg.Shared,
		changed: make(chan struct{}, 1), samples: make(chan sample, 4),
	}, nil
}

// Link notes the state of the relay connection. It does not block.
func (d *Dashboard) Link(l event.Link) {
	d.mu.Lock()
	connected := l.State == event.LinkUp
	changed := connected != d.connected
	d.connected = connected
	if l.State == event.LinkHeld && d.held != l.Cause {
		d.held, changed = l.Cause, true
	}
	if l.URL != "" && l.URL != d.url {
		d.url, changed = l.URL, true
	}
	d.mu.Unlock()
	if changed {
		d.tell()
	}
}

// Role notes whether this process leads, and the cursor a leader begins with, so
// that the status shows it before anything is stored. It does not block.
func (d *Dashboard) Role(r event.Role) {
	d.mu.Lock()
	changed := d.silent == r.Leading
	d.silent, d.cursor, d.held = !r.Leading, r.Cursor, ""
	d.mu.Unlock()
	if changed {
		d.tell()
	}
}

// tell has the status written without waiting for its time.
func (d *Dashboard) tell() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

func (d *Dashboard) quiet() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.silent
}

// Stored notes a stored batch: its cursor and, at the configured rate, a copy
// of its last entry. It does not block and costs the same for any batch.
func (d *Dashboard) Stored(b *event.Batch, r event.Receipt) {
	now := time.Now()
	d.mu.Lock()
	first := d.cursor == 0 && r.Cursor > 0 || d.held != ""
	d.cursor, d.held = r.Cursor, ""
	due := !now.Before(d.nextSample) && len(b.Entries) > 0
	if due {
		d.nextSample = now.Add(time.Second / time.Duration(d.config.Rate))
	}
	d.mu.Unlock()
	if first { // null became a number: readers wait for that (contract §5)
		d.tell()
	}
	if !due {
		return
	}
	e := &b.Entries[len(b.Entries)-1]
	if len(e.Data) > sampleLimit {
		return
	}
	select {
	case d.samples <- sample{kind: e.Kind, data: append([]byte(nil), e.Data...), at: now}:
	default: // Redis is slow; the dashboard can miss a sample
	}
}

// Run writes until ctx ends, then says connected:false, within 2 s, and closes
// the connection. It returns nil: trouble with Redis is logged, once each time.
// Call it once.
func (d *Dashboard) Run(ctx context.Context) error {
	defer func() { _ = d.client.Close() }()
	status, recent := time.NewTicker(statusEach), time.NewTicker(recentEach)
	defer status.Stop()
	defer recent.Stop()
	// What waits for a Redis that hangs must not delay the last words; and they
	// must not be interrupted themselves.
	interrupted := make(chan struct{})
	context.AfterFunc(ctx, func() { d.client.Interrupt(); close(interrupted) })
	d.writeStatus(ctx)
	for {
		if ctx.Err() != nil { // whatever else is due as well
			<-interrupted
			d.farewell(ctx)
			return nil
		}
		select {
		case <-ctx.Done():
		case <-status.C:
			d.writeStatus(ctx)
		case <-d.changed:
			d.writeStatus(ctx)
		case s := <-d.samples:
			d.broadcast(ctx, s)
		case <-recent.C:
			d.writeRecent(ctx)
		}
	}
}

// farewell is written under a deadline of its own, ctx having ended, and on a
// connection of its own: what was under way on the other was interrupted.
func (d *Dashboard) farewell(ctx context.Context) {
	d.mu.Lock()
	d.connected, d.stopped = false, true
	d.mu.Unlock()
	_ = d.client.Close()
	d.client = d.target.Connect(conn.LookReply)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	d.writeStatus(ctx)
}

func (d *Dashboard) status() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := status{Connected: d.connected, URL: d.url, Writer: d.config.Writer, Stopped: d.stopped, Held: d.held}
	if d.config.StreamKey != "" {
		s.Stream, s.MaxLen = d.config.StreamKey, &d.config.MaxLen
	}
	if d.cursor > 0 {
		text := d.cursor.String()
		s.CurrentCursor = &text
	}
	return plainJSON(s)
}

// writeStatus writes the status and looks at what it replaces.
func (d *Dashboard) writeStatus(ctx context.Context) {
	if d.quiet() {
		d.wrote = nil // what is found next was left by whoever led
		return
	}
	once, cancel := d.config.Within(ctx)
	defer cancel()
	text := d.status()
	pipe := d.client.Pipeline()
	before := pipe.Get(once, StatusKey)
	set := pipe.SetEx(once, StatusKey, text, statusTTL)
	conn.Exchange(once, pipe)
	if !d.note(ctx, set.Err()) {
		return
	}
	found, _ := before.Bytes()
	d.lookAt(found)
	d.wrote = text
}

func (d *Dashboard) broadcast(ctx context.Context, s sample) {
	b, ok := describe(s)
	if !ok {
		return
	}
	d.recent = append([]broadcast{b}, d.recent[:min(len(d.recent), recentCount-1)]...)
	d.unsaved = true
	if d.broken {
		return // the next status finds out when Redis is back
	}
	once, cancel := d.config.Within(ctx)
	defer cancel()
	d.note(ctx, d.client.Publish(once, Broadcasts, plainJSON(b)).Err())
}

func (d *Dashboard) writeRecent(ctx context.Context) {
	now := time.Now()
	if len(d.recent) == 0 || d.broken || d.quiet() || !d.unsaved && now.Before(d.nextSaved) {
		return
	}
	once, cancel := d.config.Within(ctx)
	defer cancel()
	if d.note(ctx, d.client.SetEx(once, RecentKey, plainJSON(d.recent), statusTTL).Err()) {
		d.unsaved, d.nextSaved = false, now.Add(recentKeep)
	}
}

// note logs when the keys stop being written, and when they are again. What the
// end of ctx interrupted is neither; the last words that were not written are.
func (d *Dashboard) note(ctx context.Context, err error) (ok bool) {
	switch {
	case err != nil && fault.Ended(ctx) != nil && !d.stopped:
	case err != nil && !d.broken:
		d.config.Logger.Warn("Dashboard keys are not being written", "err", conn.Final(err))
		d.broken = true
	case err == nil && d.broken:
		d.config.Logger.Info("Dashboard keys are being written again")
		d.broken = false
	}
	return err == nil
}
