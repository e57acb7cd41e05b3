package redisstream

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/floor"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// DefaultMaxLen is about how many entries a stream keeps by the contract (§2).
const DefaultMaxLen = 500_000

// Config is what a Writer needs. Empty keys take the contract's names.
type Config struct {
	conn.Connection
	StreamKey string
	CursorKey string
	// MaxLen is about how many entries the stream keeps; 0 never trims.
	MaxLen int64
	// WhenFull says what happens at MaxLen when readers are behind.
	WhenFull WhenFull
	// GroupTimeout is how long a group that nobody reads goes on holding the
	// stream, unless WhenFull is Trim; 0 is for ever.
	GroupTimeout time.Duration
	Identity     Identity
	From         From
	// Writer names this process where others look, as in fhctl/HOST-PID. With
	// it the Writer takes part in the lease, so that of several writers one
	// leads and the others stand by (Lead); without it, it appends whenever
	// the cursor allows. Either way no event is stored twice or lost.
	Writer string
	// AllowEviction starts even if Redis may evict keys when memory is full.
	AllowEviction bool
	// Notify hears when Redis becomes unavailable and available again, from
	// the goroutine that calls Open or Commit; may be nil.
	Notify func(event.Store)
	// Refused hears of an event that was left out since the server takes no value of
	// its size, with the entry's data, from the goroutine that calls Commit. The
	// cursor passes it. Nil is allowed.
	Refused func(r *event.Reject, data []byte)
	// Alarm hears of what writers other than fhctl did to cursor and stream, from
	// the goroutine that calls Open, Resume, Commit or Lead; may be nil. The same
	// is told at most every few seconds.
	Alarm func(a event.Alarm, seq event.Seq, detail string)
	// CursorMoved hears of each change of the cursor that such a writer made, as
	// Alarm does; may be nil.
	CursorMoved func(event.CursorMove)

	again func(context.Context) // called before another attempt; set by Open
	// warned holds the servers that were warned about, where several Writers
	// share them; nil warns.
	warned map[string]bool
	// leader is the key that says who leads, where it is not this cursor's own.
	leader string
}

// Identity says whose cursor it is. Writers that differ in it must not share a
// cursor: the script refuses the second one (MISMATCH).
type Identity struct {
	Relay      string // host of the relay, with port if it has one
	Filter     string // fingerprint of the filters; "" delivers everything
	Partitions int    // 0 means 1
}

func (id Identity) partitions() int { return max(1, id.Partitions) }

// From is where an operator wants to begin. The zero From is "saved": the
// stored cursor or, without one, live. Anything else is a request that is
// applied once and remembered in the side key: the same request again is a
// restart and continues from the cursor.
type From struct {
	Requested bool
	At        event.Position // meaningful when Requested
}

// ParseFrom reads saved, live, oldest or a seq; the error is a fault.Usage.
func ParseFrom(text string) (From, error) {
	switch text {
	case "", "saved":
		return From{}, nil
	case "live":
		return From{Requested: true, At: event.Position{Start: event.Live}}, nil
	case "oldest":
		return From{Requested: true, At: event.Position{Start: event.Oldest}}, nil
	}
	seq, ok := event.ParseSeq(text)
	if !ok || seq == 0 {
		return From{}, fault.New(fault.Usage, fmt.Errorf("read start %q: not a place in a relay's stream", text),
			"use saved, live, oldest, or the seq of the last event you have")
	}
	return From{Requested: true, At: event.AfterSeq(seq)}, nil
}

// String is what ParseFrom reads.
func (f From) String() string {
	if !f.Requested {
		return "saved"
	}
	return f.At.String()
}

// WhenFull is what a Writer does about entries beyond MaxLen that some group has
// not finished.
type WhenFull uint8

const (
	// Trim removes them, counted and noted in the ledger.
	Trim WhenFull = iota
	// Block keeps them: Commit returns *event.Full, and Resume waits for room.
	Block
	// Wait keeps them: Commit waits for room.
	Wait
)

// LedgerKey is the stream that tells what groups lost to trimming.
func (c Config) LedgerKey() string { return keyspace.Ledger(c.CursorKey) }

// SideKey is the name of the key beside the cursor that says whose it is.
func (c Config) SideKey() string { return keyspace.Side(c.CursorKey) }

// LeaseKey is the name of the key that says which of several writers leads.
func (c Config) LeaseKey() string { return keyspace.Lease(c.CursorKey) }

func (c Config) withDefaults() Config {
	c.Connection = c.Connection.WithDefaults()
	c.StreamKey = cmp.Or(c.StreamKey, keyspace.DefaultStream)
	c.CursorKey = cmp.Or(c.CursorKey, keyspace.DefaultCursor)
	if c.Refused == nil {
		c.Refused = func(*event.Reject, []byte) {}
	}
	if c.Notify == nil {
		c.Notify = func(event.Store) {}
	}
	if c.Alarm == nil {
		c.Alarm = func(event.Alarm, event.Seq, string) {}
	}
	if c.CursorMoved == nil {
		c.CursorMoved = func(event.CursorMove) {}
	}
	return c
}

// adopts reports whether a cursor without side key counts as this run's: the Python
// bridge left it, and that always read one host (contract §7.2).
func (c *Config) adopts() bool { return c.Identity.Relay == script.BridgeRelay }

// owner is whose cursor this run takes it to be.
func (c *Config) owner() script.Owner {
	return script.Owner{Relay: c.Identity.Relay, Filter: c.Identity.Filter, Partitions: c.Identity.partitions(), Adopt: c.adopts()}
}

// head is the side key of this run. An upto below 0 is left out: where the cursor is left
// is then for the script to say, or not known.
func (c *Config) head(buf, eventTime []byte, stored, upto int64, f floor.Floor) []byte {
	h := script.Head{Relay: c.Identity.Relay, Filter: c.Identity.Filter, Partitions: c.Identity.partitions(), From: c.From.String(), EventTime: string(eventTime), Stored: stored}
	if upto >= 0 {
		h.Upto = &upto
	}
	if f.Known {
		h.Floor = &f.Seq
	}
	h.Deleted = string(f.Deleted)
	return h.Append(buf)
}

// outage follows what is done with this configuration.
func (c *Config) outage(doing string) conn.Outage {
	return conn.Outage{Connection: &c.Connection, Doing: doing, Notify: c.Notify, Again: c.again}
}

// retry runs do until it succeeds, fails for good, or ctx ends.
func (c *Config) retry(ctx context.Context, doing string, do func(context.Context) error) error {
	o := c.outage(doing)
	return o.Retry(ctx, do)
}
