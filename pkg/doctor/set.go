package doctor

import (
	"context"
	"fmt"
	"strconv"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// otherCount notes a cursor of the same name under another number of partitions,
// where these settings' own has none: ingest does not start live beside it.
func (e *examination) otherCount(ctx context.Context, r *reader.Reader) bool {
	key, want, have := e.CursorKey, e.Partitions, 1
	if !r.IsSet() {
		key = keyspace.Partition(key, 0)
	}
	c, err := r.CursorAt(ctx, key)
	if err != nil || !c.Present {
		return false
	}
	if !r.IsSet() {
		have = c.Side.Partitions
	}
	e.fail("cursor", "say "+partitions(have)+", or take it over with all writers stopped: "+
		fault.Remedy{Do: fault.MoveCursor}.With("partitions", strconv.Itoa(want))+" with "+fault.To("from-partitions", strconv.Itoa(have)),
		"none for %s, but %s stands at %.32q: ingest does not start beside it", text.Counted(want, "partition"), key, c.Raw)
	return true
}

// wrongCount notes a set that was written with another number of partitions.
func (e *examination) wrongCount(c reader.CursorState) bool {
	have, want := c.Side.Partitions, max(1, e.Partitions)
	if !c.SidePresent || c.SideBroken || have == 0 || have == want {
		return false
	}
	e.fail("cursor", "say "+partitions(have)+"; docs/scaling.md tells how to change the number",
		"it belongs to a set of %s, and these settings say %d: ingest stops", text.Counted(have, "partition"), want)
	return true
}

// partitions is the setting of how many there are.
func partitions(n int) string { return fault.To("partitions", strconv.Itoa(n)) }

// setCursors is how all cursors of a set are moved to the lowest.
func (e *examination) setCursors(lowest reader.CursorState) string {
	return fault.Remedy{Do: fault.MoveCursor, Value: place.Text(lowest.Seq, e.Now())}.With("partitions", strconv.Itoa(len(e.each)))
}

// movedApart notes cursors of a set that were not moved together.
func (e *examination) movedApart(lowest reader.CursorState) bool {
	for i, c := range e.each {
		if first := e.each[0]; c.Present && first.Present && c.Side.Epoch != first.Side.Epoch {
			e.fail("cursor", "move all of them, with ingest stopped: "+e.setCursors(lowest),
				"the cursors were moved one by one: {0} %d times, {%d} %d times: ingest stops", first.Side.Epoch, i, c.Side.Epoch)
			return true
		}
	}
	return false
}

// partitions judges the cursors of a set, each beside its own stream. That some
// are ahead of others is what a crash leaves: reading goes back to the lowest.
func (e *examination) partitions(lowest reader.CursorState, s *stats.Report) {
	for i, c := range e.each {
		last := event.Seq(0)
		if s != nil && i < len(s.Partitions) {
			last = s.Partitions[i].Stream.LastSeq()
		}
		// A cursor that is missing beside others is restored by ingest.
		if c.Present && last > c.Seq && !c.Status.Connected {
			e.fail("cursor", "find out what appended: "+verifyIt.String()+"; the lowest cursor loses nothing: "+e.setCursors(lowest),
				"that of {%d}, %s, is behind its stream, which ends with %s: something else appended, and events would be stored twice", i, c.Seq, last)
			return
		}
	}
	e.window(lowest, s)
}

// streamToType is the stream's key as an operator types it, and what to add where
// there are several.
func (e *examination) streamToType(s *stats.Report) (key, each string) {
	if len(s.Partitions) == 0 {
		return s.Stream.Key, ""
	}
	return "'" + e.StreamKey + ":{i}'", fmt.Sprintf(", for each i from 0 to %d", len(s.Partitions)-1)
}
