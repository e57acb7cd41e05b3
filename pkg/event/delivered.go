package event

import "slices"

// deliveredMost is how many seqs of a connection are remembered.
const deliveredMost = 1024

// delivered is the last seqs that one connection brought, rising, in a ring: a number
// between two of them that comes later was skipped by a gap that was none.
type delivered struct {
	conn uint64
	seqs []Seq
	next int // where the oldest stands once the ring is full
}

// add notes a fresh seq. The first of a connection begins anew, behind last; 0 is none:
// nothing is known to be skipped before the first event of a start.
func (d *delivered) add(last, seq Seq, conn uint64) {
	if d.conn != conn || d.seqs == nil {
		*d = delivered{conn: conn, seqs: d.seqs[:0]}
		if last > 0 {
			d.seqs = append(d.seqs, last)
		}
	}
	if len(d.seqs) < deliveredMost {
		d.seqs = append(d.seqs, seq)
		return
	}
	d.seqs[d.next] = seq
	d.next = (d.next + 1) % deliveredMost
}

// within gives the two seqs between which one lies that this connection skipped; ok is
// false for one that it brought, and where that is not known.
func (d *delivered) within(seq Seq, conn uint64) (from, to Seq, ok bool) {
	if d.conn != conn || len(d.seqs) < 2 {
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
