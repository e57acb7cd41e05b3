package event

import "time"

// Observer hears what the pipeline does. Calls are serialised per method but may
// come from different goroutines; an implementation must be safe for that,
// must not block, and must copy what it keeps.
type Observer interface {
	// Link reports a change of the relay connection.
	Link(Link)
	// Store reports a change of the sink's availability.
	Store(Store)
	// Role reports who stores: once this process begins to, and while another
	// does, each time the sink was asked.
	Role(Role)
	// Counted reports a run of frames that passed in order.
	Counted(*Counts)
	// Rejected reports a frame that yielded no event, or an event some of
	// whose ops were skipped (r.Reason.Op is then true). frame is the raw
	// message and may be read only during the call.
	Rejected(r *Reject, frame []byte)
	// Stored reports a batch that the sink acknowledged.
	Stored(*Batch, Receipt)
	// Alarm reports what an operator must know: never silent (G7). seq is
	// where it happened, 0 when unknown.
	Alarm(a Alarm, seq Seq, detail string)
}

// LinkState is where a relay connection stands.
type LinkState uint8

// The states of a relay connection.
const (
	LinkDown    LinkState = iota // not connected, will retry after Link.Retry
	LinkDialing                  // connecting
	LinkUp                       // connected
	LinkHeld                     // waits for the operator; see Link.Err
)

var linkNames = [...]string{"down", "dialing", "up", "held"}

// String is the state as JSON names it.
func (s LinkState) String() string { return linkNames[s] }

// Link is the state of the relay connection.
type Link struct {
	State   LinkState
	URL     string   // as dialled, without the cursor
	From    Position // what the dial asks for
	Via     string   // HOST:PORT of the proxy between, once up; empty without one
	Err     error    // why it is down or held; nil otherwise
	Cause   string   // a bounded word for Err: a metric label
	Retry   time.Duration
	Attempt int // dials since the seq last advanced, from 1
}

// Store is the availability of the sink.
type Store struct {
	Up      bool
	Err     error // why it is down; nil when up
	Cause   string
	Retry   time.Duration
	Attempt int
}

// Receipt is what a sink says of a stored batch.
type Receipt struct {
	Appended int   // entries added now
	Present  int   // entries an earlier try had added already
	Cursor   Seq   // the cursor after the batch
	Length   int64 // entries in the stream after the batch; -1 when unknown
	Took     time.Duration
	Trimmed  []Trim // what trimming took from consumers unread; usually nil
	// Foreign of Present are entries that a writer other than fhctl had added.
	// Lost events are neither appended nor present: such a writer left them out
	// and stored a later event of the same repository, behind which they would
	// be out of order. Both are 0 unless such a writer was found.
	Foreign, Lost int
	// Refused entries are larger than the server takes, and were left out.
	Refused int
}

// CursorMove is a change of the stored cursor that neither an fhctl nor an operator
// made: some other program wrote the key.
type CursorMove struct {
	Own   Seq    // where the last fhctl left it, and where it is again
	Found Seq    // what it was changed to
	By    string // who that may have been, for people; "" when nothing is known
}

// Ahead reports whether the cursor was moved up, so that events were passed over.
func (m CursorMove) Ahead() bool { return m.Found > m.Own }

// Between is the range of seqs between both places, both ends included.
func (m CursorMove) Between() (first, last Seq) { return min(m.Own, m.Found) + 1, max(m.Own, m.Found) }

// Trim is what trimming removed from under one consumer group.
type Trim struct {
	Group   string
	Unread  int64 // entries the group was never given
	Pending int64 // entries given but not acknowledged
	// From and To are the seqs of the first and the last entry lost. Between
	// them may lie entries that the group had finished.
	From, To Seq
}

// Counts is what happened to a run of frames.
type Counts struct {
	Frames   int64
	Bytes    int64            // of frames, as received
	Events   [Kinds]int64     // decoded, by kind
	Ops      OpCounts         // delivered
	Rejected [Reasons]int64   // frames and ops, by reason
	Flags    [FlagKinds]int64 // events with an oddity that was tolerated
	Filtered int64            // events no filter wanted
	Repeats  int64            // dropped: seq at or below the last one
	Gaps     int64            // times the seq skipped numbers (legal, Q1)
	Skipped  int64            // numbers skipped in those gaps
	Last     Seq              // the last seq read in order; 0 when none was
}

// Add adds other, which follows c, to c.
func (c *Counts) Add(other *Counts) {
	c.Frames += other.Frames
	c.Bytes += other.Bytes
	c.Filtered += other.Filtered
	c.Repeats += other.Repeats
	c.Gaps += other.Gaps
	c.Skipped += other.Skipped
	if other.Last > 0 {
		c.Last = other.Last
	}
	for i, n := range other.Events {
		c.Events[i] += n
	}
	for i := range other.Ops {
		for action, n := range other.Ops[i] {
			c.Ops[i][action] += n
		}
	}
	for i, n := range other.Rejected {
		c.Rejected[i] += n
	}
	for i, n := range other.Flags {
		c.Flags[i] += n
	}
}

// Alarm names a condition that must never pass silently.
type Alarm uint8

// The alarms. Their names are metric labels and runbook headings.
const (
	// AlarmWindow: the relay no longer held what the cursor asked for
	// (OutdatedCursor, or a first event far later in time): events are
	// missing from the stream (Q5).
	AlarmWindow Alarm = iota
	// AlarmFuture: the relay knows no seq as high as the cursor (Q6).
	AlarmFuture
	// AlarmReset: the relay's numbering restarted below the cursor (Q6).
	AlarmReset
	// AlarmRollback: Redis lost acknowledged writes; reading again (G4).
	AlarmRollback
	// AlarmConflict: the cursor is not where this writer left it.
	AlarmConflict
	// AlarmCursorMissing: the cursor vanished while running.
	AlarmCursorMissing
	// AlarmTrimmed: entries were trimmed that a group had not finished.
	AlarmTrimmed
	// AlarmForeign: an entry or status that this writer did not write.
	AlarmForeign
	// AlarmRepeatedClose: the relay keeps closing with 1003 or 1009 (C8).
	AlarmRepeatedClose
	// AlarmRenumbered: the relay's numbers jumped up while its events went
	// back in time: the host is another relay now, and events repeat under
	// new numbers (Q8).
	AlarmRenumbered
	// AlarmFull: the stream is full of what a group has not read, so nothing
	// is read from the relay until that changes (--when-full block).
	AlarmFull
	// AlarmSpillFull: the spill directory takes no more, so nothing is read
	// from the relay until some of it is stored (--when-full spill).
	AlarmSpillFull
	// AlarmRefused: a relay that was read before answers now as a host that
	// serves no stream (405, 426, 501, or a redirect that is refused). It is
	// asked again slowly.
	AlarmRefused
	// AlarmSpillDamaged: frames in the spill directory failed their checks and
	// are read from the relay instead, as far as that still has them.
	AlarmSpillDamaged
	// AlarmLeap: an event's seq was far above what rate and time allow, and
	// nothing confirmed it: it was not stored, and reading went on behind the
	// last sound seq.
	AlarmLeap
	// AlarmRemoved: entries that were stored are in the stream no more, though
	// nobody trimmed them; the detail says which, and whether they are read
	// again or gone.
	AlarmRemoved
	alarmCount
)

// Alarms is how many alarms there are.
const Alarms = int(alarmCount)

var alarmNames = [Alarms]string{
	"relay_window_exceeded", "future_cursor", "sequence_reset", "redis_rollback",
	"cursor_conflict", "cursor_missing", "unread_trimmed", "foreign_writer", "repeated_close",
	"relay_renumbered", "stream_full", "spill_full", "relay_refuses",
	"spill_damaged", "seq_leap",
	"entries_removed",
}

// String is the alarm's metric label.
func (a Alarm) String() string { return alarmNames[a] }
