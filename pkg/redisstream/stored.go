package redisstream

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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
// It belongs to the receiver. All its strings share one piece of memory.
type Stored struct {
	ID        ID
	Fields    []string // name, value, name, value, … in stored order
	Partition int      // of a set; 0 otherwise
}

// Value is the first field of that name.
func (s Stored) Value(name string) (string, bool) {
	for i := 0; i+1 < len(s.Fields); i += 2 {
		if s.Fields[i] == name {
			return s.Fields[i+1], true
		}
	}
	return "", false
}

// Seq is the relay's number in the field seq; ok is false when the field is
// missing or cannot have come from a relay.
func (s Stored) Seq() (seq event.Seq, ok bool) {
	text, _ := s.Value("seq")
	seq, ok = event.ParseSeq(text)
	return seq, ok && seq > 0
}

// raw reads Redis's reply to XRANGE and its kin without an interface or a map
// per field: on a million entries those cost more than the server does. RESP2
// only, which is what Dial asks for.
type raw struct {
	buf []byte
	at  int
}

// Write appends to the reply as it arrives.
func (r *raw) Write(p []byte) (int, error) {
	r.buf = append(r.buf, p...)
	return len(p), nil
}

// ReadFrom appends what comes from a reader that knows how much that is, as
// go-redis's do for the body of a string.
func (r *raw) ReadFrom(from io.Reader) (int64, error) {
	limited, ok := from.(*io.LimitedReader)
	if !ok {
		return 0, errReply
	}
	at := len(r.buf)
	r.buf = slices.Grow(r.buf, int(limited.N))[:at+int(limited.N)]
	n, err := io.ReadFull(limited.R, r.buf[at:])
	return int64(n), err
}

// span is a string in buf.
type span struct{ from, to int }

// header reads one line that begins with kind and gives the number on it, -1
// for a null.
func (r *raw) header(kind byte) (int, error) {
	rest := r.buf[r.at:]
	end := bytes.IndexByte(rest, '\n')
	if end < 2 || rest[0] != kind {
		return 0, fmt.Errorf("%w: %.16q in place of %q", errReply, rest, kind)
	}
	n, err := strconv.Atoi(string(rest[1 : end-1]))
	if err != nil || n < -1 || n > len(rest) {
		return 0, fmt.Errorf("%w: length %.16q", errReply, rest)
	}
	r.at += end + 1
	return n, nil
}

// bulk reads one string.
func (r *raw) bulk() (span, error) {
	n, err := r.header('$')
	if err != nil {
		return span{}, err
	}
	s := span{r.at, r.at + n}
	if n < 0 || s.to+2 > len(r.buf) {
		return span{}, fmt.Errorf("%w: a string is cut short", errReply)
	}
	r.at = s.to + 2
	return s, nil
}

// entries reads an array of entries and appends them.
func (r *raw) entries(to []Stored) ([]Stored, error) {
	n, err := r.header('*')
	if err != nil {
		return to, err
	}
	for range n {
		s, err := r.entry()
		if err != nil {
			return to, err
		}
		to = append(to, s)
	}
	return to, nil
}

// entry reads one entry. Its bytes are copied once, framing included, and its
// strings are cut from the copy.
func (r *raw) entry() (s Stored, err error) {
	n, err := r.header('*')
	if err == nil && n != 2 {
		err = fmt.Errorf("%w: an entry of %d parts", errReply, n)
	}
	if err != nil {
		return s, err
	}
	from := r.at
	var few [16]span // more fields than any entry of ours has
	spans := few[:0]
	id, err := r.bulk()
	if err != nil {
		return s, err
	}
	if n, err = r.header('*'); err != nil {
		return s, err
	}
	for range n { // none when they are null
		field, err := r.bulk()
		if err != nil {
			return s, err
		}
		spans = append(spans, field)
	}
	text := string(r.buf[from:r.at])
	s.ID, s.Fields = ID(text[id.from-from:id.to-from]), make([]string, len(spans))
	for i, f := range spans {
		s.Fields[i] = text[f.from-from : f.to-from]
	}
	return s, nil
}
