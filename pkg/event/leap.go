package event

import (
	"slices"
	"time"
)

// The bounds of doubt. An honest relay rarely skips more than a few numbers; one
// that does is believed after two more connections, so what is doubted in error
// costs some seconds and no event.
const (
	// leapLeast is the widest gap that is no leap, whatever rate and time allow. What
	// comes behind one that is unusual is Unsure.
	leapLeast = 1000
	// paceSlack is how much faster than usual the numbers may have risen in the
	// time since the last event, and gapSlack how much wider than usual a gap may be.
	paceSlack = 4
	gapSlack  = 16
	// sureSlack is how much wider than usual a gap is that needs no confirmation.
	sureSlack = 2
	// paceEach is how long a rate is measured.
	paceEach = 10 * time.Second
	// leapEvents is how many events in a row behind a leap are enough to ask
	// another connection about it.
	leapEvents = 100
	// absurdSeq is above what any numbering has reached: counters are near
	// 2^35, microseconds since 1970 below 2^51. Nobody gets there unseen, so
	// such a seq is doubted where there is nothing to compare it with, and
	// silence behind it proves nothing.
	absurdSeq Seq = 1 << 52
	// absurdEvents is how many events must have shown an absurd numbering, or one that
	// begins above an event of the relay's own.
	absurdEvents = 3
)

// LeapWait is how long a connection may show nothing but a leap before the next
// one is asked about it.
const LeapWait = 1500 * time.Millisecond

// LeapWaitWithin is LeapWait, or less where a relay that sends nothing new is left
// after idle already, before it could be asked; an idle of 0 is never.
func LeapWaitWithin(idle time.Duration) time.Duration {
	if idle <= 0 {
		return LeapWait
	}
	return min(LeapWait, idle/2)
}

// FarAhead reports whether an event may prove to be a Leap, for callers that must
// keep its bytes before a Tracker has seen it. Last is a seq that was Fresh not
// long ago, 0 when there is none.
func FarAhead(last, seq Seq) bool {
	return seq > absurdSeq || last > 0 && seq > last+leapLeast
}

// pace is how fast a relay's numbers rise.
type pace struct {
	at     time.Time // of the last event
	since  time.Time // when the present measurement began
	base   Seq       // the last seq then
	rate   float64   // numbers per second; 0 while unknown
	widest [2]float64
	late   [32]float64 // the last rises, which are not in widest yet: see note
	gaps   [8]int64    // the last ones, in a ring
	n      int
}

// near reports whether seq can follow last.
func (p *pace) near(last, seq Seq, now time.Time) bool {
	if last == 0 {
		return seq <= absurdSeq
	}
	rise := float64(seq - last)
	if rise <= leapLeast {
		return true
	}
	// The second widest: a leap that was true once says nothing of the next.
	allowed := gapSlack * p.widest[1]
	if passed := now.Sub(p.at); !p.at.IsZero() && passed > 0 {
		allowed = max(allowed, paceSlack*p.rate*passed.Seconds())
	}
	return rise <= allowed
}

// usualGap reports whether gaps such as that between last and seq are common.
func (p *pace) usualGap(last, seq Seq) bool {
	rise := float64(seq - last)
	return rise <= 1 || rise <= sureSlack*p.widest[1]
}

// unlearn takes back what the last gap taught, of a rise: it has not come to widest.
func (p *pace) unlearn(rise float64) {
	for i := range p.late {
		if p.late[i] == rise {
			p.late[i] = 0
		}
	}
}

// forget takes back what gaps of a rise and above taught.
func (p *pace) forget(rise float64) {
	for i := range p.late {
		if p.late[i] >= rise {
			p.late[i] = 0
		}
	}
	for i := range p.widest {
		if p.widest[i] >= rise/sureSlack {
			p.widest[i] = 0
		}
	}
	if p.widest[0] < p.widest[1] {
		p.widest[0], p.widest[1] = p.widest[1], p.widest[0]
	}
}

// note learns from an event that followed last.
func (p *pace) note(last, seq Seq, now time.Time) {
	p.at = now
	if last == 0 {
		return
	}
	// A gap counts only once others have followed: else gaps that double from one
	// event to the next would excuse each other up to any number.
	late := &p.late[p.n%len(p.late)]
	p.learn(*late)
	*late = float64(seq - last)
	p.gaps[p.n%len(p.gaps)] = int64(seq - last - 1)
	p.n++
	switch passed := now.Sub(p.since); {
	case p.since.IsZero() || passed < 0:
		p.since, p.base = now, seq
	case passed >= paceEach:
		p.rate = max(p.rate/2, float64(seq-p.base)/passed.Seconds())
		p.since, p.base = now, seq
	}
}

// afresh is the pace of other numbers, which begin with seq: gaps and rate are
// what they were until they are measured anew.
func (p *pace) afresh(now time.Time, seq Seq) pace {
	q := *p
	q.at, q.since, q.base = now, now, seq
	return q
}

// learn remembers the two widest gaps, and forgets them within some thousand events: a
// relay that skips numbers now and then is not asked about each gap.
func (p *pace) learn(rise float64) {
	const fading = 1 - 1.0/2048
	p.widest[0] *= fading
	p.widest[1] *= fading
	switch {
	case rise > p.widest[0]:
		p.widest[0], p.widest[1] = rise, p.widest[0]
	case rise > p.widest[1]:
		p.widest[1] = rise
	}
}

func (p *pace) usual() (int64, bool) {
	n := min(p.n, len(p.gaps))
	if n < 3 {
		return 0, false
	}
	sorted := p.gaps
	slices.Sort(sorted[:n])
	return sorted[n/2], true
}

// doubt is what came far above the last seq and is not decided. It may be of more
// than one numbering: a false one, which came once, and the true one behind it.
type doubt struct {
	lines []line
	on    uint64 // the connection that showed anything of it last
	seen  int    // how much
}

// maxLines is how many numberings are followed; the one not shown for longest goes.
const maxLines = 4

// line is a run of numbers far above the last seq, and who showed it.
type line struct {
	first  Seq // lowest
	newest Seq // highest
	conn   uint64
	over   bool // the leap is over an event that the relay has shown: silence proves nothing
	stood  bool // conn was watched long enough, and nothing disproved it
	proofs int  // connections before conn that were
	events int  // of conn
	rise   float64
	pace   pace
	// Gaps that one connection shows behind the leap may be false in their turn: what
	// is believed with it are those that every connection showed.
	before pace       // as it was
	here   pace       // with the gaps that conn has shown
	last   Seq        // that conn has shown
	shown  [2]float64 // the widest gaps, each as wide on every connection that stood
}

// leapProofs is how many connections must have shown a leap, and for a while
// nothing that disproves it, before it is believed on the next. One that ends at
// once proves nothing.
const leapProofs = 2

// first is the lowest seq in doubt, 0 when there is none.
func (d *doubt) first() (lowest Seq) {
	for i := range d.lines {
		if lowest == 0 || d.lines[i].first < lowest {
			lowest = d.lines[i].first
		}
	}
	return lowest
}

// add takes an event that is far ahead of the last seq. It gives the line that the
// event proves; ask says that the connection has shown enough.
func (d *doubt) add(last, seq Seq, over bool, conn uint64, now time.Time, usual *pace) (believed *line, ask bool) {
	if d.on != conn {
		d.on, d.seen = conn, 0
	}
	d.seen++
	d.fell(seq, conn, now)
	at := slices.IndexFunc(d.lines, func(l line) bool { return l.agrees(seq, conn, now) })
	switch {
	case at < 0:
		d.begin(line{over: over, first: seq, newest: seq, conn: conn, events: 1, rise: float64(seq - last), pace: usual.afresh(now, seq), before: *usual, here: *usual, last: seq})
	case d.lines[at].again(seq, conn, now):
		return &d.lines[at], false
	}
	ask = d.seen == leapEvents || d.seen%(10*leapEvents) == 0
	return nil, ask && d.watched(conn)
}

// fell drops the lines that this connection showed before and that lie higher:
// numbers rise, so those were false.
func (d *doubt) fell(seq Seq, conn uint64, now time.Time) {
	d.lines = slices.DeleteFunc(d.lines, func(l line) bool { return l.conn == conn && l.first > seq && !l.agrees(seq, conn, now) })
}

func (d *doubt) begin(l line) {
	if len(d.lines) == maxLines {
		oldest := 0
		for i := range d.lines {
			if d.lines[i].conn < d.lines[oldest].conn {
				oldest = i
			}
		}
		d.lines = slices.Delete(d.lines, oldest, oldest+1)
	}
	d.lines = append(d.lines, l)
}

// watched notes that a connection showed nothing for a while that disproves its
// lines; false when only more events could prove them.
func (d *doubt) watched(conn uint64) (enough bool) {
	for i := range d.lines {
		if l := &d.lines[i]; l.conn == conn && !l.unreached() {
			l.stood, enough = true, true
		}
	}
	return enough
}

// agrees reports whether seq is of these numbers. On the connection that shows them
// gaps may be as wide as the leap itself.
func (l *line) agrees(seq Seq, conn uint64, now time.Time) bool {
	switch {
	case seq < l.first:
		return l.pace.near(seq, l.first, l.pace.at)
	case seq <= l.newest:
		return true
	case conn == l.conn:
		return l.pace.near(l.newest, seq, now) || float64(seq-l.newest) <= gapSlack*l.rise
	}
	return l.pace.near(l.newest, seq, l.pace.at)
}

// again takes an event that agrees; true when it is the proof.
func (l *line) again(seq Seq, conn uint64, now time.Time) (proven bool) {
	if conn != l.conn {
		if l.stood {
			l.proved()
		}
		if l.proofs >= leapProofs && !l.unreached() {
			l.newest = max(l.newest, seq)
			return true
		}
		l.conn, l.stood, l.events, l.pace.at = conn, false, 0, now
		l.here, l.last = l.before, 0
	}
	if l.last > 0 && seq > l.last {
		l.here.learn(float64(seq - l.last))
	}
	l.last = seq
	if seq > l.newest {
		l.pace.note(l.newest, seq, now)
	}
	l.first, l.newest = min(l.first, seq), max(l.newest, seq)
	l.events++
	return false
}

// proved counts a connection that stood.
func (l *line) proved() {
	if l.proofs++; l.proofs == 1 {
		l.shown = l.here.widest
	}
	for i, wide := range l.here.widest {
		l.shown[i] = min(l.shown[i], wide)
	}
}

// unreached reports whether only events behind it could prove the leap, and too
// few have come.
func (l *line) unreached() bool {
	return (l.over || l.first > absurdSeq) && l.events < absurdEvents
}
