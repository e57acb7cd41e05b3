package admin

import (
	"cmp"
	"context"
	_ "embed" // the script is a file of its own
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/wait"
)

// Move is what an operator wants of the cursor.
type Move struct {
	// Seen is what the operator decided upon. If that has changed, nothing
	// is done.
	Seen reader.CursorState
	// Remove takes cursor and side key away, so that the next writer starts
	// live, for whatever relay and filters it has. A writer that is running
	// would put them back (see Writer). Otherwise the cursor becomes To; 0
	// makes the relay send all it still holds.
	Remove bool
	To     event.Seq
	// Owner is whose cursor it becomes: Relay, Filter, Partitions and From
	// go into the side key.
	Owner script.Side
	How   string // what was asked for, for the history
	By    string // who asked
	// Adopt says that another program than fhctl left the cursor this one is taken
	// from. Its entries may lie above it, and are not to be stored a second time.
	Adopt bool
	// Unowned leaves no side key beside the cursor, as where the Python bridge left
	// it: whose it is is then assumed again. A writer that runs would not notice.
	Unowned bool
	// Undoes is the change that this one takes back, if any.
	Undoes reader.ID

	above int64 // the epoch rises above this one
}

// CheckSlot refuses, as fault.Usage, keys that no script can touch together: in Redis
// Cluster they may be on different nodes.
func CheckSlot(r *reader.Reader) error {
	if !r.Client().IsCluster() || r.IsSet() {
		return nil
	}
	return keyspace.CheckSlot(r.StreamKey(), r.CursorKey())
}

var lookAtIt = "look with: " + fault.Remedy{Do: fault.LookAtCursor}.String()

// MoveCursor changes the cursor in one step with its side key and its history,
// and raises the epoch, which running writers notice: they read again from the
// new cursor. It uses the Reader's connection; it is the one thing that may
// change something through it.
//
// Errors: fault.Conflict when the cursor is no longer what was seen;
// fault.Usage when the keys may be on different nodes of a cluster; the
// Reader's. After fault.Unreachable nobody knows whether it was done; the
// error says so, unless Redis answered that it cannot now.
func MoveCursor(ctx context.Context, r *reader.Reader, m Move) error {
	if err := CheckSlot(r); err != nil {
		return err
	}
	once, cancel := r.Connection().Within(ctx)
	defer cancel()
	status, holds, err := script.Move{
		Present: m.Seen.Present, Raw: m.Seen.Raw, Epoch: m.Seen.Side.Epoch, Remove: m.Remove, To: m.To, Side: headOf(m.Owner, m.To, m.Adopt),
		Keep: historyKept, Relay: m.Owner.Relay, How: m.How, By: m.By, Undoes: string(m.Undoes), Above: m.above, Unowned: m.Unowned,
	}.Run(once, r.Client(), script.KeysOf(r.StreamKey(), r.CursorKey(), false), HistoryKey(r))
	if errors.Is(err, conn.ErrReply) {
		return fmt.Errorf("move cursor: %w", err)
	}
	if err != nil {
		var refused redis.Error
		answered := errors.As(err, &refused)
		err = r.Connection().Classed(ctx, "move cursor", err)
		if fault.ClassOf(err) == fault.Unreachable && !answered {
			err = fault.New(fault.Unreachable, fmt.Errorf("%w; it may have been moved or not", err), lookAtIt)
		}
		return err
	}
	if status != script.OK {
		return fault.New(fault.Conflict,
			fmt.Errorf("move cursor: it is %s now, where it was %s a moment ago; nothing was changed", orNone(holds), orNone(m.Seen.Raw)),
			"a writer is at work, or somebody else moved it: "+lookAtIt+", then repeat")
	}
	if m.Remove {
		return awaitRemoval(ctx, r)
	}
	return nil
}

// forcedTries is how often a forced move is tried against a running writer,
// whose every batch moves the cursor as well.
const forcedTries = 50

// MoveCursors is MoveCursor for all partitions of a set, one after the other: seen
// has their cursors in order, in place of Move.Seen, and undoes the changes that
// are taken back, or nil. Force disregards what a running writer does meanwhile.
//
// Afterwards all have the same epoch. When one cannot be moved, those before it
// have been, and the error says so: writers refuse to start until the move is
// repeated.
func MoveCursors(ctx context.Context, r *reader.Reader, m Move, seen []reader.CursorState, undoes []reader.ID, force bool) error {
	parts := r.Partitions()
	for i, part := range parts {
		changes, err := History(ctx, part)
		if err != nil {
			return err
		}
		m.above = max(m.above, seen[i].Side.Epoch)
		if len(changes) > 0 {
			m.above = max(m.above, changes[0].Epoch)
		}
	}
	for i, part := range parts {
		m.Seen = seen[i]
		if undoes != nil {
			m.Undoes = undoes[i]
		}
		err := move(ctx, part, m, force)
		switch {
		case err == nil:
			continue
		case i == 0:
			return err
		}
		return fault.New(fault.ClassOf(err), fmt.Errorf("only %d of %d cursors were moved; partition %d: %w", i, len(parts), i, err),
			"stop all writers and repeat the command; until then ingest refuses to start")
	}
	return nil
}

// move moves one cursor, again and again where a writer at work may have moved it
// meanwhile.
func move(ctx context.Context, r *reader.Reader, m Move, force bool) error {
	for try := 1; ; try++ {
		err := MoveCursor(ctx, r, m)
		if fault.ClassOf(err) != fault.Conflict || !force || try == forcedTries {
			return err
		}
		now, err := r.Cursor(ctx)
		if err != nil {
			return err
		}
		if now.Side.Epoch != m.Seen.Side.Epoch || now.Relay() != m.Seen.Relay() {
			return fault.New(fault.Conflict, errors.New("somebody else moved the cursor a moment ago; nothing was changed"), "look with: "+fault.Remedy{Do: fault.ListMoves}.String())
		}
		m.Seen = now
	}
}

// awaitRemoval waits for a key that had to be made to expire, for as long as a command may
// take.
func awaitRemoval(ctx context.Context, r *reader.Reader) error {
	patience, cancel := r.Connection().Within(ctx)
	defer cancel()
	for {
		err := present(ctx, r)
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err != nil {
			return r.Connection().Classed(ctx, "read cursor", err)
		}
		if wait.For(patience, 5*time.Millisecond) != nil && fault.Ended(ctx) == nil {
			return fault.New(fault.Unreachable, fmt.Errorf("remove cursor %s: it is to expire at once, and is still there", r.CursorKey()),
				"is the clock of that Redis standing still, or is something else writing the key? Look, then repeat")
		}
	}
}

// present is redis.Nil when there is no cursor. Its time is its own, so that what ends
// a wait is not taken for a Redis that does not answer.
func present(ctx context.Context, r *reader.Reader) error {
	once, cancel := r.Connection().Within(ctx)
	defer cancel()
	return r.Client().Get(once, r.CursorKey()).Err()
}

func orNone(cursor string) string {
	if cursor == "" {
		return "none"
	}
	return fmt.Sprintf("%.32q", cursor)
}

// headOf is the side key of a cursor that an operator puts at to. The time of the last
// event is not known of a place somebody chose.
func headOf(s script.Side, to event.Seq, adopt bool) string {
	h := script.Head{Relay: s.Relay, Filter: s.Filter, Partitions: max(1, s.Partitions), From: cmp.Or(s.From, "saved"), Set: to.String()}
	text := h.Append(nil)
	if adopt { // the writer that starts finds out how high they go
		text = fmt.Appendf(text, `,"othersFrom":"0-0","othersTo":%d`, to+1)
	}
	return string(text)
}
