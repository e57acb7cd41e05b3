package stats

import (
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// Version is the version of Report's JSON. Keys may be added to a version; none is
// removed and none changes its meaning (docs/json.md).
const Version = 1

// Report is what is known of a stream at one moment. What could not be known is nil,
// never 0. Times are UTC, spans are in seconds, sizes in bytes, shares from 0 to 1.
type Report struct {
	V           int         `json:"v"`
	At          time.Time   `json:"at"`
	Clock       string      `json:"clock"` // "redis", or "local" where TIME is not permitted
	Redis       string      `json:"redis"` // no password
	Stream      Stream      `json:"stream"`
	Rate        Rate        `json:"rate"`
	Sample      Sample      `json:"sample"`
	Groups      []Group     `json:"groups"`
	Room        *Room       `json:"room"` // of the slowest group
	Losses      Losses      `json:"losses"`
	DeadLetters DeadLetters `json:"deadLetters"`
	Cursor      Cursor      `json:"cursor"`
	Checks      []Check     `json:"checks"`
	// Missing are the groups that were asked for and are not there.
	Missing []string `json:"-"`
	// Partitions are those of a set, which the rest adds up.
	Partitions []Partition `json:"partitions,omitempty"`
}

// Group is the group of that name; nil without one.
func (r *Report) Group(name string) *Group {
	for i := range r.Groups {
		if r.Groups[i].Name == name {
			return &r.Groups[i]
		}
	}
	return nil
}

// Stream is the stream itself: its length, ends and limits.
type Stream struct {
	Key       string `json:"key"`
	Exists    bool   `json:"exists"`
	Length    int64  `json:"length"`
	MaxLength int64  `json:"maxLength"` // the setting, not Redis's; 0 never trims
	// TrimAt is MaxLength, unless the stream shows that its writer has
	// another limit; nil is never.
	TrimAt        *int64 `json:"trimAt"`
	TrimObserved  bool   `json:"trimObserved"`
	EntriesAdded  *int64 `json:"entriesAdded"`
	MemoryBytes   *int64 `json:"memoryBytes"` // an estimate of Redis's
	MemoryUnknown string `json:"memoryUnknown,omitempty"`
	First         *Entry `json:"first"`
	Last          *Entry `json:"last"`
	// SpanSeconds lie between first and last id; SpanAtRateSeconds is how
	// long the present rate would take to fill the stream to its length.
	SpanSeconds       *float64 `json:"spanSeconds"`
	SpanAtRateSeconds *float64 `json:"spanAtRateSeconds"`
}

// LastSeq is the seq of the newest entry; 0 without one, or where it has none.
func (s *Stream) LastSeq() event.Seq { return s.Last.seq() }

// Entry is one end of the stream. Seq is nil where the entry has none.
type Entry struct {
	ID         string     `json:"id"`
	Seq        *event.Seq `json:"seq"`
	StoredAt   time.Time  `json:"storedAt"`   // the id's, by Redis's clock
	RelayTime  *time.Time `json:"relayTime"`  // the relay's, where it is known
	AgeSeconds float64    `json:"ageSeconds"` // since StoredAt
}

func (e *Entry) seq() event.Seq {
	if e == nil || e.Seq == nil {
		return 0
	}
	return *e.Seq
}

// Rate is how fast entries are stored. What too few entries tell is nil.
type Rate struct {
	// PerSecond is measured over the newest entries, up to now; 0 when
	// nothing was stored for IdleAfter.
	PerSecond     *float64 `json:"perSecond"`
	Entries       int64    `json:"entries"`
	WindowSeconds float64  `json:"windowSeconds"`
	// AveragePerSecond is over everything between first and last id.
	AveragePerSecond *float64 `json:"averagePerSecond"`
}

// Sample is what the newest entries are made of. Shares are the largest first.
type Sample struct {
	Entries     int64   `json:"entries"` // the newest ones
	Bytes       int64   `json:"bytes"`   // of names and values, without Redis's own
	Ops         int64   `json:"ops"`
	OpBytes     int64   `json:"opBytes"`    // of the ops' JSON
	Unreadable  int64   `json:"unreadable"` // entries whose data is not the JSON it should be
	SpanSeconds float64 `json:"spanSeconds"`
	Kinds       []Share `json:"kinds"`
	Collections []Share `json:"collections"`
}

// Share is one kind or collection. Count is of entries or of ops; the
// shares are of all counts and bytes of the sample, from 0 to 1.
type Share struct {
	Name       string  `json:"name"`
	Count      int64   `json:"count"`
	CountShare float64 `json:"countShare"`
	Bytes      int64   `json:"bytes"`
	BytesShare float64 `json:"bytesShare"`
}

// Group is a consumer group.
type Group struct {
	Name          string      `json:"name"`
	LastDelivered string      `json:"lastDelivered"`
	EntriesRead   *int64      `json:"entriesRead"`
	Lag           int64       `json:"lag"` // entries it was not given
	LagExact      bool        `json:"lagExact"`
	LagSeconds    float64     `json:"lagSeconds"` // age of the oldest of them
	Pending       int64       `json:"pending"`    // given out, not acknowledged
	OldestPending *Pending    `json:"oldestPending"`
	Redelivered   *Redelivery `json:"redelivered"`
	LostUnread    bool        `json:"lostUnread"`  // trimming passed its position
	LostPending   bool        `json:"lostPending"` // and its oldest pending entry
	Room          *Room       `json:"room"`
	Consumers     []Consumer  `json:"consumers"`
	// MissingIn are the partitions of a set that have no such group.
	MissingIn []int `json:"missingIn,omitempty"`
}

// Pending is the oldest entry that a group was given and did not acknowledge.
type Pending struct {
	ID          string  `json:"id"`
	AgeSeconds  float64 `json:"ageSeconds"`  // since it was stored
	IdleSeconds float64 `json:"idleSeconds"` // since it was last given out
}

// Redelivery counts among the oldest pending entries those that were given
// out more than once.
type Redelivery struct {
	Entries       int64 `json:"entries"`
	MaxDeliveries int64 `json:"maxDeliveries"`
	Examined      int64 `json:"examined"`
	Complete      bool  `json:"complete"` // every pending entry was examined
}

// Consumer is a member of a group. A span that the server does not tell is nil.
type Consumer struct {
	Name            string   `json:"name"`
	Pending         int64    `json:"pending"`
	IdleSeconds     *float64 `json:"idleSeconds"`     // since it last asked
	InactiveSeconds *float64 `json:"inactiveSeconds"` // since it last got something
}

// Room is how many entries may be added before trimming reaches the
// oldest entry that a group still needs, if the group read nothing more.
type Room struct {
	Group   string   `json:"group"`
	Entries int64    `json:"entries"`
	Exact   bool     `json:"exact"`
	Seconds *float64 `json:"seconds"` // at the present rate; null when nothing is being stored
	Needs   string   `json:"needs"`   // "unread" or "pending"
}

// DeadLetters is what consumers gave up on. Length is nil where the key could not be
// looked at.
type DeadLetters struct {
	Key     string      `json:"key"`
	Length  *int64      `json:"length"`
	Unknown string      `json:"unknown,omitempty"`
	Newest  *DeadLetter `json:"newest"`
}

// DeadLetter is the newest entry that consumers gave up on. Its texts are theirs.
type DeadLetter struct {
	ID         string    `json:"id"`
	StoredAt   time.Time `json:"storedAt"`
	AgeSeconds float64   `json:"ageSeconds"`
	Type       string    `json:"type"`
	Seq        string    `json:"seq"`
	OrigID     string    `json:"origId"`
	Deliveries string    `json:"deliveries"`
}

// Cursor is the saved position: whose numbers it counts, and how old its event is.
type Cursor struct {
	Key          string     `json:"key"`
	Unknown      string     `json:"unknown,omitempty"` // why it could not be read
	Present      bool       `json:"present"`
	Raw          string     `json:"raw"`
	Seq          *event.Seq `json:"seq"`
	Relay        *string    `json:"relay"`        // from the side key
	RelayAssumed bool       `json:"relayAssumed"` // there is no side key
	// OtherRelay is set when the settings name another one.
	OtherRelay bool       `json:"otherRelay"`
	EventTime  *time.Time `json:"eventTime"`
	// TimeFrom is where EventTime comes from: "relay", or "entry" for the
	// time at which the entry of that seq was stored.
	TimeFrom   string   `json:"timeFrom,omitempty"`
	AgeSeconds *float64 `json:"ageSeconds"`
	Window     Window   `json:"window"`
	Writer     *Writer  `json:"writer"` // null is no heartbeat
}

// Writer is the heartbeat of whoever writes the stream.
type Writer struct {
	Name       *string  `json:"name"` // null is a writer that is not fhctl
	Connected  bool     `json:"connected"`
	Stopped    bool     `json:"stopped"` // its last words: it ended since
	RelayURL   string   `json:"relayUrl"`
	Cursor     *string  `json:"cursor"`
	AgeSeconds *float64 `json:"ageSeconds"` // null where the user may not ask
}

// Window is how far back the relay is assumed to replay.
type Window struct {
	Seconds     float64  `json:"seconds"`
	Assumed     bool     `json:"assumed"`
	LeftSeconds *float64 `json:"leftSeconds"` // until the cursor leaves it, if it did not move
}

// Check is one limit held against one thing.
type Check struct {
	Name   string   `json:"name"`            // MaxLag and so on
	Group  string   `json:"group,omitempty"` // for checks of groups
	Status string   `json:"status"`          // OK, Failed or Unknown
	Value  *float64 `json:"value"`           // nil where it is not known
	Limit  float64  `json:"limit"`
	Detail string   `json:"detail"` // what was found, in words
}
