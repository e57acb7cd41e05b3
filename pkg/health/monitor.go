package health

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fhctl/fhctl/pkg/event"
)

// Config is what a Monitor needs to know. The zero Config works.
type Config struct {
	Version string // of the program, for fhctl_build_info
	Commit  string // of its source
	// What the status page says of the process; none holds a secret.
	Host   string // it runs on
	Stream string // key of the stream it writes
	Redis  string // address, without a password
	// Runbook is the address of the runbook, without an anchor. The page links
	// to the part that says what to do; "" is docs/runbook.md.
	Runbook string
	// Hosts are the names that callers may use for this server, besides
	// localhost, addresses in numbers and the host it listens on.
	Hosts []string
	// IdleTimeout is how long nothing may be stored before readiness is
	// lost; 0 or less means for ever.
	IdleTimeout time.Duration
	// RelayCauses and StoreCauses are the words that event.Link.Cause and
	// event.Store.Cause can be, so that their counters exist at 0. A word
	// that is not listed is still counted, up to 32 in all.
	RelayCauses []string
	StoreCauses []string
	Logger      *slog.Logger     // nil is silent
	Now         func() time.Time // nil is time.Now; tests inject another
}

// Monitor counts what the pipeline does. It implements event.Observer; all its
// methods are safe for concurrent use, hold one mutex for well under a
// microsecond, and allocate nothing on the paths that run per chunk and per
// batch.
type Monitor struct {
	cfg      Config
	started  time.Time
	registry *prometheus.Registry
	append   prometheus.Histogram
	delivery prometheus.Histogram
	latest   latest
	live     live

	mu sync.Mutex
	t  tally
}

// tally is everything counted so far, guarded by Monitor.mu.
type tally struct {
	counts   event.Counts
	link     event.Link
	store    event.Store
	stopping bool

	storeSeen bool       // a Store report has come
	wasDown   bool       // the relay was lost, or could not be reached, at least once
	upSince   time.Time  // when the link last came up
	role      event.Role // valid when roleSeen
	roleSeen  bool
	ledSince  time.Time   // when this process last began to lead; zero before
	held      string      // what reading was held for; "" once an event is stored again
	lastAlarm event.Alarm // valid when alarmed
	alarmed   bool

	connects    uint64
	disconnects words
	dialFails   words
	storeFails  words
	alarms      [event.Alarms]uint64

	batches   uint64
	appending time.Duration // spent on them, in all
	appended  uint64
	present   uint64
	cursor    event.Seq
	length    int64     // -1 when unknown
	storedAt  time.Time // zero before the first batch
	lastTime  []byte    // informal time of the last stored event, as sent
	unread    words
	pending   words
	foreign   foreign

	sample      Sample
	sampledAt   time.Time // zero before the first
	sampleErr   error     // of the last try; nil when it worked
	sampleFails uint64

	notes   ring[note]
	refused ring[refusal]
	history history

	queue       func() (events, bytes int64)
	spill       func() (bytes, frames int64)
	rejectFiles func() RejectFiles
}

// New makes a Monitor whose counters are all 0 and whose state is starting.
func New(cfg Config) *Monitor {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Monitor{cfg: cfg, started: cfg.Now()}
	m.live.init()
	m.t.length = -1
	m.t.notes.limit, m.t.refused.limit = keepNotes, keepRejects
	m.t.history = newHistory()
	m.t.disconnects = newWords(cfg.RelayCauses)
	m.t.dialFails = newWords(cfg.RelayCauses)
	m.t.storeFails = newWords(cfg.StoreCauses)
	m.t.unread, m.t.pending = newWords(nil), newWords(nil)
	m.register()
	return m
}

// SetQueue gives the source of the queue gauges: events read but not stored,
// and the bytes they hold. It is called at each scrape and Snapshot from any
// goroutine and must not block.
func (m *Monitor) SetQueue(queue func() (events, bytes int64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.queue = queue
}

// SetSpill gives the source of the spill metrics: bytes on disk now, and frames
// that ever went there. It is called at each scrape from any goroutine and must
// not block for long.
func (m *Monitor) SetSpill(spill func() (bytes, frames int64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.spill = spill
}

// Stopping turns readiness off for good: a clean stop has begun.
func (m *Monitor) Stopping() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.note(m.cfg.Now(), toneWait, "Stopping", "a clean stop has begun")
	m.t.stopping = true
}

// Link counts connects, disconnects and failed dials, by cause.
func (m *Monitor) Link(link event.Link) {
	now := m.cfg.Now()
	link.Cause = causeWord(link.Cause)
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &m.t
	wasUp := t.link.State == event.LinkUp
	switch {
	case link.State == event.LinkUp && !wasUp:
		t.connects++
		t.upSince = now
	case link.State != event.LinkUp && wasUp:
		t.disconnects.add(link.Cause, 1)
	case link.State == event.LinkDown:
		t.dialFails.add(link.Cause, 1)
	}
	switch link.State {
	case event.LinkDown:
		t.wasDown = true
	case event.LinkHeld:
		t.wasDown = true
		t.held = t.heldFor(link.Cause)
	}
	if link.URL == "" {
		link.URL = t.link.URL // a held link was not dialled
	}
	t.jotLink(now, link, wasUp)
	t.link = link
}

// heldFor is the alarm that a held link waits for. The cause names it; the last
// alarm stands in should it not.
func (t *tally) heldFor(cause string) string {
	for a := range event.Alarms {
		if event.Alarm(a).String() == cause {
			return cause
		}
	}
	if t.alarmed {
		return t.lastAlarm.String()
	}
	return "unknown"
}

// Store counts failures of the sink, by cause. Every report of a sink that is
// down is one failed try.
func (m *Monitor) Store(store event.Store) {
	now := m.cfg.Now()
	store.Cause = causeWord(store.Cause)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.jotStore(now, store)
	if !store.Up {
		m.t.storeFails.add(store.Cause, 1)
	}
	m.t.store, m.t.storeSeen = store, true
}

// Role notes who stores. What this process stored before another led says
// nothing of how things are, so it is forgotten, but for what was counted.
func (m *Monitor) Role(r event.Role) {
	r.By = bounded(r.By)
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &m.t
	t.jotRole(now, r)
	if r.Leading {
		t.ledSince = now
	} else {
		t.storedAt, t.lastTime, t.length = time.Time{}, t.lastTime[:0], -1
		if t.link.State == event.LinkUp {
			t.held = "" // what was held is the leader's to hold now
		}
	}
	t.role, t.roleSeen, t.cursor = r, true, r.Cursor
}

// Counted adds a run of frames.
func (m *Monitor) Counted(counts *event.Counts) {
	m.mu.Lock()
	m.t.counts.Add(counts)
	m.mu.Unlock()
}

// Rejected keeps the last few for the status page; Counted has the numbers, by
// reason.
func (m *Monitor) Rejected(r *event.Reject, frame []byte) {
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.refused.add(refusal{at: now, reason: r.Reason, seq: r.Seq, detail: shown(r.Detail), bytes: len(frame)})
}

// Stored follows the cursor and times the batch.
func (m *Monitor) Stored(b *event.Batch, r event.Receipt) {
	now := m.cfg.Now()
	m.latest.sample(now, b)
	m.append.Observe(max(r.Took, 0).Seconds())
	if !b.Arrived.IsZero() {
		m.delivery.Observe(max(now.Sub(b.Arrived), 0).Seconds())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &m.t
	t.batches++
	t.appending += max(r.Took, 0)
	t.appended += uint64(max(r.Appended, 0))
	t.present += uint64(max(r.Present, 0))
	t.cursor, t.storedAt = r.Cursor, now
	if r.Length >= 0 {
		t.length = r.Length
	}
	if len(b.Time) > 0 {
		t.lastTime = append(t.lastTime[:0], b.Time[:min(len(b.Time), maxTime)]...)
	}
	t.foreign.entries += uint64(max(r.Foreign, 0))
	t.foreign.lost += uint64(max(r.Lost, 0))
	for _, trim := range r.Trimmed {
		t.unread.add(trim.Group, uint64(max(trim.Unread, 0)))
		t.pending.add(trim.Group, uint64(max(trim.Pending, 0)))
	}
	if !t.storeSeen {
		t.store.Up = true // later reports of changes decide
	}
	if t.link.State == event.LinkUp {
		t.held = ""
	}
}

// Alarm counts a.
func (m *Monitor) Alarm(a event.Alarm, seq event.Seq, detail string) {
	if int(a) >= event.Alarms {
		return
	}
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.t.note(now, toneBad, "Alarm: "+a.String(), "seq "+seqText(seq)+": "+detail)
	m.t.alarms[a]++
	m.t.lastAlarm, m.t.alarmed = a, true
}
