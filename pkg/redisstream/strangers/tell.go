package strangers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/conn"
	"github.com/fhctl/fhctl/pkg/redisstream/dashboard"
	"github.com/fhctl/fhctl/pkg/text"
)

// Teller tells of what other writers did, within bounds: a stranger that saves its cursor
// again and again would fill the log. Counters have all of it. A Teller has no lock.
type Teller struct {
	Alarm       func(a event.Alarm, seq event.Seq, detail string)
	CursorMoved func(event.CursorMove) // hears of each change
	Log         *slog.Logger
	Control     *conn.Client // who may be asked about connections, once per alarm

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
	// TellAtOnce is how many moves are told of one by one.
	TellAtOnce = 5
	tellEach   = 10 * time.Second
)

// Move tells of a change of the cursor. Undone is false for one that is followed
// because the other writer stored what lies between.
func (t *Teller) Move(ctx context.Context, own, found event.Seq, undone bool) {
	m := event.CursorMove{Own: own, Found: found}
	now := time.Now()
	due := t.due(now, m)
	if due {
		m.By = t.culprit(ctx)
	}
	t.CursorMoved(m)
	if !due {
		return
	}
	first, last := m.Between()
	who := cmp.Or(m.By, "unknown; neither a writer of ours nor an operator's move, which the side key would tell")
	if !undone {
		t.Log.Warn("Another writer moved the cursor while none of ours ran; going on from where it left it",
			"from", own.String(), "to", found.String(), "by", who)
		return
	}
	what := fmt.Sprintf("another program moved the cursor back from %s to %s (%s): it was put back, and %s, which is stored, is not stored again", own, found, who, RangeOf(first, last))
	if m.Ahead() {
		what = fmt.Sprintf("another program moved the cursor ahead from %s to %s (%s): it was put back, and %s is stored now, but for events of which that writer's own entries are in the stream", own, found, who, RangeOf(first, last))
	}
	t.Alarm(event.AlarmConflict, first, what+t.also())
}

// culprit is what can be found out about who wrote the cursor, in a few words: who
// writes the dashboard's status, and which connections ran a SET last. Neither is a
// proof, and a Redis user made for fhctl may not see connections.
func (t *Teller) culprit(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var known []string
	if text, err := t.Control.Get(ctx, dashboard.StatusKey).Result(); err == nil {
		if who := dashboard.ForeignWriter(text); who != "" {
			known = append(known, who)
		}
	}
	if list, err := t.Control.ClientList(ctx).Result(); err == nil {
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

// due reports whether a move is to be told of now, and keeps it otherwise.
func (t *Teller) due(now time.Time, m event.CursorMove) bool {
	if t.since.IsZero() {
		t.left, t.since = TellAtOnce, now
	}
	if gained := int(now.Sub(t.since) / tellEach); gained > 0 {
		t.left, t.since = min(TellAtOnce, t.left+gained), t.since.Add(time.Duration(gained)*tellEach)
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
func (t *Teller) also() string {
	if t.quiet == 0 {
		return ""
	}
	text := fmt.Sprintf("; before that %d more such moves", t.quiet)
	for i, way := range []string{"back", "ahead"} {
		if r := t.ranges[i]; r.low > 0 {
			text += fmt.Sprintf(", %s over %s", way, RangeOf(r.low, r.high))
		}
	}
	t.quiet, t.ranges = 0, [2]struct{ low, high event.Seq }{}
	return text
}

// Lost raises an alarm for n events that another writer left out and that cannot be stored
// any more, since it stored later ones of the same repositories (G7): soon after the first
// and then now and then.
func (t *Teller) Lost(n int, first, last event.Seq) {
	if n == 0 {
		return
	}
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
	t.Alarm(event.AlarmForeign, u.first, fmt.Sprintf(
		"another writer left out %d events, %s, and stored later events of the same repositories: they are lost, since behind those they would be out of order", u.n, RangeOf(u.first, u.last)))
	u.n = 0
}

// RangeOf is a stretch of seqs for people.
func RangeOf(first, last event.Seq) string {
	if first == last {
		return "seq " + first.String()
	}
	return fmt.Sprintf("seq %s to %s", first, last)
}
