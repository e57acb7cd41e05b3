package cursor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
)

// Unusable is the error, fault.Cursor, of a cursor under key that says no place; nil of one
// that does.
func Unusable(key string, state reader.CursorState) error {
	switch {
	case !state.Present:
		return fault.New(fault.Cursor, fmt.Errorf("there is no cursor in %s", key),
			`"`+ingest.String()+`" would start live; choose another place with: `+fault.CursorTo("SEQ|oldest|TIME"))
	case state.NotSeq:
		return fault.New(fault.Cursor, fmt.Errorf("cursor %s holds %.32q, which is not a seq", key, state.Raw),
			"write a good one with: "+fault.CursorTo("SEQ"))
	}
	return nil
}

// Report is how the cursor stands. As JSON it keeps its shape (docs/json.md).
type Report struct {
	V      int        `json:"v"`
	Key    string     `json:"key"`
	Cursor *event.Seq `json:"cursor"` // null is none; see raw
	Raw    *string    `json:"raw"`    // what the key holds; null is no key
	// Relay is the host whose seq it is. It is assumed where nothing is
	// stored about it: the Python bridge, which wrote no such key, always
	// read that one.
	Relay        *string `json:"relay"`
	RelayAssumed bool    `json:"relayAssumed"`
	Filter       *string `json:"filter"` // fingerprint of ingest's filters
	Epoch        int64   `json:"epoch"`  // moves made on purpose
	// EventTime is the event's, as the relay sent it; StoredAt when Redis
	// stored its entry. AgeSeconds counts from the first of them known.
	EventTime  *string       `json:"eventTime"`
	StoredAt   *time.Time    `json:"storedAt"`
	AgeSeconds *float64      `json:"ageSeconds"`
	Stream     *StreamEnd    `json:"stream"` // null is no stream
	Writer     *stats.Writer `json:"writer"` // null is no heartbeat
	// Partitions has the cursor of each, where there are several; Cursor is
	// then the lowest, where ingest would go on.
	Partitions []Partition `json:"partitions,omitempty"`
}

// Partition is the cursor of one partition.
type Partition struct {
	Partition int        `json:"partition"`
	Key       string     `json:"key"`
	Cursor    *event.Seq `json:"cursor"`
	Raw       *string    `json:"raw"`
	Epoch     int64      `json:"epoch"`
}

func partitionCursors(r *reader.Reader, each []reader.CursorState) (list []Partition) {
	for i, part := range r.Partitions() {
		c := &each[i]
		row := Partition{Partition: i, Key: part.CursorKey(), Epoch: c.Side.Epoch}
		if c.Present {
			row.Raw = &c.Raw
		}
		if c.Present && !c.NotSeq {
			row.Cursor = &c.Seq
		}
		list = append(list, row)
	}
	return list
}

// StreamEnd is the end of the stream beside a cursor.
type StreamEnd struct {
	Key          string     `json:"key"`
	Length       int64      `json:"length"`
	LastSeq      *event.Seq `json:"lastSeq"`
	LastID       *string    `json:"lastId"`
	LastStoredAt *time.Time `json:"lastStoredAt"`
}

// longestWindow is how far back relays go, with some to spare.
const longestWindow = 7 * 24 * time.Hour

// Look tells how the cursor of r stands at now, beside the end of its stream: each is what
// r.Cursors gave. A cursor that says no place is no error of Look: see [Unusable].
func Look(ctx context.Context, r *reader.Reader, each []reader.CursorState, now time.Time) (*Report, error) {
	state := reader.LowestCursor(each)
	c := &Report{
		V: version, Key: r.CursorKey(), Relay: unlessEmpty(state.Relay()),
		RelayAssumed: state.Present && !state.SidePresent && !state.NotSeq,
		Filter:       unlessEmpty(state.Side.Filter), Epoch: state.Side.Epoch,
		EventTime: unlessEmpty(state.Side.EventTime), Writer: stats.WriterOf(state.Status),
	}
	if state.Present {
		c.Raw = &state.Raw
	}
	if r.IsSet() {
		c.Partitions = partitionCursors(r, each)
	}
	var err error
	if c.Stream, err = reportStreamEnd(ctx, r); err != nil {
		return nil, err
	}
	if !state.Present || state.NotSeq {
		c.EventTime = nil
		return c, nil
	}
	c.Cursor = &state.Seq
	at, err := storedAt(ctx, r, state.Seq)
	if err != nil {
		return nil, err
	}
	c.StoredAt = unlessZero(at)
	stored := at
	if stored.IsZero() && c.Stream != nil && c.Stream.LastStoredAt != nil {
		stored = *c.Stream.LastStoredAt
	}
	if sent, ok := state.EventTime(stored, now, longestWindow); ok {
		at = sent
	}
	if !at.IsZero() {
		age := roundSeconds(now.Sub(at))
		c.AgeSeconds = &age
	}
	return c, nil
}

func reportStreamEnd(ctx context.Context, r *reader.Reader) (*StreamEnd, error) {
	b, err := r.Bounds(ctx)
	if errors.Is(err, reader.ErrNoStream) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	end := &StreamEnd{Key: r.StreamKey(), Length: b.Length, LastID: unlessEmpty(string(b.Last.ID)), LastStoredAt: unlessZero(b.Last.ID.Time())}
	if seq, ok := b.Last.Seq(); ok {
		end.LastSeq = &seq
	}
	return end, nil
}

// unlessEmpty is null in JSON for what is not there.
func unlessEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// roundSeconds is a duration in JSON.
func roundSeconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// storedAt tells when the entry of a seq was stored; zero when there is none.
func storedAt(ctx context.Context, r *reader.Reader, seq event.Seq) (time.Time, error) {
	s, found, err := r.SeekSeq(ctx, seq)
	if err != nil || !found {
		return time.Time{}, err
	}
	if have, _ := s.Seq(); have != seq {
		return time.Time{}, nil
	}
	return s.ID.Time(), nil
}
