package verify

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

// Span is the seqs from From to To, both included; 0 leaves an end open.
type Span struct{ From, To event.Seq }

func (s Span) without(seq event.Seq) bool { return seq < s.From || s.To > 0 && seq > s.To }

// Compare judges one stream by another, seq by seq: both hold the same seqs,
// with the same type and the same data. Both are read once, side by side; one
// entry of each is kept.
//
// What the Python bridge does to every record (contract §7) is set aside where only
// one of a pair has it: such pairs are one finding together, and what differs beside
// it is reported as elsewhere.
//
// Each must rise. An entry at or below its stream's last is reported and passed
// over, as is one without a seq. Summary.Items counts this stream's entries,
// Others the other's, Checked the pairs.
func Compare(ctx context.Context, cfg Config, span Span, here, there iter.Seq2[Entry, error]) (Summary, error) {
	c := &comparison{ledger: newLedger(cfg), span: span}
	err := c.run(ctx, here, there)
	c.words.report(c.ledger)
	c.shapes.report(c.ledger)
	return c.summary(), err
}

type comparison struct {
	*ledger
	span        Span
	left, right block.Tape
	// Pairs that say the same in other words, and in the form of the bridge.
	words, shapes alike
}

// side is one of the streams.
type side struct {
	c     *comparison
	name  string
	next  func() (Entry, error, bool)
	count *int64
	seq   event.Seq // of the entry in hand; 0 at the end
	entry Entry
	last  event.Seq
}

func (c *comparison) run(ctx context.Context, here, there iter.Seq2[Entry, error]) error {
	nextHere, stopHere := iter.Pull2(here)
	defer stopHere()
	nextThere, stopThere := iter.Pull2(there)
	defer stopThere()
	a := &side{c: c, name: "", next: nextHere, count: &c.sum.Items}
	b := &side{c: c, name: "the other stream", next: nextThere, count: &c.sum.Others}
	moveA, moveB := true, true
	for {
		if moveA {
			if err := a.advance(ctx); err != nil {
				return err
			}
			if a.seq > 0 {
				c.place(a.seq, a.entry.ID)
			}
		}
		if moveB {
			if err := b.advance(ctx); err != nil {
				return err
			}
		}
		if a.seq == 0 && b.seq == 0 {
			return nil
		}
		moveA = b.seq == 0 || a.seq > 0 && a.seq <= b.seq
		moveB = a.seq == 0 || b.seq > 0 && b.seq <= a.seq
		c.meet(a, b, moveA, moveB)
	}
}

// meet judges the lower of two entries, or both where they have one seq.
func (c *comparison) meet(a, b *side, onA, onB bool) {
	switch {
	case onA && onB:
		c.sum.Checked++
		c.pair(a, b)
	case onA:
		c.found(Finding{Rule: AgainstExtra, Seq: a.seq, ID: a.entry.ID})
	default:
		c.found(Finding{Rule: AgainstMissing, Seq: b.seq, Detail: "the other has it as " + b.entry.ID})
	}
}

// advance takes the next entry of the span that rises.
func (s *side) advance(ctx context.Context) error {
	s.entry = Entry{} // before another is read: both may be large
	for {
		e, err, ok := s.next()
		if err != nil {
			return err
		}
		if !ok {
			s.seq = 0
			return nil
		}
		text, _ := entry.Value(e.Fields, entry.FieldSeq)
		seq, number := event.ParseSeq(text)
		if number && s.c.span.without(seq) {
			continue
		}
		*s.count++
		rule, detail := Rule(""), ""
		switch {
		case !number || !seq.Valid():
			rule, detail, seq = SeqInvalid, fmt.Sprintf("seq is %q", clip(text)), 0
		case seq == s.last:
			rule, detail = SeqDuplicate, "stored before"
		case seq < s.last:
			rule, detail = SeqOrder, fmt.Sprintf("stands behind %d, which is higher", s.last)
		default:
			s.seq, s.last, s.entry = seq, seq, e
			return nil
		}
		s.c.found(Finding{Rule: rule, Seq: seq, ID: e.ID, Where: s.name, Detail: detail})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// pair compares two entries of one seq.
func (c *comparison) pair(a, b *side) {
	bad := func(rule Rule, where, detail string) {
		c.found(Finding{Rule: rule, Seq: a.seq, ID: a.entry.ID, Where: where, Detail: detail + "; the other is " + b.entry.ID})
	}
	fieldsA, fieldsB := entry.FieldsOf(a.entry.Fields), entry.FieldsOf(b.entry.Fields)
	switch {
	case fieldsA.Type != fieldsB.Type:
		bad(AgainstType, "", fmt.Sprintf("%q and %q", clip(fieldsA.Type), clip(fieldsB.Type)))
	case fieldsA.Data == fieldsB.Data:
	default:
		left, right := c.left.Read(fieldsA.Data, block.MostWhole), c.right.Read(fieldsB.Data, block.MostWhole)
		defer func() { c.left.Forget(); c.right.Forget() }()
		switch {
		case left == jsonscan.NotJSON || right == jsonscan.NotJSON:
			bad(AgainstData, "data", "they differ, and not both are JSON")
		case left == jsonscan.Crowded || right == jsonscan.Crowded:
			bad(AgainstData, "data", fmt.Sprintf("they differ, and have more values than can be compared one by one, which is %d", block.MostWhole))
		default:
			c.data(a, b, bad)
		}
	}
}

// data compares two data fields that are JSON and not the same bytes.
func (c *comparison) data(a, b *side, bad func(rule Rule, where, detail string)) {
	at, detail := c.differ(0, 0), "they differ here"
	if at < 0 {
		c.words.add(Finding{Rule: AgainstBytes, Seq: a.seq, ID: a.entry.ID, Where: "data", Detail: "the same in other words; the other is " + b.entry.ID})
		return
	}
	here, there := ofBridge(&c.left), ofBridge(&c.right)
	mine, theirs := likeness{bridge: &c.left, exact: &c.right}, likeness{bridge: &c.right, exact: &c.left, exactLeft: true}
	switch {
	case here && !there:
		at, detail = mine.differ(0, 0), "they differ here, beside the form of the Python bridge"
	case there && !here:
		at, detail = theirs.differ(0, 0), "they differ here, beside the form of the Python bridge"
	case !here:
		mine.hexOnly, theirs.hexOnly = true, true
		if here = mine.differ(0, 0) < 0; here || theirs.differ(0, 0) < 0 {
			at = -1
		}
	}
	if at < 0 {
		c.shapes.add(Finding{Rule: AgainstShape, Seq: a.seq, ID: a.entry.ID, Where: "data", Detail: bridgeOf(here) + "; the other is " + b.entry.ID})
		return
	}
	where := c.left.Path(0, at)
	if where == "" {
		where = "data"
	}
	bad(AgainstData, where, detail)
}

func bridgeOf(here bool) string {
	if here {
		return "this stream's is the Python bridge's"
	}
	return "the other stream's is the Python bridge's"
}

// alike are pairs that differ without saying another thing: between two writers of
// different make that is nearly all of them, so they are reported as one.
type alike struct {
	first Finding
	n     int64
}

func (s *alike) add(f Finding) {
	if s.n++; s.n == 1 {
		s.first = f
	}
}

func (s *alike) report(l *ledger) {
	if s.n > 1 {
		s.first.Detail = fmt.Sprintf("%d pairs, of which this is the first: %s", s.n, s.first.Detail)
	}
	if s.n > 0 {
		l.foundMany(s.first, s.n)
	}
}

// differ is the first node of the left tape that does not say what the right
// one says; -1 when they agree. Key order, white space and escapes are no
// difference.
func (c *comparison) differ(i, j int32) int32 {
	l, r := &c.left, &c.right
	if l.Kind(i) != r.Kind(j) {
		return i
	}
	same := true
	switch l.Kind(i) {
	case jsonscan.String:
		same = l.Text(i) == r.Text(j)
	case jsonscan.Number:
		same = l.Digits(i) == r.Digits(j)
	case jsonscan.Array:
		return c.array(i, j)
	case jsonscan.Object:
		return c.object(i, j)
	}
	if !same {
		return i
	}
	return -1
}

func (c *comparison) array(i, j int32) int32 {
	if c.left.Count(i) != c.right.Count(j) {
		return i
	}
	at := j + 2
	for value := range c.left.Children(i) {
		if bad := c.differ(value, at); bad >= 0 {
			return bad
		}
		at = c.right.Next(at)
	}
	return -1
}

// object compares members by name. Most writers keep the order, so that the next one
// is looked at first; only where it is another are all names put in order.
func (c *comparison) object(i, j int32) int32 {
	l, r := &c.left, &c.right
	if l.Count(i) != r.Count(j) {
		return i
	}
	var sorted []int32
	next := j + 2
	for key, value := range l.Members(i) {
		name := l.Text(key)
		other := next + 1
		if next = r.Next(other); !r.Is(other-1, name) || sorted != nil {
			if sorted == nil {
				sorted = keysInOrder(r, j)
			}
			if other = find(r, sorted, name); other < 0 {
				return value
			}
		}
		if bad := c.differ(value, other); bad >= 0 {
			return bad
		}
	}
	return -1
}

// keysInOrder are the keys of an object by what they say, and the last first where
// they say the same: in JavaScript the last counts.
func keysInOrder(t *block.Tape, object int32) (keys []int32) {
	keys = make([]int32, 0, t.Count(object))
	for key := range t.Members(object) {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b int32) int {
		return cmp.Or(strings.Compare(t.Text(a), t.Text(b)), cmp.Compare(b, a))
	})
	return keys
}

// find is the value of the key of this name among keys in order; -1 when absent.
func find(t *block.Tape, keys []int32, name string) int32 {
	at, found := slices.BinarySearchFunc(keys, name, func(key int32, name string) int { return strings.Compare(t.Text(key), name) })
	if !found {
		return -1
	}
	return keys[at] + 1
}
