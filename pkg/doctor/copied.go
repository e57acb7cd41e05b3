package doctor

import (
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/stats"
)

// copied judges the cursor of a stream that a replay made: no relay and no filter is
// this one's.
func (e *examination) copied(c reader.CursorState, s *stats.Report) {
	var last event.Seq
	if s != nil {
		last = s.Stream.LastSeq()
	}
	fix := "replay into another stream and delete this one, or go on with " + fault.To("resume", "") + " if the replay did not finish; leave the live cursor"
	key := e.CursorKey
	switch {
	case c.NotSeq:
		e.fail("cursor", fix, "%s holds %.32q, which is no seq: a replay does not go on", key, c.Raw)
	case !c.Present && last > 0:
		e.fail("cursor", fix, "%s is gone although the copy holds entries", key)
	case last > c.Seq:
		e.fail("cursor", fix, "%s, of a replay, is behind the copy, which ends with %s: going on would store events twice", c.Seq, last)
	default:
		e.ok("cursor", "%s, of a replay (%s): a copy, which no ingest feeds", c.Seq, key)
	}
}
