package health

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/text"
)

// Reason says in one word why /readyz answers what it does.
type Reason string

// The reasons; the package comment says what each means.
const (
	Stopping  Reason = "stopping"
	RelayHeld Reason = "relay_held"
	StoreDown Reason = "store_down"
	// StreamFull: Redis is well, but readers have not finished what the
	// stream may hold, and nothing unread may be trimmed.
	StreamFull Reason = "stream_full"
	RelayDown  Reason = "relay_down"
	Starting   Reason = "starting"
	Idle       Reason = "idle"
	Standby    Reason = "standby"
	Ready      Reason = "ready"
)

// Snapshot is the state of ingest at one moment, a copy.
type Snapshot struct {
	Reason Reason
	Detail string // one sentence for people; holds no secret
	Alarm  string // what relay_held waits for; else empty

	Role      event.Role // who stores
	RoleKnown bool       // false until the sink was asked

	Link       event.Link
	Store      event.Store
	StoreKnown bool // false until the sink was heard of

	Counts   event.Counts
	Batches  uint64 // acknowledged by the sink
	Appended uint64 // entries added
	Present  uint64 // entries an earlier try had added
	Connects uint64
	Alarms   uint64 // of all kinds

	Cursor   event.Seq     // 0 when there is none; of a standby what the leader has stored
	Length   int64         // entries in the stream; -1 when unknown
	StoredAt time.Time     // when the last batch was acknowledged; zero before
	LastTime time.Time     // informal time of the last stored event; zero when unknown
	Lag      time.Duration // now minus LastTime; 0 when unknown

	QueueEvents int64 // read but not stored; 0 without SetQueue
	QueueBytes  int64
	// Spilling is set where frames may go to disk: bytes there now, and
	// frames that ever went.
	Spilling      bool
	SpillBytes    int64
	SpilledFrames int64
	Uptime        time.Duration

	Unread map[string]uint64 // entries trimmed unread, by group

	Sample      Sample // the last look at Redis, with unknowns when it is too old
	SampleKnown bool
	SampleErr   error // why Redis could not be looked at; nil when it could
}

// Able reports whether all is well: storing, or able to when it is called for.
func (s *Snapshot) Able() bool { return s.Reason == Ready || s.Reason == Standby }

// Snapshot copies the state, for a status line, /readyz and tests.
func (m *Monitor) Snapshot() Snapshot {
	now := m.cfg.Now()
	m.mu.Lock()
	t := &m.t
	s := Snapshot{
		Role: t.role, RoleKnown: t.roleSeen, Link: t.link, Store: t.store, StoreKnown: t.storeSeen || t.store.Up,
		Counts: t.counts, Batches: t.batches, Appended: t.appended, Present: t.present, Connects: t.connects,
		Cursor: t.cursor, Length: t.length, StoredAt: t.storedAt, Uptime: now.Sub(m.started),
	}
	for _, n := range t.alarms {
		s.Alarms += n
	}
	s.Reason, s.Detail = m.judge(now)
	if s.Reason == RelayHeld {
		s.Alarm = t.held
	}
	s.Unread = maps.Clone(t.unread.n)
	sent := string(t.lastTime)
	queue, spill := t.queue, t.spill
	s.Sample, s.SampleKnown = t.fresh(now)
	s.SampleErr = t.sampleErr
	if s.SampleKnown && s.Sample.Length >= 0 && t.sampledAt.After(t.storedAt) {
		s.Length = s.Sample.Length
	}
	m.mu.Unlock()

	if at, ok := event.ParseTime(sent); ok && !at.After(now.Add(mostAhead)) {
		s.LastTime, s.Lag = at, now.Sub(at)
	}
	if queue != nil {
		s.QueueEvents, s.QueueBytes = queue()
	}
	if spill != nil {
		s.Spilling = true
		s.SpillBytes, s.SpilledFrames = spill()
	}
	return s
}

// judge is the order of the reasons. m.mu is held.
func (m *Monitor) judge(now time.Time) (Reason, string) {
	t := &m.t
	switch {
	case t.stopping:
		return Stopping, "a clean stop has begun"
	case t.held != "":
		return RelayHeld, detailOf("reading waits for an operator: "+t.held, t.link.Err, t.link.Retry)
	case t.full():
		return StreamFull, detailOf("nothing is stored until readers catch up", t.store.Err, t.store.Retry)
	case t.storeSeen && !t.store.Up:
		return StoreDown, detailOf("Redis does not take batches", t.store.Err, t.store.Retry)
	case t.link.State != event.LinkUp && t.wasDown:
		return RelayDown, detailOf("not connected to the relay", t.link.Err, t.link.Retry)
	case t.link.State != event.LinkUp:
		return Starting, "connecting to the relay"
	case t.roleSeen && !t.role.Leading:
		return Standby, "standing by, connected: " + t.role.By + " leads"
	default:
		return m.judgeFlow(now)
	}
}

// full reports whether the sink waits for readers rather than for Redis.
func (t *tally) full() bool { return t.storeSeen && !t.store.Up && t.store.Cause == "full" }

// judgeFlow judges by what was stored, once both ends are up.
func (m *Monitor) judgeFlow(now time.Time) (Reason, string) {
	since := m.t.storedAt
	if since.IsZero() {
		since = m.t.upSince
		if m.t.ledSince.After(since) {
			since = m.t.ledSince
		}
	}
	quiet := now.Sub(since)
	switch {
	case m.cfg.IdleTimeout > 0 && quiet > m.cfg.IdleTimeout:
		return Idle, fmt.Sprintf("nothing was stored for %s", quiet.Round(time.Second))
	case m.t.storedAt.IsZero():
		return Starting, "connected; waiting for the first event to be stored"
	default:
		return Ready, "connected and storing"
	}
}

func detailOf(what string, err error, retry time.Duration) string {
	if err != nil {
		what += ": " + plain(err)
	}
	if retry > 0 {
		what += fmt.Sprintf("; next try in %s", retry.Round(100*time.Millisecond))
	}
	return what
}

const (
	// mostAhead is how far events may be in the future, by clocks that differ,
	// for their time to say anything.
	mostAhead = time.Hour

	maxPlain = 512 // bytes of an error that are shown
	maxTime  = 64  // bytes of an informal time that are kept
)

// userinfo is the part of a URL that can hold a password, and more when a later
// part holds an @: hiding too much is the safe mistake. Errors come redacted
// (I12); this is the second lock on the same door.
var userinfo = regexp.MustCompile(`://[^\s"']*@`)

// plain is the text of err, bounded and without a URL's password.
func plain(err error) string {
	if err == nil {
		return ""
	}
	return bounded(err.Error())
}

func bounded(foreign string) string {
	return text.Shorten(strings.ToValidUTF8(userinfo.ReplaceAllString(foreign, "://***@"), "\uFFFD"), maxPlain)
}
