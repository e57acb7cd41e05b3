package doctor

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redistest"
	"github.com/fhctl/fhctl/pkg/relaytest"
	"github.com/fhctl/fhctl/pkg/stats"
)

const (
	stream = "firehose:events"
	key    = "firehose:python_cursor"
	side   = key + ":meta"
	status = "firehose:status"
)

// played is a relay that sends these frames and ends, or that cannot be reached.
type played struct {
	link   func(event.Link)
	frames [][]byte
	err    error
}

func (p played) Frames(ctx context.Context, resume func(context.Context) (event.Position, error)) iter.Seq2[*event.Chunk, error] {
	return func(yield func(*event.Chunk, error) bool) {
		if p.err != nil {
			p.link(event.Link{State: event.LinkDown, Err: p.err})
			return
		}
		p.link(event.Link{State: event.LinkUp, URL: "wss://relay.example"})
		chunk := &event.Chunk{Arrived: time.Now()}
		for _, f := range p.frames {
			chunk.Frames = append(chunk.Frames, event.Frame{Data: f})
		}
		if len(p.frames) > 0 {
			yield(chunk, nil)
		}
	}
}

// identities are frames of events with these numbers, as old as said.
func identities(age time.Duration, seqs ...int) (frames [][]byte) {
	for _, seq := range seqs {
		frames = append(frames, relaytest.Frame("#identity", map[string]any{
			"seq": seq, "did": "did:plc:aaaabbbbccccddddeeeeffff", "time": time.Now().Add(-age).UTC().Format("2006-01-02T15:04:05.000Z"),
		}))
	}
	return frames
}

func relayOf(frames [][]byte, err error) Relay {
	return Relay{Name: "wss://relay.example", Identity: "relay.example", Open: func(link func(event.Link)) (pipeline.FrameSource, error) {
		return played{link, frames, err}, nil
	}}
}

// setup is what is examined: a relay at 109, and the Redis of a test.
func setup(server *redistest.Server) (Targets, Options) {
	o := Options{
		StreamKey: stream, CursorKey: key, Partitions: 1, Filter: "none", MaxStreamLen: 1000, Wait: time.Minute,
		Stats: stats.Options{MaxLength: 1000, Window: 72 * time.Hour, Relay: "relay.example"},
	}
	open := func(ctx context.Context, cursorKey string) (*reader.Reader, error) {
		return reader.Open(ctx, reader.Config{Connection: conn.Connection{URL: server.URL()}, StreamKey: stream, CursorKey: cursorKey, OtherCount: true})
	}
	return Targets{Relay: relayOf(identities(0, 108, 109), nil), Redis: Redis{Name: "there", Open: open}}, o
}

// plant fills a stream up to 109 and leaves the cursor as fhctl would.
func plant(server *redistest.Server) {
	server.Do("flushall")
	for _, seq := range []int{101, 103, 104, 109} {
		add(server, seq)
	}
	server.Do("set", key, 109)
	note(server, 109, 109, "")
}

func add(server *redistest.Server, seq int) {
	server.Do("xadd", stream, "*", "type", "account", "data", `{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`, "seq", seq)
}

// note writes the side key of a writer that stored up to one seq and left the cursor at
// another.
func note(server *redistest.Server, stored, upto int, more string) {
	server.Do("set", side, fmt.Sprintf(`{"relay":"relay.example","filter":"none","partitions":1,"stored":%d,"upto":%d,"epoch":1%s}`, stored, upto, more))
}

// examined is all checks by name.
func examined(t *testing.T, targets Targets, o Options) map[string]Check {
	t.Helper()
	checks := map[string]Check{}
	for c, err := range Examine(t.Context(), targets, o) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := checks[c.Name]; twice {
			t.Errorf("%s is told twice", c.Name)
		}
		checks[c.Name] = c
	}
	return checks
}

// is compares a check with its status and parts of its texts.
func is(t *testing.T, what string, c Check, status, detail, fix string) {
	t.Helper()
	if c.Status != status || !strings.Contains(c.Detail, detail) || !strings.Contains(c.Fix, fix) || status == OK && c.Fix != "" {
		t.Errorf("%s: %s %q, %q; want %s %q, %q", what, c.Status, c.Detail, c.Fix, status, detail, fix)
	}
}

// noted is an examination whose checks are kept.
func noted(o Options) (*examination, func() Check) {
	var last Check
	e := &examination{Options: o, failures: map[string]bool{}, tell: func(c Check) { last = c }}
	e.Now = time.Now
	return e, func() Check { c := last; last = Check{}; return c }
}

func statuses(checks map[string]Check) string {
	count := map[string]int{}
	for c := range maps.Values(checks) {
		count[c.Status]++
	}
	return fmt.Sprint(count)
}
