package reader

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
)

// ID is an entry's id as Redis prints it: "ms-n", the server's time in
// milliseconds and a number within that millisecond. As an end of a range, ""
// is open and "ms" alone means the whole millisecond.
type ID string

// IDAt is the lowest id an entry stored at t can have.
func IDAt(t time.Time) ID { return position{ms: uint64(max(0, t.UnixMilli()))}.id() }

// ParseID reads "ms" or "ms-n", decimal; ok is false for anything else.
func ParseID(text string) (id ID, ok bool) {
	_, ok = parsePosition(ID(text))
	return ID(text), ok
}

// Time is the server's clock when the entry was added; the zero time if id is
// not an id.
func (id ID) Time() time.Time {
	p, ok := parsePosition(id)
	if !ok || p.ms > math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMilli(int64(p.ms)).UTC()
}

// Compare orders ids as the stream does: negative when id lies before other.
func (id ID) Compare(other ID) int {
	a, _ := parsePosition(id)
	b, _ := parsePosition(other)
	return a.compare(b)
}

// Next is the id just above, where a range continues.
func (id ID) Next() ID {
	p, _ := parsePosition(id)
	return p.next().id()
}

// Previous is the id just below; ok is false below the lowest there is.
func (id ID) Previous() (before ID, ok bool) {
	p, ok := parsePosition(id)
	switch {
	case !ok || p == position{}:
		return "", false
	case p.n == 0:
		return position{p.ms - 1, ^uint64(0)}.id(), true
	}
	return position{p.ms, p.n - 1}.id(), true
}

// position is an id as two numbers.
type position struct{ ms, n uint64 }

func parsePosition(id ID) (p position, ok bool) {
	ms, n, two := strings.Cut(string(id), "-")
	var err error
	if p.ms, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return position{}, false
	}
	if two {
		if p.n, err = strconv.ParseUint(n, 10, 64); err != nil {
			return position{}, false
		}
	}
	return p, true
}

func (p position) id() ID {
	buf := make([]byte, 0, 24)
	buf = strconv.AppendUint(buf, p.ms, 10)
	buf = append(buf, '-')
	return ID(strconv.AppendUint(buf, p.n, 10))
}

func (p position) next() position {
	if p.n++; p.n == 0 {
		p.ms++
	}
	return p
}

func (p position) compare(q position) int {
	switch {
	case p == q:
		return 0
	case p.ms < q.ms || p.ms == q.ms && p.n < q.n:
		return -1
	}
	return 1
}

// Stored is one entry of a stream, as it is: nothing about it has been checked.
// It belongs to the receiver. Its short strings share one piece of memory.
type Stored struct {
	ID        ID
	Fields    []string // name, value, name, value, … in stored order
	Partition int      // of a set; 0 otherwise
}

// Value is the first field of that name.
func (s Stored) Value(name string) (string, bool) {
	return entry.Value(s.Fields, name)
}

// Seq is the relay's number in the field seq; ok is false when the field is
// missing or cannot have come from a relay.
func (s Stored) Seq() (seq event.Seq, ok bool) {
	text, _ := s.Value(entry.FieldSeq)
	seq, ok = event.ParseSeq(text)
	return seq, ok && seq > 0
}
