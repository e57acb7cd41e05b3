package follow

import (
	"hash/maphash"

	"github.com/fhctl/fhctl/pkg/event"
)

const (
	// recent is how many of the events yielded last are remembered; package event
	// remembers as many numbers.
	recent = 1024
	// mostBehind bounds how many are remembered because reading went back before them.
	mostBehind = 1 << 16
)

// remembered are the events yielded last. After reading went back, those that come again
// are known; another event of the same number, which a false one had, is not taken for it.
type remembered struct {
	seed   maphash.Seed
	ring   [recent]mark
	next   int
	behind map[event.Seq]uint64 // events before which reading went back; nil usually
}

// mark is an event: its seq and what its frame hashes to.
type mark struct {
	seq event.Seq
	sum uint64
}

// again notes an event that is about to be yielded, and reports whether it was before.
func (r *remembered) again(i *Item) bool {
	m := mark{i.Seq, maphash.Bytes(r.seed, i.Frame)}
	if r.behind != nil {
		if sum, ok := r.behind[m.seq]; ok && sum == m.sum {
			return true
		}
	}
	r.ring[r.next] = m
	r.next = (r.next + 1) % recent
	return false
}

// goBack notes that reading goes back behind a seq, and reports whether any event above
// it was yielded.
func (r *remembered) goBack(seq event.Seq) (any bool) {
	for i := range r.ring {
		m := &r.ring[i]
		if m.seq <= seq {
			continue
		}
		if any = true; r.behind == nil || len(r.behind) >= mostBehind {
			r.behind = map[event.Seq]uint64{}
		}
		r.behind[m.seq] = m.sum
		*m = mark{}
	}
	return any
}
