package reader

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// CursorState is what is stored about the cursor, read together.
type CursorState struct {
	// Present is whether the cursor's key exists; Raw is what it holds and
	// Seq what that means, 0 when it is no number (NotSeq) or really 0.
	Present bool
	Raw     string
	Seq     event.Seq
	NotSeq  bool
	// SidePresent is whether the side key exists. A cursor without one was
	// left by the Python bridge, so it is bsky.network's (contract §7.2).
	// SideBroken is a side key that is not a JSON object; Side is then zero.
	SidePresent bool
	SideBroken  bool
	Side        script.Side
	Status      dashboard.Heartbeat
}

// Relay is the host whose numbers the cursor counts; "" when nobody knows.
func (c CursorState) Relay() string {
	switch {
	case c.SidePresent:
		return c.Side.Relay
	case c.Present && !c.NotSeq: // what is no seq is no relay's
		return script.BridgeRelay
	}
	return ""
}

// ReplayPrefix begins what a cursor of a replay has in place of a relay's host. No relay
// goes on where such a cursor stands.
const ReplayPrefix = "replay:"

// IsReplay reports whether a replay wrote a cursor with this Relay.
func IsReplay(relay string) bool { return strings.HasPrefix(relay, ReplayPrefix) }

// clockSlack is by how much clocks may differ for a time still to be believed.
const clockSlack = time.Hour

// EventTime is the relay's time of the event the cursor stands at. ok is false when it
// is unknown, or cannot be true: an event is not of the future, and a relay held it no
// longer than its window before the newest entry was stored. A zero stored or window
// is one that is not known.
func (c CursorState) EventTime(stored, now time.Time, window time.Duration) (at time.Time, ok bool) {
	at, ok = event.ParseTime(c.Side.EventTime)
	old := !stored.IsZero() && window > 0 && at.Before(stored.Add(-window-clockSlack))
	return at, ok && !old && !at.After(now.Add(clockSlack))
}

// Cursor reads cursor, side key and heartbeat in one exchange. It fails with
// fault.Data when one of the keys is not a string.
func (r *Reader) Cursor(ctx context.Context) (CursorState, error) {
	if r.parts != nil {
		return r.setCursor(ctx)
	}
	return r.CursorAt(ctx, r.config.CursorKey)
}

// CursorAt is Cursor for a cursor under another key.
func (r *Reader) CursorAt(ctx context.Context, key string) (c CursorState, err error) {
	once, cancel := r.config.Within(ctx)
	defer cancel()
	pipe := r.client.Pipeline()
	cursor := pipe.Get(once, key)
	beside := pipe.Get(once, keyspace.Side(key))
	beat := pipe.Get(once, dashboard.StatusKey)
	left := pipe.PTTL(once, dashboard.StatusKey)
	conn.Exchange(once, pipe)
	for _, cmd := range []*redis.StringCmd{cursor, beside, beat} {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return c, r.config.Classed(ctx, "read cursor "+key, err)
		}
	}
	c.Raw, c.Present = cursor.Val(), cursor.Err() == nil
	seq, ok := event.ParseSeq(strings.TrimLeft(c.Raw, "0"))
	if ok || c.Raw != "" && strings.Trim(c.Raw, "0") == "" {
		c.Seq = seq
	} else {
		c.NotSeq = c.Present
	}
	c.SidePresent = beside.Err() == nil
	if raw, err := beside.Bytes(); err == nil {
		c.Side, c.SideBroken = script.ParseSide(raw)
	}
	if beat.Err() == nil {
		c.Status = dashboard.ParseHeartbeat(beat.Val())
		c.Status.TTL = max(0, left.Val())
	}
	return c, nil
}
