package event

import "slices"

// deliveredMost is how many seqs are remembered.
const deliveredMost = 1024

// delivered is the last seqs that were fresh, rising, in a ring: a number between two of
// them that comes later, on whatever connection, was skipped by a gap that was none.
type delivered struct {
	seqs      []Seq
	next      int  // where the oldest stands once the ring is full
	fromStart bool // nothing was delivered before
}

// add notes a fresh seq. The first of all lies behind last; 0 is none: nothing is known
// to be skipped before the first event of a start.
func (d *delivered) add(last, seq Seq) {
	if len(d.seqs) == 0 {
		if d.fromStart = last == 0; last > 0 {
			d.seqs = append(d.seqs, last)
		}
	}
	if len(d.seqs) < deliveredMost {
		d.seqs = append(d.seqs, seq)
		return
	}
	d.seqs[d.next], d.fromStart = seq, false
	d.next = (d.next + 1) % deliveredMost
}

func (d *delivered) forget() { d.seqs, d.next, d.fromStart = d.seqs[:0], 0, false }

// first is the first seq of a start without a cursor, as long as that is remembered.
func (d *delivered) first() (seq Seq, ok bool) {
	if !d.fromStart || len(d.seqs) == 0 {
		return 0, false
	}
	return d.seqs[0], true
}

// within gives the two seqs between which one lies that was skipped; ok is false for
// one that was delivered, and where that is not known.
func (d *delivered) within(seq Seq) (from, to Seq, ok bool) {
	if len(d.seqs) < 2 {
		return 0, 0, false
	}
	older, newer := d.seqs[d.next:], d.seqs[:d.next]
	run, before := older, Seq(0)
	if len(newer) > 0 && seq > older[len(older)-1] {
		run, before = newer, older[len(older)-1]
	}
	i, found := slices.BinarySearch(run, seq)
	if i > 0 {
		before = run[i-1]
	}
	if found || i == len(run) || before == 0 {
		return 0, 0, false
	}
	return before, run[i], true
}

// has reports whether a seq is among those that are remembered.
func (d *delivered) has(seq Seq) bool {
	_, older := slices.BinarySearch(d.seqs[d.next:], seq)
	_, newer := slices.BinarySearch(d.seqs[:d.next], seq)
	return older || newer
}

// after is the seqs above one, rising.
func (d *delivered) after(seq Seq) (above []Seq) {
	for _, run := range [][]Seq{d.seqs[d.next:], d.seqs[:d.next]} {
		for _, s := range run {
			if s > seq {
				above = append(above, s)
			}
		}
	}
	return above
}

// cut forgets the seqs above one.
func (d *delivered) cut(seq Seq) {
	rest := make([]Seq, 0, deliveredMost)
	for _, run := range [][]Seq{d.seqs[d.next:], d.seqs[:d.next]} {
		for _, s := range run {
			if s <= seq {
				rest = append(rest, s)
			}
		}
	}
	if len(rest) > 0 && rest[len(rest)-1] < seq {
		rest = append(rest, seq)
	}
	d.seqs, d.next = rest, 0
}
