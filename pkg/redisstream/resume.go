package redisstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Resume tells where reading should begin and why, and prepares the Writer to
// continue from there. It waits for Redis as Commit does and, after Commit
// returned *event.Full, for room in the stream.
//
// Without a stored cursor that is what Config.From says, live unless requested
// otherwise. With one it is the cursor, except for a request that was not yet
// applied: oldest or a seq moves the cursor there at once; live leaves the
// cursor alone until the first event is stored.
//
// It may be asked again after others have stored (Lead): what was requested is
// then over, and the cursor decides.
//
// A cursor that is not a number, or not ours, is a fault.Cursor and nothing is
// changed. Resume may be called again between Commits: then a cursor that
// vanished is restored as Commit would, and an *event.Moved says so, as it does
// of one that went back. Once others
// have stored (Lead), what was requested is over, and the cursor decides.
func (w *Writer) Resume(ctx context.Context) (event.Resume, error) {
	if err := w.awaitRoom(ctx); err != nil {
		return event.Resume{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	cursor, present, stored, err := w.state(ctx)
	if err != nil {
		return event.Resume{}, err
	}
	if _, ok := event.ParseSeq(cursor); present && !ok {
		return event.Resume{}, w.badCursor(cursor) // whose it is does not matter
	}
	if err := w.checkOwner(stored, present); err != nil {
		return event.Resume{}, err
	}
	first := w.acked == 0 && !w.lease.Followed()
	if present && stored != nil {
		if seq, ok := event.ParseSeq(cursor); ok {
			if err := w.contradicts(ctx, first); err != nil {
				return event.Resume{}, err
			}
			if seq, err = w.settle(ctx, seq, stored); err != nil {
				return event.Resume{}, err
			}
			cursor = seq.String()
		}
	}
	if err := w.wentBack(cursor, stored); err != nil {
		return event.Resume{}, err
	}
	w.epoch, w.ahead, w.time, w.stored, w.hadEntries, w.former = 0, ahead{}, w.time[:0], 0, false, nil
	w.floor.Learn(stored)
	if w.hasSide = stored != nil; w.hasSide {
		w.stored, w.hadEntries = stored.Stored, stored.Stored > 0
		w.epoch = stored.Epoch
		w.time = append(w.time, stored.EventTime...)
	}
	if !present && w.lease.Followed() && w.acked > 0 {
		return event.Resume{Position: event.Behind(w.acked), Why: "the cursor vanished; this is where it was"}, nil
	}
	if !present {
		return w.withoutCursor(ctx, stored)
	}
	seq, ok := event.ParseSeq(cursor)
	if !ok {
		return event.Resume{}, w.badCursor(cursor)
	}
	if err := w.inOrder(ctx); err != nil {
		return event.Resume{}, err
	}
	at, err := w.resumeFrom(ctx, seq, stored)
	if err == nil {
		w.remember(ctx) // what vanishes before the first batch must be known too
	}
	return at, err
}

// wentBack notices a cursor below what this Writer knows to be stored: a Redis
// that lost writes may have got back a lease as well, of one that is dead, so
// that no batch of ours met the cursor (G7).
func (w *Writer) wentBack(cursor string, stored *script.Side) error {
	seq, ok := event.ParseSeq(cursor)
	if stored == nil {
		return nil
	}
	if m := (script.State{Cursor: seq, Present: ok, Epoch: stored.Epoch}); w.behindUs(m) && stored.Again < int64(w.acked) {
		return w.rolledBack(m)
	}
	return nil
}

// stateTries is how often somebody else may get between reading the side key
// and changing it.
const stateTries = 3

// state reads cursor and side key, once what an operator asked of the running
// process is done to them.
func (w *Writer) state(ctx context.Context) (cursor string, present bool, stored *script.Side, err error) {
	for try, began := 0, time.Now(); ; try++ {
		err = w.config.retry(ctx, "read cursor", func(ctx context.Context) (err error) {
			cursor, present, stored, err = w.readState(ctx)
			return err
		})
		switch {
		case err != nil:
			return "", false, nil, err
		case !present && w.acked > 0: // it vanished while we ran (I10)
			return "", false, nil, w.restore(ctx, w.acked.String(), "")
		case present && stored == nil && w.awaitSide(ctx, began):
			try = -1
			continue
		case try == stateTries || !present || !w.replaces(stored):
			return cursor, present, stored, nil
		}
		if err := w.refilter(ctx, stored); err != nil {
			return "", false, nil, err
		}
	}
}

// awaitSide waits a moment for the side key that a cursor lacks, while somebody
// leads: the leader, whose cursor it is, writes the key again with its next batch.
func (w *Writer) awaitSide(ctx context.Context, began time.Time) bool {
	if w.lease.State() == lease.Leading || w.config.adopts() || time.Since(began) > lease.SideWithin {
		return false
	}
	leader, err := w.peek(ctx, cmp.Or(w.config.leader, w.config.LeaseKey()))
	return err == nil && leader != "" && wait.For(ctx, lease.Lasts/10) == nil
}

// readState reads cursor and side key in one exchange.
func (w *Writer) readState(ctx context.Context) (cursor string, present bool, stored *script.Side, err error) {
	pipe := w.client.Pipeline()
	cursorReply, sideReply := pipe.Get(ctx, w.config.CursorKey), pipe.Get(ctx, w.config.SideKey())
	conn.Exchange(ctx, pipe)
	cursor, err = cursorReply.Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			err = w.badCursor("")
		}
		return "", false, nil, err
	}
	present = err == nil
	raw, err := sideReply.Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return cursor, present, nil, nil
	case err != nil && redis.HasErrorPrefix(err, "WRONGTYPE"):
		return "", false, nil, w.foreign("the side key is not a string")
	case err != nil:
		return "", false, nil, err
	}
	side, broken := script.ParseSide(raw)
	if broken {
		return "", false, nil, w.foreign("the side key is not a JSON object")
	}
	return cursor, present, &side, nil
}

// checkOwner checks whose cursor it is, as the scripts do.
func (w *Writer) checkOwner(stored *script.Side, cursor bool) error {
	id := w.config.Identity
	switch {
	case stored == nil && (!cursor || w.config.adopts()):
		return nil
	case stored == nil:
		return w.foreign("absent")
	case stored.Relay != id.Relay:
		return w.foreign("relay " + stored.Relay)
	case stored.Filter != id.Filter:
		return w.foreign("filter " + stored.Filter)
	case max(1, stored.Partitions) != id.partitions():
		return w.foreign("partitions " + strconv.Itoa(stored.Partitions))
	}
	return nil
}

// withoutCursor begins where there is no cursor. One that a side key tells of has
// vanished, and is restored; what was asked for of this start goes before that.
func (w *Writer) withoutCursor(ctx context.Context, stored *script.Side) (event.Resume, error) {
	if stored == nil || w.asks(stored) {
		w.tellLeftOut(ctx)
		return w.coldStart(stored), w.besideSet(ctx)
	}
	f, err := w.find(ctx)
	if err == nil {
		err = w.strange(f)
	}
	if err == nil {
		err = w.once(w.restoreUntil(ctx, "", "", stored.Own))
	}
	if err != nil {
		return event.Resume{}, err
	}
	return w.coldStart(stored), nil
}

// tellLeftOut tells of entries beside which there is no cursor. An operator removes it
// to begin live; who deleted it by mistake must hear.
func (w *Writer) tellLeftOut(ctx context.Context) {
	if w.config.From.Requested {
		return
	}
	if newest, err := w.groups.SeqAt(ctx, "XREVRANGE", "+", "-"); err == nil && newest > 0 {
		w.config.Logger.Warn("There is no cursor although the stream holds entries; starting live leaves out what comes between them and now, unless the cursor is set to the newest before a start",
			"newest", newest.String(), "stream", w.config.StreamKey)
	}
}

// asks reports whether this start was asked to begin elsewhere and has not done so
// yet.
func (w *Writer) asks(stored *script.Side) bool {
	from := w.config.From
	return from.Requested && !w.lease.AnotherHasLed() && from.String() != appliedBy(stored)
}

// appliedBy is the request that a side key remembers as carried out.
func appliedBy(stored *script.Side) string {
	if stored == nil {
		return From{}.String()
	}
	return cmp.Or(stored.From, From{}.String())
}

// coldStart begins without a stored cursor.
func (w *Writer) coldStart(stored *script.Side) event.Resume {
	w.acked, w.at = 0, continuation{epoch: w.epoch}
	if stored != nil {
		w.config.Logger.Warn("The cursor is gone although a side key tells that there was one; starting without it",
			"cursor", w.config.CursorKey, "side", w.config.SideKey(), "from", w.config.From.String())
	}
	from := w.config.From
	if !from.Requested {
		return event.Resume{Why: "no saved cursor in " + w.config.CursorKey + ": starting live"}
	}
	return event.Resume{Position: from.At, Why: "no saved cursor in " + w.config.CursorKey + ": starting from " + from.String() + ", as requested"}
}

// resumeFrom begins with a stored cursor.
func (w *Writer) resumeFrom(ctx context.Context, cursor event.Seq, stored *script.Side) (event.Resume, error) {
	from, time := w.config.From, ""
	if stored != nil {
		time = stored.EventTime
	}
	w.acked, w.at = cursor, continuation{expected: cursor.String(), epoch: w.epoch}
	at := event.Resume{Position: event.Behind(cursor), Time: time}
	switch {
	case !from.Requested || w.lease.AnotherHasLed():
		at.Why = "saved cursor in " + w.config.CursorKey
	case from.String() == appliedBy(stored):
		at.Why = "saved cursor in " + w.config.CursorKey + "; from " + from.String() + " was applied before"
	case from.At.Start == event.Live:
		w.at.jump = true
		at = event.Resume{Why: fmt.Sprintf("live, as requested; leaving the saved cursor %s with the first event stored", cursor)}
	default:
		// Position.Seq is 0 for oldest, and a cursor of 0 asks for the
		// whole window.
		if err := w.rebase(ctx, from.At.Seq); err != nil {
			return event.Resume{}, err
		}
		at = event.Resume{Position: from.At, Why: fmt.Sprintf("from %s, as requested; the saved cursor was %s", from, cursor)}
	}
	return at, nil
}

// Rebase moves the cursor to seq because an operator allowed a new numbering to
// be followed, and raises the epoch so that other writers notice. It compares
// and sets: a cursor that is no longer where this Writer left it is a
// fault.Conflict.
func (w *Writer) Rebase(ctx context.Context, to event.Seq) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rebase(ctx, to)
}

func (w *Writer) rebase(ctx context.Context, to event.Seq) error {
	m, err := w.moveFrom(ctx, w.acked, to, false)
	if err != nil {
		return err
	}
	switch m.Status {
	case script.OK:
		w.acked, w.epoch, w.floor = m.Cursor, m.Epoch, w.floor.UpTo(m.Cursor)
		w.others.Stop()
		w.stored, w.hasSide = 0, true
		w.at = continuation{expected: m.Cursor.String(), epoch: m.Epoch}
		return nil
	case script.BadCursor:
		return w.badCursor(m.Detail)
	case script.Mismatch:
		return w.foreign(m.Detail)
	}
	return fault.New(fault.Conflict, fmt.Errorf("move cursor from %s to %s: it is %s now", w.acked, to, cmp.Or(m.Cursor.String(), "gone")),
		"another writer moved it; stop that one first, then start again")
}

// moveFrom compares the cursor with from and sets it; keep leaves the epoch. The side key tells that a writer left the cursor at to.
func (w *Writer) moveFrom(ctx context.Context, from, to event.Seq, keep bool) (m script.State, err error) {
	c := &w.config
	err = c.retry(ctx, "move cursor", func(ctx context.Context) (err error) {
		m, err = script.Rebase{From: from, To: to, Owner: c.owner(), Epoch: w.epoch, Keep: keep,
			Side: string(c.head(nil, nil, 0, int64(to), w.floor.UpTo(to)))}.Run(ctx, w.client, w.keys)
		return err
	})
	return m, err
}

func (w *Writer) badCursor(found string) error {
	what := "is not a string"
	if found != "" {
		what = fmt.Sprintf("holds %.32q, which is not a seq", found)
	}
	key := w.config.CursorKey
	return fault.New(fault.Cursor, fmt.Errorf("cursor %s %s; nothing was changed", key, what),
		"look at it with GET "+key+"; write the last stored seq: "+fault.CursorTo("SEQ")+", or start live: "+fault.CursorTo("live"))
}

// foreign says that the cursor belongs to somebody else, and how to claim it.
func (w *Writer) foreign(found string) error {
	c, id := &w.config, w.config.Identity
	if found == "absent" {
		return fault.New(fault.Cursor, fmt.Errorf("cursor %s has no side key: the Python bridge left it, so it is %s's, and this run reads %s; nothing was changed", c.CursorKey, script.BridgeRelay, id.Relay),
			"set RELAY_URL to wss://"+script.BridgeRelay+", or start live here: "+fault.CursorTo("live")+"; only if that seq really is "+id.Relay+"'s: "+
				fault.Remedy{Do: fault.MoveCursor, Value: "SEQ"}.With("relay", id.Relay))
	}
	if have, other := strings.CutPrefix(found, "partitions "); other {
		return fault.New(fault.Cursor, fmt.Errorf("cursor %s is not this run's (partitions %s); this run has relay %s, filter %s, partitions %d; nothing was changed",
			c.CursorKey, have, id.Relay, cmp.Or(id.Filter, "none"), id.partitions()),
			"run with "+fault.To("partitions", have)+"; the number changes only with all writers stopped and all cursors equal: "+takeOver(id.partitions(), have)+" (docs/scaling.md)")
	}
	return fault.New(fault.Cursor, fmt.Errorf("cursor %s is not this run's (%s); this run has relay %s, filter %s, partitions %d; nothing was changed",
		c.CursorKey, found, id.Relay, cmp.Or(id.Filter, "none"), id.partitions()),
		fmt.Sprintf("go back to the former settings, or choose other stream and cursor keys, or start live here: %s; to continue from the same seq with other filters, stop all writers and: SET %s '{\"relay\":%q,\"filter\":%q,\"partitions\":%d}'",
			fault.CursorTo("live"), c.SideKey(), id.Relay, cmp.Or(id.Filter, "none"), id.partitions()))
}
