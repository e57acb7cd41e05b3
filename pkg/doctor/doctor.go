package doctor

import (
	"context"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
)

// The outcomes of a check.
const (
	OK      = "ok"
	Warning = "warning"
	Failure = "failure"
	Unknown = "unknown"
)

// Check is what one look found.
type Check struct {
	Name   string `json:"name"` // of what was looked at: redis.clock, stream, group NAME
	Status string `json:"status"`
	Detail string `json:"detail"`        // what was found
	Fix    string `json:"fix,omitempty"` // what to do or look at
}

// Targets are what is examined.
type Targets struct {
	Relay Relay
	Redis Redis
}

// Relay is the relay that ingest would read.
type Relay struct {
	Name     string // for people; no password
	Identity string // whose numbers its seqs are: what a cursor belongs to
	Bundled  bool   // a simulator or a recording: its times and numbers are made up
	Whole    bool   // a recording: live would mean at its end, so it is read from its start
	// Open gives the frames; link hears when the relay answers and when it does not.
	Open func(link func(event.Link)) (pipeline.FrameSource, error)
}

// Redis is where ingest would store.
type Redis struct {
	Name string // for people; no password
	// Open opens the stream with the cursor of that key, whatever number of partitions
	// it was written with. Examine closes it.
	Open func(ctx context.Context, cursorKey string) (*reader.Reader, error)
	// CopyCursor is the key of the cursor that a replay left beside a stream it made,
	// which is then judged instead; "" of other streams. It may be nil.
	CopyCursor func(context.Context, *reader.Reader) string
}

// Options is what ingest would be told, and how long to look.
type Options struct {
	StreamKey, CursorKey string // of a set, without the partition's number
	Partitions           int
	Filter               string // fingerprint of the filters, "none" without any
	MaxStreamLen         int64  // 0 is never trimmed
	AllowEviction        bool   // ingest starts although Redis may evict its keys
	// Exposed says which file with a password others can read, Cleartext what others on
	// the way to Redis can read; "" is nothing.
	Exposed, Cleartext string

	Wait  time.Duration // how long the relay may take to send an event
	Stats stats.Options // of the report on stream, groups and cursor; Sample is doctor's
	Now   func() time.Time
}
