package doctor

import (
	"context"
	"strings"

	"github.com/fhctl/fhctl/pkg/cursor"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/place"
	"github.com/fhctl/fhctl/pkg/redisstream/admin"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/stats"
	"github.com/fhctl/fhctl/pkg/text"
)

// position judges the cursor and whoever writes.
func (e *examination) position(ctx context.Context, r *reader.Reader, s *stats.Report) error {
	c, err := r.Cursor(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fault.ClassOf(err) == fault.Data || fault.ClassOf(err) == fault.Refused:
		e.failed("cursor", err)
		e.unknown("writer", "%s", err)
		return nil
	case err != nil:
		e.unknown("cursor", "%s", err)
		e.unknown("writer", "%s", err)
		return nil
	}
	if r.IsSet() {
		if e.each, err = r.Cursors(ctx); err != nil {
			return e.passing(ctx, "cursor", err)
		}
	}
	purpose := e.onPurpose(ctx, r, c)
	switch {
	case e.copy:
		e.copied(c, s)
	case !c.Present && purpose:
		e.warn("cursor", "", "removed by %s: ingest starts live, and what came since the newest entry is not stored", moved)
	case !c.Present && e.otherCount(ctx, r):
	default:
		e.cursor(c, s, purpose)
	}
	e.writer(c.Status)
	return nil
}

// onPurpose reports whether the cursor stands, or is away, where the newest
// move of an operator put it.
func (e *examination) onPurpose(ctx context.Context, r *reader.Reader, c reader.CursorState) bool {
	changes, err := admin.History(ctx, r)
	return err == nil && len(changes) > 0 && changes[0].After == c.Raw
}

// aheadSlack is how many events a relay may have sent between the look at it
// and the look at the cursor.
const aheadSlack = 100_000

// cursor judges where the cursor stands; purpose says that an operator
// put it there and nothing has moved it since.
func (e *examination) cursor(c reader.CursorState, s *stats.Report, purpose bool) {
	key := e.CursorKey
	var last event.Seq
	if s != nil {
		last = s.Stream.LastSeq()
	}
	ours := !c.Present || c.NotSeq || c.Side.Relay == e.targets.Relay.Identity
	switch {
	case s != nil && ours && !c.NotSeq && !purpose && e.asLeft(c, last):
	case !c.Present && last > 0 && e.failing("stream.entries"):
		e.fail("cursor", "find the newest entry of "+program+" or the bridge with "+verifyIt.String()+", then: "+fault.CursorTo("its")+" seq",
			"%s is gone although the stream holds entries, the newest of something else: ingest would start live and leave a gap", key)
	case !c.Present && last > 0:
		e.fail("cursor", fault.CursorTo(place.Text(last, e.Now())), "%s is gone although the stream holds entries: ingest would start live and leave a gap", key)
	case !c.Present:
		e.ok("cursor", "none yet: ingest starts live, or where %s says", fault.To("from", ""))
	case c.NotSeq:
		e.fail("cursor", fault.CursorTo("SEQ")+", or live", "%s holds %.32q, which is no seq: ingest stops", key, c.Raw)
	case e.wrongCount(c), !e.cursorIsOurs(c), e.movedApart(c):
	case e.newest > 0 && !e.targets.Relay.Bundled && c.Seq > e.newest+aheadSlack:
		e.fail("cursor", fault.CursorTo("-10m")+", or stop ingest and "+fault.CursorTo("live")+"; ask whether the relay's numbering restarted",
			"%s is ahead of the relay, whose newest event is %s: nothing would come until it gets there", c.Seq, e.newest)
	case last > c.Seq && !c.Status.Connected && purpose:
		e.warn("cursor", "start ingest; or take it back: "+fault.Remedy{Do: fault.UndoMove}.String(),
			"%s, where %s put it: ingest goes on there, and what is stored behind it, up to %s, is stored again", c.Seq, moved, last)
	case len(e.each) > 1:
		e.partitions(c, s)
	case last > c.Seq && !c.Status.Connected:
		tell := e.fail
		if !c.SidePresent { // a bridge that was killed: it saves every few seconds
			tell = e.warn
		}
		tell("cursor", "stop the other writer, if it still runs, and start ingest: leave the cursor as it is",
			"%s is behind the stream, which ends with %s: something else appended. ingest stores what is missing between the two, and nothing twice", c.Seq, last)
	case aheadOf(c, last) && c.Side.Upto == int64(c.Seq):
		e.fail("cursor", "leave the cursor; find who appended, and stop it: "+verifyIt.With("from", "1h"),
			"%s is where %s left it, but the stream ends with %s and not with %d: something else appended, or deleted entries", c.Seq, program, last, c.Side.Stored)
	case aheadOf(c, last):
		e.fail("cursor", fault.CursorTo(place.Text(last, e.Now()))+"; and look with: "+fault.Remedy{Do: fault.ListMoves}.String(),
			"%s is ahead of the stream, which ends with %s: somebody moved it, and what lies between is not stored", c.Seq, last)
	default:
		e.window(c, s)
	}
}

// aheadOf reports whether a cursor lies above the newest entry, and not because
// the events behind that yielded none.
func aheadOf(c reader.CursorState, last event.Seq) bool {
	explained := (c.Side.Stored == int64(last) || c.Side.Stored == 0) && c.Side.Upto == int64(c.Seq)
	// A filter explains it only where its writer left no note of its own.
	filtered := c.Side.Filter != "" && c.Side.Filter != "none" && c.Side.Upto == 0
	return last > 0 && c.Seq > last && !explained && !filtered && !c.Status.Connected
}

// cursorIsOurs notes whose cursor it is, where it is not these settings'.
func (e *examination) cursorIsOurs(c reader.CursorState) bool {
	switch relay := c.Relay(); {
	case c.SideBroken:
		e.fail("cursor", fault.Remedy{Do: fault.MoveCursor, Value: place.Text(c.Seq, e.Now())}.With("relay", "HOST"), "%s:meta is not readable, so nobody knows whose cursor %s is", e.CursorKey, c.Raw)
	case relay != e.targets.Relay.Identity && !c.SidePresent:
		e.fail("cursor", "RELAY_URL=wss://"+script.BridgeRelay+", or begin on this relay: "+fault.CursorTo("live"),
			"the Python bridge left %s, so it is %s's, and these settings read %s", c.Raw, relay, e.targets.Relay.Identity)
	case relay != e.targets.Relay.Identity:
		e.fail("cursor", "go back to that relay, or begin on this one: "+fault.CursorTo("live"), "%s counts the events of %s, and these settings read %s", c.Raw, relay, e.targets.Relay.Identity)
	case c.SidePresent && c.Side.Filter != e.Filter && !(c.Side.Filter == "" && e.Filter == "none"):
		e.fail("cursor", "start with the former filters and change them by SIGHUP (docs/control.md), or begin anew: "+fault.CursorTo("live"),
			"%s belongs to other filters (%s) than these settings' (%s): ingest stops", c.Raw, c.Side.Filter, e.Filter)
	default:
		return true
	}
	return false
}

func (e *examination) window(c reader.CursorState, s *stats.Report) {
	const fix = "start ingest soon; what the relay no longer holds is lost for this stream"
	if s == nil || s.Cursor.AgeSeconds == nil || s.Cursor.Window.LeftSeconds == nil {
		e.ok("cursor", "%s of %s", c.Seq, c.Relay())
		return
	}
	age, left := stats.Duration(*s.Cursor.AgeSeconds), stats.Duration(*s.Cursor.Window.LeftSeconds)
	assumed := ""
	if s.Cursor.Window.Assumed {
		assumed = " (assumed: " + fault.To("relay-window", "") + ")"
	}
	switch {
	case e.targets.Relay.Bundled:
		e.ok("cursor", "%s of %s", c.Seq, c.Relay())
	case left < 0:
		e.fail("cursor", "start ingest: it goes on with the oldest event that the relay still holds, and says what is missing",
			"%s is %s old, beyond the relay's window of %s%s: a gap", c.Seq, text.Span(age), text.Span(e.Stats.Window), assumed)
	case left < e.Stats.Window/4:
		e.warn("cursor", fix, "%s is %s old; it leaves the relay's window in %s%s", c.Seq, text.Span(age), text.Span(left), assumed)
	default:
		e.ok("cursor", "%s of %s, %s old", c.Seq, c.Relay(), text.Span(max(0, age)))
	}
}

func (e *examination) writer(h dashboard.Heartbeat) {
	key := dashboard.StatusKey
	switch {
	case !h.Present:
		e.ok("writer", "none at work, or one without dashboard keys")
	case h.Writer == "":
		e.fail("writer", "stop it: the Python bridge, or the app's own producer (its Reconnect button starts it); "+cursor.UntilGone(h),
			"something other than %s writes %s: two writers store events twice", program, key)
	case h.Stopped:
		e.ok("writer", "%s stopped cleanly", h.Writer)
	case !strings.HasPrefix(h.Writer, "fhctl/"):
		e.fail("writer", "find out what it is, and stop it", "%s writes %s", h.Writer, key)
	case h.Held != "":
		e.warn("writer", "read what the runbook says of "+h.Held+", then: "+fault.Remedy{Do: fault.MoveCursor}.String(), "%s is held and waits for an operator (%s)", h.Writer, h.Held)
	case !h.Connected:
		e.warn("writer", "look at its log and /readyz; "+cursor.UntilGone(h), "%s is at work and not connected to %s", h.Writer, h.URL)
	default:
		e.ok("writer", "%s is at work, reading %s", h.Writer, h.URL)
	}
}
