package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fhctl/fhctl/pkg/redisstream/conn"
)

// raw reads Redis's reply to XRANGE and its kin without an interface or a map
// per field: on a million entries those cost more than the server does. RESP2
// only, which is what Dial asks for.
//
// Entries may be large (event.MaxData), others' larger still, and a page has a
// thousand: what is held is bounded, either by leaving entries to the next page
// (most) or by cutting long values (heads).
type raw struct {
	buf   []byte
	at    int
	long  []longText
	heads bool // cut values longer than longBytes
	most  int  // bytes after which the rest is left unread, with errOverfull; 0 reads all
	held  int  // bytes in long
	left  bool // the reply was not read to its end
}

// longText is a value that is kept beside buf, where it would have to be copied;
// at is where buf has an empty one in its place.
type longText struct {
	at   int
	text string
}

const (
	longBytes = 64 << 10
	// headBytes is what is kept of a value that is cut.
	headBytes = 4 << 10
)

var errOverfull = errors.New("the page holds as much as it may")

// reset forgets the reply and keeps its memory, unless that is more than usual.
func (r *raw) reset() {
	if cap(r.buf) > 4*pageBytes {
		r.buf = nil
	}
	*r = raw{buf: r.buf[:0]}
}

// Write appends to the reply as it arrives. One that is an error becomes that
// error: go-redis passes raw replies on whatever they say, and would not follow a
// cluster's redirection.
func (r *raw) Write(p []byte) (int, error) {
	if len(r.buf) == 0 && len(p) > 0 && p[0] == '-' {
		return 0, conn.ServerError(p[1:])
	}
	r.buf = append(r.buf, p...)
	return len(p), nil
}

// ReadFrom appends what comes from a reader that knows how much that is, as
// go-redis's do for the body of a string.
func (r *raw) ReadFrom(from io.Reader) (int64, error) {
	limited, ok := from.(*io.LimitedReader)
	if !ok {
		return 0, conn.ErrReply
	}
	if r.most > 0 && len(r.buf)+r.held+int(limited.N) > r.most {
		return 0, errOverfull
	}
	if limited.N > longBytes+2 {
		all := limited.N
		return all, r.readLong(limited)
	}
	at := len(r.buf)
	r.buf = slices.Grow(r.buf, int(limited.N))[:at+int(limited.N)]
	n, err := io.ReadFull(limited.R, r.buf[at:])
	return int64(n), err
}

// readLong reads a long value and the line end behind it. The header that is in buf
// already becomes that of an empty value.
func (r *raw) readLong(from *io.LimitedReader) error {
	header := bytes.LastIndexByte(r.buf[:len(r.buf)-1], '\n') + 1
	r.buf = append(r.buf[:header], "$0\r\n\r\n"...)
	keep := from.N - 2
	if r.heads {
		keep = headBytes
	}
	var text strings.Builder
	text.Grow(int(keep))
	_, err := io.CopyN(&text, from, keep)
	if err == nil {
		_, err = io.Copy(io.Discard, from)
	}
	if err == nil && from.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	r.held += text.Len()
	r.long = append(r.long, longText{len(r.buf) - 2, text.String()})
	return err
}

// span is a string in buf, or in long.
type span struct {
	from, to int
	long     int // 1 and up: its number in long
}

// header reads one line that begins with kind and gives the number on it, -1
// for a null.
func (r *raw) header(kind byte) (int, error) {
	rest := r.buf[r.at:]
	end := bytes.IndexByte(rest, '\n')
	if end < 2 || rest[0] != kind {
		return 0, fmt.Errorf("%w: %.16q in place of %q", conn.ErrReply, rest, kind)
	}
	n, err := strconv.Atoi(string(rest[1 : end-1]))
	if err != nil || n < -1 || n > len(rest) && !r.left {
		return 0, fmt.Errorf("%w: length %.16q", conn.ErrReply, rest)
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
	s := span{from: r.at, to: r.at + n}
	if i := slices.IndexFunc(r.long, func(l longText) bool { return l.at == r.at }); i >= 0 {
		s.long = i + 1
	}
	if n < 0 || s.to+2 > len(r.buf) {
		return span{}, fmt.Errorf("%w: a string is cut short", conn.ErrReply)
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

// whole is the entries that had come when the reply was left.
func (r *raw) whole() (some []Stored) {
	r.left = true
	some, _ = r.entries(nil)
	return some
}

// entry reads one entry. Its bytes are copied once, framing included, and its
// strings are cut from the copy.
func (r *raw) entry() (s Stored, err error) {
	n, err := r.header('*')
	if err == nil && n != 2 {
		err = fmt.Errorf("%w: an entry of %d parts", conn.ErrReply, n)
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
		if s.Fields[i] = text[f.from-from : f.to-from]; f.long > 0 {
			s.Fields[i] = r.long[f.long-1].text
		}
	}
	return s, nil
}
