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

// add notes a fresh seq. The first of a connection begins anew, behind last.
func (d *delivered) add(last, seq Seq, conn uint64) {
	if d.conn != conn || d.seqs == nil {
		*d = delivered{conn: conn, seqs: append(d.seqs[:0], last)}
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
	for _, run := range [][]Seq{newer, older} {
		i, found := slices.BinarySearch(run, seq)
		switch {
		case found:
			return 0, 0, false
		case i == len(run):
			continue // above what this run has
		case i > 0:
			return run[i-1], run[i], true
		case len(newer) > 0 && &run[0] == &newer[0] && seq > older[len(older)-1]:
			return older[len(older)-1], run[0], true
		}
	}
	return 0, 0, false
}
