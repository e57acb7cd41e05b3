package verify

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/fhctl/fhctl/pkg/event"
)

// The sizes of what a sequence remembers; see the package comment.
const (
	windowSize  = 1 << 16
	indexStride = 4096
	indexSize   = 8192
	maxStrays   = 1 << 16
	maxOpenGaps = 1024
	largestGaps = 5
	maxRereads  = 1000
)

// sequence judges the order of seqs in bounded memory.
type sequence struct {
	out    *ledger
	window window // the last fresh marks, rising
	// strays are seqs that stood out of order, with their ids.
	strays map[event.Seq]string
	// index has a mark for every stride-th fresh one, rising.
	index  []Mark
	stride int64
	fresh  int64
	// stretch is the part of the stream that was read again last.
	stretch    map[event.Seq]string
	from, upto event.Seq // the seqs that stretch answers for
	rereads    int
	gaps       []Gap // that late entries may still fill, rising
	maxFresh   event.Seq
}

func newSequence(out *ledger) *sequence {
	return &sequence{out: out, strays: map[event.Seq]string{}, stride: indexStride}
}

// observe judges the next item. It keeps copies of ids: a reader's may be a small
// piece of a large one. The error is Reread's.
func (s *sequence) observe(ctx context.Context, seq event.Seq, id string) error {
	if seq > s.maxFresh {
		if first, ok := s.strays[seq]; ok { // it came once too early
			s.repeat(seq, id, first)
		}
		s.advance(Mark{seq, id})
		return nil
	}
	if first, ok := s.window.find(seq); ok {
		s.repeat(seq, id, first)
		return nil
	}
	if first, ok := s.strays[seq]; ok {
		s.repeat(seq, id, first)
		return nil
	}
	if s.leapt(seq) {
		s.takeBack(seq)
		s.advance(Mark{seq, id})
		return nil
	}
	first, found, err := s.lookBack(ctx, seq)
	if err != nil {
		return err
	}
	if found {
		s.repeat(seq, id, first)
		return nil
	}
	s.late(seq, id)
	return nil
}

func (s *sequence) repeat(seq event.Seq, id, first string) {
	s.out.found(Finding{Rule: SeqDuplicate, Seq: seq, ID: id, Detail: "stored before as " + first})
}

// advance takes a fresh mark.
func (s *sequence) advance(m Mark) {
	m.ID = strings.Clone(m.ID)
	if last, ok := s.window.last(0); ok && m.Seq > last.Seq+1 {
		s.open(last, m)
	}
	s.maxFresh = m.Seq
	s.window.push(m)
	if s.fresh%s.stride == 0 {
		s.index = append(s.index, m)
		if len(s.index) == indexSize {
			s.halve()
		}
	}
	s.fresh++
}

// halve drops every other place of the index.
func (s *sequence) halve() {
	for i := range indexSize / 2 {
		s.index[i] = s.index[2*i]
	}
	s.index = s.index[:indexSize/2]
	s.stride *= 2
}

// leapt reports whether the last mark, rather than this one, is out of place:
// it is the only one above seq.
func (s *sequence) leapt(seq event.Seq) bool {
	before, ok := s.window.last(1)
	return s.fresh == 1 || ok && seq > before.Seq
}

// takeBack makes the last fresh mark a stray, so that one entry far too high
// does not condemn all that follow.
func (s *sequence) takeBack(seq event.Seq) {
	m := s.window.pop()
	s.fresh--
	if n := len(s.index); n > 0 && s.index[n-1].Seq == m.Seq {
		s.index = s.index[:n-1]
	}
	if n := len(s.gaps); n > 0 && s.gaps[n-1].Before.Seq == m.Seq {
		s.gaps = s.gaps[:n-1]
	}
	s.out.found(Finding{Rule: SeqOrder, Seq: m.Seq, ID: m.ID, Detail: fmt.Sprintf("stands before %d, which is lower", seq)})
	s.stray(m)
}

func (s *sequence) stray(m Mark) {
	if len(s.strays) < maxStrays {
		s.strays[m.Seq] = strings.Clone(m.ID)
	}
}

// late reports a seq that should have come earlier, and fills its gap.
func (s *sequence) late(seq event.Seq, id string) {
	detail := fmt.Sprintf("stands behind %d, which is higher", s.maxFresh)
	s.out.found(Finding{Rule: SeqOrder, Seq: seq, ID: id, Detail: detail})
	s.stray(Mark{seq, id})
	i := sort.Search(len(s.gaps), func(i int) bool { return s.gaps[i].Before.Seq > seq })
	if i == len(s.gaps) || seq <= s.gaps[i].After.Seq {
		return
	}
	if s.gaps[i].Missing--; s.gaps[i].Missing == 0 {
		s.gaps = slices.Delete(s.gaps, i, i+1)
	}
}

// lookBack finds where a seq below the window was stored first.
func (s *sequence) lookBack(ctx context.Context, seq event.Seq) (id string, found bool, err error) {
	oldest, ok := s.window.first()
	if !ok || seq >= oldest.Seq || len(s.index) == 0 || seq < s.index[0].Seq || s.out.cfg.Reread == nil {
		return "", false, nil
	}
	if s.stretch == nil || seq < s.from || seq >= s.upto {
		if err := s.reread(ctx, seq, oldest); err != nil || s.stretch == nil {
			return "", false, err
		}
	}
	id, found = s.stretch[seq]
	return id, found, nil
}

// reread reads the stretch of the index around seq again.
func (s *sequence) reread(ctx context.Context, seq event.Seq, oldest Mark) error {
	s.stretch = nil
	limit := s.out.cfg.MaxRereads
	if limit == 0 {
		limit = maxRereads
	}
	if s.rereads++; s.rereads > limit {
		return nil
	}
	next := sort.Search(len(s.index), func(i int) bool { return s.index[i].Seq > seq })
	from, upto := s.index[next-1], oldest
	if next < len(s.index) && s.index[next].Seq < oldest.Seq {
		upto = s.index[next]
	}
	stretch := map[event.Seq]string{}
	for m, err := range s.out.cfg.Reread(ctx, from.ID, upto.ID) {
		if err != nil {
			return fmt.Errorf("look for an earlier entry: %w", err)
		}
		if _, known := stretch[m.Seq]; !known {
			stretch[m.Seq] = strings.Clone(m.ID)
		}
	}
	s.stretch, s.from, s.upto = stretch, from.Seq, upto.Seq
	return nil
}

// open notes a gap; it counts once nothing can fill it any more.
func (s *sequence) open(after, before Mark) {
	if c := &s.out.cfg; after.Seq < c.GapsFrom || c.GapsTo > 0 && before.Seq > c.GapsTo {
		return
	}
	g := Gap{After: after, Before: before, Missing: int64(before.Seq - after.Seq - 1)}
	if g.Missing -= s.straysIn(after.Seq, before.Seq); g.Missing == 0 {
		return
	}
	if len(s.gaps) == maxOpenGaps {
		s.settle(s.gaps[0])
		s.gaps = slices.Delete(s.gaps, 0, 1)
	}
	s.gaps = append(s.gaps, g)
}

// straysIn counts the strays between two seqs, by the shorter way.
func (s *sequence) straysIn(after, before event.Seq) (n int64) {
	if int64(before-after) <= int64(len(s.strays)) {
		for seq := after + 1; seq < before; seq++ {
			if _, ok := s.strays[seq]; ok {
				n++
			}
		}
		return n
	}
	for seq := range s.strays {
		if seq > after && seq < before {
			n++
		}
	}
	return n
}

// settle counts a gap for good.
func (s *sequence) settle(g Gap) {
	sum := &s.out.sum.Gaps
	sum.Count++
	sum.Missing += g.Missing
	at := sort.Search(len(sum.Largest), func(i int) bool { return sum.Largest[i].Missing < g.Missing })
	if at < largestGaps {
		sum.Largest = slices.Insert(sum.Largest, at, g)
		sum.Largest = sum.Largest[:min(len(sum.Largest), largestGaps)]
	}
	if s.out.cfg.Strict {
		s.out.found(Finding{Rule: SeqGap, Seq: g.Before.Seq, ID: g.Before.ID,
			Detail: fmt.Sprintf("%d missing behind %d", g.Missing, g.After.Seq)})
	}
}

// close settles what is open. Gaps that are warnings are one finding together:
// a healthy relay has thousands.
func (s *sequence) close() {
	for _, g := range s.gaps {
		s.settle(g)
	}
	s.gaps = nil
	sum := &s.out.sum.Gaps
	if sum.Count == 0 || s.out.cfg.Strict {
		return
	}
	g := sum.Largest[0]
	detail := fmt.Sprintf("%d missing behind %d", g.Missing, g.After.Seq)
	if sum.Count > 1 {
		detail = fmt.Sprintf("%d places, %d numbers in all; this is the largest: %s", sum.Count, sum.Missing, detail)
	}
	s.out.foundMany(Finding{Rule: SeqGap, Seq: g.Before.Seq, ID: g.Before.ID, Detail: detail}, sum.Count)
}
