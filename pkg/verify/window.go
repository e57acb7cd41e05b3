package verify

import (
	"sort"

	"github.com/fhctl/fhctl/pkg/event"
)

// window is a ring of the last marks, rising.
type window struct {
	marks    []Mark
	start, n int
}

func (w *window) at(i int) *Mark { return &w.marks[(w.start+i)%len(w.marks)] }

func (w *window) push(m Mark) {
	switch {
	case w.n < len(w.marks):
		w.n++
		*w.at(w.n - 1) = m
	case w.n < windowSize:
		// It has not wrapped, so start is 0.
		w.marks = append(w.marks, m)
		w.n++
	default:
		w.marks[w.start] = m
		w.start = (w.start + 1) % windowSize
	}
}

// pop takes the last mark out.
func (w *window) pop() Mark {
	w.n--
	return *w.at(w.n)
}

// last is the n-th mark from the end.
func (w *window) last(n int) (Mark, bool) {
	if n >= w.n {
		return Mark{}, false
	}
	return *w.at(w.n - 1 - n), true
}

func (w *window) first() (Mark, bool) {
	if w.n == 0 {
		return Mark{}, false
	}
	return *w.at(0), true
}

func (w *window) find(seq event.Seq) (id string, ok bool) {
	i := sort.Search(w.n, func(i int) bool { return w.at(i).Seq >= seq })
	if i < w.n && w.at(i).Seq == seq {
		return w.at(i).ID, true
	}
	return "", false
}
