package redisstream

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/text"
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
	w.tellMove(ctx, own, found, true)
	return nil
}

// entriesGone reports whether a cursor went back together with entries: the one that
// was stored last is not there any more.
func (w *Writer) entriesGone(ctx context.Context, own, found event.Seq, stored *script.Side) (bool, error) {
	if found > own || stored.Stored == 0 {
		return false, nil
	}
	there, err := w.lastIsThere(ctx, stored)
	return !there, err
}

// lastIsThere reports whether the entry that was stored last is in the stream, among
// the last mostLooked.
func (w *Writer) lastIsThere(ctx context.Context, stored *script.Side) (bool, error) {
	start := "+"
	for looked := 0; looked < mostLooked; looked += lookPage {
		p, err := w.scan(ctx, "XREVRANGE", start, "-", event.MaxSeq, strconv.FormatInt(stored.Stored, 10))
		if err != nil || p.Wanted || p.Looked < lookPage {
			return p.Wanted, err
		}
		start = "(" + p.Last
	}
	return false, nil
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
	low.learn(stored)
	head := c.head(nil, []byte(stored.EventTime), stored.Stored, int64(to), low)
	head = w.others.note(head, to)
	if from := w.others.from(); from != "" {
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
				w.others.watch()
			}
			return own, nil
		}
		w.others.watch()
		if err := w.findOthers(ctx, own, stored); err != nil {
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
			w.tellMove(ctx, own, found, true)
		default:
			w.tellMove(ctx, own, found, false)
		}
		w.others.done(to)
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
	if w.acked > 0 || len(w.others.left) == 0 && !w.others.more || stored.Stored == 0 {
		return w.acked == 0 && (len(w.others.left) > 0 || w.others.more), nil
	}
	there, err := w.lastIsThere(ctx, stored)
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

// tellMove tells of a change of the cursor. Obeyed is false for one that is followed
// because the other writer stored what lies between.
func (w *Writer) tellMove(ctx context.Context, own, found event.Seq, undone bool) {
	m := event.CursorMove{Own: own, Found: found}
	now := time.Now()
	due := w.others.teller.due(now, m)
	if due {
		m.By = w.culprit(ctx)
	}
	w.config.CursorMoved(m)
	if !due {
		return
	}
	first, last := m.Between()
	who := cmp.Or(m.By, "unknown; neither a writer of ours nor an operator's move, which the side key would tell")
	if !undone {
		w.config.Logger.Warn("Another writer moved the cursor while none of ours ran; going on from where it left it",
			"from", own.String(), "to", found.String(), "by", who)
		return
	}
	what := fmt.Sprintf("another program moved the cursor back from %s to %s (%s): it was put back, and %s, which is stored, is not stored again", own, found, who, rangeOf(first, last))
	if m.Ahead() {
		what = fmt.Sprintf("another program moved the cursor ahead from %s to %s (%s): it was put back, and %s is stored now, but for events of which that writer's own entries are in the stream", own, found, who, rangeOf(first, last))
	}
	w.config.Alarm(event.AlarmConflict, first, what+w.others.teller.also())
}

// culprit is what can be found out about who wrote the cursor, in a few words: who
// writes the dashboard's status, and which connections ran a SET last. Neither is a
// proof, and a Redis user made for fhctl may not see connections.
func (w *Writer) culprit(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var known []string
	if text, err := w.control.Get(ctx, dashboard.StatusKey).Result(); err == nil {
		if who := dashboard.ForeignWriter(text); who != "" {
			known = append(known, who)
		}
	}
	if list, err := w.control.ClientList(ctx).Result(); err == nil {
		known = append(known, setters(list)...)
	}
	return strings.Join(known, "; ")
}

// setters are the connections in a CLIENT LIST whose last command wrote a string, but
// for ours; three at most.
func setters(list string) (found []string) {
	for line := range strings.Lines(list) {
		fields := map[string]string{}
		for _, word := range strings.Fields(line) {
			name, value, _ := strings.Cut(word, "=")
			fields[name] = value
		}
		cmd, _, _ := strings.Cut(fields["cmd"], "|")
		if cmd != "set" && cmd != "mset" && cmd != "setex" && cmd != "getset" || strings.HasPrefix(fields["name"], "fhctl") {
			continue
		}
		who := "connection " + shorten(fields["addr"], 60)
		for _, name := range []string{"name", "lib-name", "user"} {
			if fields[name] != "" && fields[name] != "default" {
				who += " " + name + " " + shorten(fields[name], 40)
			}
		}
		if found = append(found, who+" ran "+strings.ToUpper(cmd)+" last"); len(found) == 3 {
			break
		}
	}
	return found
}

// shorten bounds text that somebody else wrote.
func shorten(foreign string, most int) string {
	return text.Shorten(strings.ToValidUTF8(foreign, "?"), most)
}

// teller bounds how often the same is told: a stranger that saves its cursor again
// and again would fill the log. Counters have all of it.
type teller struct {
	left   int // alarms that may be raised at once
	since  time.Time
	quiet  int                              // moves that no alarm told of
	ranges [2]struct{ low, high event.Seq } // of those, back and ahead
	lostAt time.Time
	unTold struct {
		n           int
		first, last event.Seq
	}
}

const (
	tellAtOnce = 5
	tellEach   = 10 * time.Second
)

// due reports whether a move is to be told of now, and keeps it otherwise.
func (t *teller) due(now time.Time, m event.CursorMove) bool {
	if t.since.IsZero() {
		t.left, t.since = tellAtOnce, now
	}
	if gained := int(now.Sub(t.since) / tellEach); gained > 0 {
		t.left, t.since = min(tellAtOnce, t.left+gained), t.since.Add(time.Duration(gained)*tellEach)
	}
	if t.left > 0 {
		t.left--
		return true
	}
	t.quiet++
	first, last := m.Between()
	r := &t.ranges[0]
	if m.Ahead() {
		r = &t.ranges[1]
	}
	if r.low == 0 || first < r.low {
		r.low = first
	}
	r.high = max(r.high, last)
	return false
}

// also tells of the moves that were kept.
func (t *teller) also() string {
	if t.quiet == 0 {
		return ""
	}
	text := fmt.Sprintf("; before that %d more such moves", t.quiet)
	for i, way := range []string{"back", "ahead"} {
		if r := t.ranges[i]; r.low > 0 {
			text += fmt.Sprintf(", %s over %s", way, rangeOf(r.low, r.high))
		}
	}
	t.quiet, t.ranges = 0, [2]struct{ low, high event.Seq }{}
	return text
}

// lost raises an alarm for events that another writer lost, soon after the first and
// then now and then.
func (t *teller) lost(alarm func(event.Alarm, event.Seq, string), n int, first, last event.Seq) {
	u := &t.unTold
	if u.n == 0 {
		u.first = first
	}
	u.n, u.last = u.n+n, last
	now := time.Now()
	if !t.lostAt.IsZero() && now.Sub(t.lostAt) < tellEach {
		return
	}
	t.lostAt = now
	alarm(event.AlarmForeign, u.first, fmt.Sprintf(
		"another writer left out %d events, %s, and stored later events of the same repositories: they are lost, since behind those they would be out of order", u.n, rangeOf(u.first, u.last)))
	u.n = 0
}
