package event

import (
	"slices"
	"time"
)

// The bounds of doubt. An honest relay rarely skips more than a few numbers; one
// that does is believed after two more connections, so what is doubted in error
// costs some seconds and no event.
const (
	// leapLeast is the gap that is never doubted. With a known rate it is what
	// leapSpan brings, but no more than leapMost.
	leapLeast = 100_000
	leapMost  = 1_000_000
	leapSpan  = 1000 // seconds
	// paceSlack is how much faster than usual the numbers may have risen in the
	// time since the last event, and how much wider than usual a gap may be.
	paceSlack = 100
	gapSlack  = 16
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
	// absurdEvents is how many events must have shown an absurd numbering.
	absurdEvents = 3
)

// LeapWait is how long a connection may show nothing but a leap before the next
// one is asked about it.
const LeapWait = 2 * time.Second

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
	gaps   [8]int64 // the last ones, in a ring
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
	allowed := min(p.rate*leapSpan, leapMost)
	if passed := now.Sub(p.at); !p.at.IsZero() && passed > 0 {
		allowed = max(allowed, paceSlack*p.rate*passed.Seconds())
	}
	// The second widest: a leap that was true once says nothing of the next.
	return rise <= max(allowed, gapSlack*p.widest[1])
}

// note learns from an event that followed last.
func (p *pace) note(last, seq Seq, now time.Time) {
	p.at = now
	if last == 0 {
		return
	}
	p.learn(float64(seq - last))
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

// learn remembers the two widest gaps, and forgets them within some hundred
// events.
func (p *pace) learn(rise float64) {
	const fading = 1 - 1.0/128
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

// doubt is a leap that is not decided: the lowest numbers far above the last seq,
// and who showed them.
type doubt struct {
	first  Seq // lowest seq, 0 when nothing is doubted
	newest Seq // highest one that followed it
	conn   uint64
	proofs int     // connections before conn that were watched long enough
	stood  bool    // conn was
	events int     // of conn, that followed each other
	line   pace    // of those events
	rise   float64 // from the last seq: numbers that leapt may have gaps as wide

	on   uint64 // the connection that showed anything far ahead last
	seen int    // how much of it
}

// leapProofs is how many connections must have shown a leap, and for a while
// nothing that disproves it, before it is believed on the next. One that ends at
// once proves nothing.
const leapProofs = 2

// add takes an event that is far ahead of the last seq.
func (d *doubt) add(last, seq Seq, conn uint64, now time.Time, usual *pace) (believed, ask bool) {
	if d.on != conn {
		d.on, d.seen = conn, 0
	}
	d.seen++
	switch {
	case d.first == 0, seq < d.first && !d.near(seq, d.first):
		// Numbers rise, so what lies lower was sent before, or is true instead.
		*d = doubt{first: seq, newest: seq, conn: conn, events: 1, line: usual.afresh(now, seq), rise: float64(seq - last), on: conn, seen: d.seen}
	case conn != d.conn && d.agrees(seq):
		if d.stood {
			d.proofs++
		}
		if d.proofs >= leapProofs && !d.unreached() {
			return true, false
		}
		d.first, d.newest = min(d.first, seq), max(d.newest, seq)
		d.conn, d.stood, d.events, d.line.at = conn, false, 1, now
	case conn == d.conn && seq > d.newest && (d.line.near(d.newest, seq, now) || float64(seq-d.newest) <= gapSlack*d.rise):
		d.line.note(d.newest, seq, now)
		d.newest = seq
		d.events++
	case conn == d.conn && d.first < seq && seq <= d.newest: // the former connection got further
		d.events++
	}
	ask = d.seen == leapEvents || d.seen%(10*leapEvents) == 0
	d.stood = d.stood || ask && d.conn == conn
	return false, ask
}

// agrees reports whether seq continues the numbers that another connection showed.
func (d *doubt) agrees(seq Seq) bool {
	switch {
	case seq < d.first:
		return d.near(seq, d.first)
	case seq > d.newest:
		return d.near(d.newest, seq)
	}
	return true
}

func (d *doubt) near(low, high Seq) bool { return d.line.near(low, high, d.line.at) }

// unreached reports whether only events behind it could prove the leap, and too
// few have come.
func (d *doubt) unreached() bool { return d.first > absurdSeq && d.events < absurdEvents }
