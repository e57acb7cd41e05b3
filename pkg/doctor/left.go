package doctor

import (
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// asLeft compares cursor and stream with what the last writer noted beside them, and
// says what ingest will do about it. It reports whether it found something. While a
// writer is at work they are read in the midst of change, and that is its to find.
func (e *examination) asLeft(c reader.CursorState, last event.Seq) bool {
	key, stored := e.CursorKey, event.Seq(c.Side.Stored)
	switch left, known := c.Side.Own, c.Side.OwnKnown; {
	case c.Status.Connected || c.SideBroken || len(e.each) > 1:
		return false
	case !c.Present && known && last > left && c.Side.Relay != script.BridgeRelay:
		e.fail("cursor", e.either(left, c.Side.Relay),
			"%s is gone, and the stream does not end where %s left it, at %s of %s, but with %s: something else appended, perhaps the Python bridge, whose numbers are %s's: ingest stops",
			key, program, left, c.Side.Relay, last, script.BridgeRelay)
	case !c.Present && known:
		e.warn("cursor", "start ingest; to begin live instead: "+fault.CursorTo("live"), "%s is gone; ingest goes on where it was left, at %s", key, left)
	case c.Present && c.Side.Contradicts(c.Seq):
		e.fail("cursor", e.either(left, c.Side.Relay),
			"%s is not where %s left it, at %s of %s: something else moved it, perhaps the Python bridge, whose numbers are %s's: ingest stops",
			c.Seq, program, left, c.Side.Relay, script.BridgeRelay)
	case c.Present && stored > 0 && last == 0 && left == c.Seq:
		e.emptied(stored, c.Side.Floor)
	default:
		return false
	}
	return true
}

// emptied says what became of a stream that holds nothing any more, up to the last
// entry stored.
func (e *examination) emptied(stored event.Seq, floor *int64) {
	const find = "find out what deletes entries, or the stream"
	switch {
	case floor == nil:
		e.fail("cursor", find+"; to read again from a place you know: "+fault.CursorTo("SEQ"),
			"the stream should end with %s, and is empty: what groups had not read is gone, and nothing tells how much that is", stored)
	case event.Seq(*floor) >= stored:
		e.warn("cursor", find, "the stream should end with %s, and is empty; every group had acknowledged all of it", stored)
	default:
		e.fail("cursor", find+"; start ingest, while the relay still holds what it needs",
			"the stream should end with %s, and is empty: ingest reads again what not every group had acknowledged, from %d", stored, *floor)
	}
}

// either is what to choose between where something else has moved the cursor.
func (e *examination) either(left event.Seq, relay string) string {
	return "begin on this relay: " + fault.CursorTo("live") + "; or go on where " + program + " stopped: " +
		fault.Remedy{Do: fault.MoveCursor, Value: left.String()}.With("relay", relay)
}
