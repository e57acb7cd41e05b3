package event

import "time"

const (
	// windowGap is how much later than the last events the first ones of a
	// connection must be before the relay's window is thought to have been
	// exceeded (Q5), and how much earlier for another numbering (Q8).
	windowGap = 5 * time.Minute
	// longGap is as long as no relay's window is shorter.
	longGap = 12 * time.Hour
	// renumberGap is how far numbers must jump for the host to be another relay.
	renumberGap = 1_000_000
	// wideGap is the usual gap of numbers from which they tell nothing of how
	// many events are missing.
	wideGap = 100
)

// Finding is what a Seam shows.
type Finding uint8

// The findings.
const (
	Undecided  Finding = iota // more events must tell
	Seamless                  // nothing is missing, as far as can be known
	Exceeded                  // the relay no longer held what lies between (Q5)
	Renumbered                // another numbering: the numbers rose, the times fell (Q8)
)

// Seam judges the beginning of a connection by several events: whether the
// relay still held what follows the last seq, which the reference relay does not
// say. One event's time proves nothing (E6), and a quiet host that skips a
// number has lost nothing. The zero Seam is closed.
type Seam struct {
	After, First Seq
	open         bool
	before       time.Time // of the events before it
	skipped      int64
	usual        int64 // gap of the numbers before it
	known        bool  // usual is
	times        Times
	last         Seq
	gaps         []int64 // behind it
	events       int
}

// seamEvents is how many events are looked at, should they not tell their time.
const seamEvents = 16

// Begin opens the seam before the first event of a connection. Before is the
// time of the events that ended with the seq after.
func (s *Seam) Begin(after, first Seq, skipped int64, before time.Time, usual int64, known bool) {
	s.times.Forget()
	*s = Seam{After: after, First: first, open: true, before: before, skipped: skipped, usual: usual, known: known, last: first, gaps: s.gaps[:0], times: s.times}
}

// Open reports whether a seam waits for more events.
func (s *Seam) Open() bool { return s.open }

// Close gives up judging.
func (s *Seam) Close() { s.open = false }

// Note takes a fresh event behind the seam, the first one included.
func (s *Seam) Note(seq Seq, sent []byte) {
	if seq > s.last {
		s.gaps = append(s.gaps, int64(seq-s.last-1))
		s.last = seq
	}
	s.times.Note(sent)
	s.events++
}

// Judge says what the events so far show, and closes the seam with a finding.
// Waited says that no more came for a while, ended that none will. By is how much
// later, or earlier, they are.
func (s *Seam) Judge(waited, ended bool) (f Finding, by time.Duration) {
	votes := s.times.Known()
	_, at, _ := s.times.Middle()
	enough := votes >= timesKept || s.events >= seamEvents || ended || waited && (s.known || len(s.gaps) >= 2)
	if !enough {
		return Undecided, 0
	}
	by = at.Sub(s.before)
	switch {
	case votes == 0:
		f = Seamless
	case by < -windowGap && s.skipped >= renumberGap && votes < 2 && !ended && s.events < seamEvents:
		return Undecided, 0 // one event that is wrong about its time is all we have
	case by < -windowGap && s.skipped >= renumberGap && votes >= 2:
		f = Renumbered
	case by > windowGap && s.missing(by):
		f = Exceeded
	default:
		f = Seamless
	}
	s.open = false
	return f, by
}

// missing reports whether the numbers skipped are events that a relay had.
func (s *Seam) missing(by time.Duration) bool {
	usual := s.usual
	if !s.known {
		usual = middle(s.gaps)
	}
	if usual >= wideGap || by >= longGap {
		return by >= longGap && s.skipped > usual
	}
	return s.skipped > 10+10*usual
}

func middle(gaps []int64) int64 {
	if len(gaps) == 0 {
		return 0
	}
	p := pace{}
	for _, g := range gaps[:min(len(gaps), len(p.gaps))] {
		p.gaps[p.n] = g
		p.n++
	}
	usual, ok := p.usual()
	if !ok {
		return min(gaps[0], gaps[len(gaps)-1])
	}
	return usual
}
