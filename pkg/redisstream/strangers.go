package redisstream

import (
	"context"
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Whose change is it? A writer of ours moves the cursor in a script that notes in the
// side key where it left it (upto), and an operator's tool notes where it put it (set)
// and raises the epoch. A cursor that holds anything else was written by a stranger: a
// bridge that saves a position of its own, or somebody with redis-cli. Redis cannot
// have done it: what it loses, it loses of both keys together.
//
// Such a change is not followed. Ahead of what is stored it would lose events, and
// back it would repeat them; only an operator's move may. The cursor is put back, and
// the change is told of at once.

// watch looks for what others did since the last exchange, if there are any, and
// judges the batches that are about to be sent.
func (w *Writer) watch(ctx context.Context, batches []*event.Batch) error {
	o := &w.others
	if !o.Watching() || w.at.expected == "" || w.at.jump {
		o.Unjudged()
		return nil
	}
	var found event.Seq
	var present bool
	var stored *script.Side
	err := w.config.retry(ctx, "read cursor", func(ctx context.Context) error {
		text, has, side, err := w.readState(ctx)
		if err != nil {
			return err
		}
		stored = side
		found, present = event.ParseSeq(text)
		present = present && has
		return nil
	})
	if err != nil || !present {
		return err // what is wrong with the cursor is for the append to find
	}
	if stored == nil && w.hasSide && found == w.acked {
		return w.restore(ctx, w.acked.String(), found.String()) // ours vanished: the cursor is no bridge's
	}
	if stored != nil {
		o.OwnUpTo(event.Seq(stored.Again))
	}
	own := ownOr(stored, min(found, w.acked))
	if err := o.Find(ctx, own, stored); err != nil {
		return err
	}
	if found != own {
		if err := w.disputed(ctx, own, found, stored); err != nil {
			return err
		}
	}
	o.Done(own)
	o.Judge(batches, w.config.Identity.Relay == script.BridgeRelay)
	o.Rest(own)
	return nil
}

// ownOr is where one of our kind left the cursor, or otherwise where that is not known.
func ownOr(stored *script.Side, otherwise event.Seq) event.Seq {
	if stored != nil && stored.OwnKnown {
		return stored.Own
	}
	return otherwise
}

// disputed deals with a cursor that is not where one of ours left it, while this
// Writer stores. The append that follows puts it back.
func (w *Writer) disputed(ctx context.Context, own, found event.Seq, stored *script.Side) error {
	if stored == nil { // the bridge's, not taken over yet
		return nil
	}
	if gone, err := w.entriesGone(ctx, own, found, stored); err != nil {
		return err
	} else if gone {
		return w.yield(ctx, own, found, stored)
	}
	w.teller.Move(ctx, own, found, true)
	return nil
}

// entriesGone reports whether a cursor went back together with entries: the one that
// was stored last is not there any more.
func (w *Writer) entriesGone(ctx context.Context, own, found event.Seq, stored *script.Side) (bool, error) {
	if found > own || stored.Stored == 0 {
		return false, nil
	}
	there, err := w.others.Holds(ctx, event.Seq(stored.Stored))
	return !there, err
}

// yield takes the cursor as it was found for the truth.
func (w *Writer) yield(ctx context.Context, own, found event.Seq, stored *script.Side) error {
	m, err := w.claim(ctx, own, found, stored)
	if err != nil {
		return err
	}
	return w.movedTo(m.Cursor, m.Epoch, event.AlarmRollback, fmt.Sprintf(
		"Redis lost acknowledged writes, or somebody deleted entries and set the cursor back: the cursor is %s, %s was stored, and the entry of seq %d is gone", found, own, stored.Stored))
}

// claim writes the cursor and notes beside it that one of ours left it there, if the
// side key still says what was read.
func (w *Writer) claim(ctx context.Context, own, to event.Seq, stored *script.Side) (m script.State, err error) {
	c := &w.config
	low := w.floor
	low.Learn(stored)
	head := c.head(nil, []byte(stored.EventTime), stored.Stored, int64(to), low)
	head = w.others.Note(head, to)
	if from := w.others.From(); from != "" {
		head = fmt.Appendf(head, `,"othersFrom":"%s"`, from)
	}
	err = c.retry(ctx, "put the cursor back", func(ctx context.Context) (err error) {
		m, err = script.Rebase{From: own, To: to, Owner: c.owner(), Epoch: stored.Epoch, Side: string(head), Keep: true}.Run(ctx, w.client, w.keys)
		return err
	})
	return m, err
}

// settle decides where to go on from when Resume finds a cursor that no writer of
// ours left there, and puts it there. It is where ours was left, from where what is
// missing can be stored; or, when another writer has stored so much since that our
// last entry is out of sight, where that one left it.
func (w *Writer) settle(ctx context.Context, found event.Seq, stored *script.Side) (event.Seq, error) {
	for try := 0; ; try++ {
		if stored == nil || !stored.OwnKnown {
			return found, nil
		}
		own := stored.Own
		if own == found {
			if stored.OthersTo > int64(own) {
				w.others.Start()
			}
			return own, nil
		}
		w.others.Start()
		if err := w.others.Find(ctx, own, stored); err != nil {
			return 0, err
		}
		to := own
		away, err := w.leftBehind(ctx, own, found, stored)
		switch {
		case err != nil:
			return 0, err
		case away, w.acked == 0 && w.config.Identity.Relay != script.BridgeRelay && w.asks(stored):
			to = found // in the latter case only to be left
		case w.acked == 0 && w.config.Identity.Relay != script.BridgeRelay:
			return found, nil // it may be a number of another relay: not ours to decide
		}
		m, err := w.claim(ctx, own, to, stored)
		switch {
		case err != nil:
			return 0, err
		case m.Status != script.OK && try < stateTries: // somebody was quicker
			text, present, again, err := w.stateOnce(ctx)
			if err != nil || !present {
				return own, err
			}
			if seq, ok := event.ParseSeq(text); ok {
				found, stored = seq, again
				continue
			}
			return 0, w.badCursor(text)
		case to == own:
			w.teller.Move(ctx, own, found, true)
		default:
			w.teller.Move(ctx, own, found, false)
		}
		w.others.Done(to)
		stored.Own, stored.Upto, stored.Set = to, int64(to), ""
		return to, nil
	}
}

// leftBehind reports whether a cursor that is not where ours was left is right all the
// same: entries vanished with it, or another writer ran alone for so long that our last
// entry is out of sight.
func (w *Writer) leftBehind(ctx context.Context, own, found event.Seq, stored *script.Side) (bool, error) {
	if found < own {
		return w.entriesGone(ctx, own, found, stored)
	}
	if w.acked > 0 || !w.others.Some() || stored.Stored == 0 {
		return w.acked == 0 && w.others.Some(), nil
	}
	there, err := w.others.Holds(ctx, event.Seq(stored.Stored))
	return !there, err
}

// stateOnce is readState with patience.
func (w *Writer) stateOnce(ctx context.Context) (cursor string, present bool, stored *script.Side, err error) {
	err = w.config.retry(ctx, "read cursor", func(ctx context.Context) (err error) {
		cursor, present, stored, err = w.readState(ctx)
		return err
	})
	return cursor, present, stored, err
}

// reclaim puts a cursor back that a stranger changed, while nothing is stored: the
// next event may be long in coming.
func (w *Writer) reclaim(ctx context.Context) error {
	text, present, stored, err := w.stateOnce(ctx)
	seq, ok := event.ParseSeq(text)
	if err != nil || !present || !ok {
		return err
	}
	own, err := w.settle(ctx, seq, stored)
	if err == nil && own != w.acked {
		return w.movedTo(own, w.epoch, event.AlarmConflict, fmt.Sprintf("the cursor is %s, %s was acknowledged", own, w.acked))
	}
	return err
}
