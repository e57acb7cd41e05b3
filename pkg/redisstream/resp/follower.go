package resp

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	longestLine = 16 << 10 // of a status or an error
	deepest     = 32       // aggregates within one another; COMMAND has 8

	// What a parser takes for an element before it is read, about.
	elementCost = 48
	pairCost    = 160
)

// Follower follows messages, replies or commands, as their bytes pass by and stops
// before one that is too large, in what it declares or in what it sends. It reads
// headers only: the bytes of a string are counted, not looked at. Only Limit is set
// by its owner. One goroutine at a time.
type Follower struct {
	// Limit is what one message may take in memory, in bytes, once it is parsed:
	// its bytes, and something for each element it declares.
	Limit int64
	// Messages counts those that are complete.
	Messages int64

	spent int64   // of limit, by the reply under way
	skip  int64   // bytes of a string, with its line end, still to come
	open  []int64 // elements still to come, of each unfinished aggregate
	kind  byte    // of the line under way; 0 between lines
	line  int     // bytes of that line, its kind included
	value int64   // of a header: the length so far
	minus bool
	cr    bool // a header's carriage return came

	said []byte // the text of an error at the top level, while it is the latest message
}

// Error is a message that is refused.
type Error struct {
	What  string // the rest of a sentence that begins with the peer
	Large bool   // it is a message like others, and too large
	Kind  byte   // what a message began with that is not of this protocol; 0 otherwise
}

// Error is What.
func (e *Error) Error() string { return e.What }

// Follow takes what came and gives how many bytes of it may be passed on. With
// an error that is up to the byte that would complete what is refused, and
// nothing that comes later may be passed on either.
func (f *Follower) Follow(p []byte) (int, error) {
	at := 0
	for at < len(p) {
		if f.skip > 0 {
			n := min(f.skip, int64(len(p)-at))
			at += int(n)
			if f.skip -= n; f.skip == 0 {
				f.ended()
			}
			continue
		}
		n, err := f.inLine(p[at:])
		if err != nil {
			return at + n, err
		}
		at += n
	}
	return at, nil
}

// inLine takes bytes of a line, its end included if it is there.
func (f *Follower) inLine(p []byte) (int, error) {
	if f.kind == 0 {
		return f.begin(p[0])
	}
	switch f.kind {
	case '$', '*', '%', '~', '|', '>', '=', '!':
		return f.inHeader(p)
	}
	end := bytes.IndexByte(p, '\n')
	n := end + 1
	if end < 0 {
		n = len(p)
	}
	f.line += n
	if f.line > longestLine {
		return 0, f.tooLarge("a line longer than %d bytes", longestLine)
	}
	if f.kind == '-' && len(f.open) == 0 {
		f.said = append(f.said, p[:n]...)
	}
	if end < 0 {
		return n, nil
	}
	if err := f.spend(int64(f.line)); err != nil {
		return end, err
	}
	f.ended()
	return n, nil
}

func (f *Follower) begin(kind byte) (int, error) {
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(', '$', '*', '%', '~', '|', '>', '=', '!':
	default:
		return 0, &Error{What: "does not speak Redis's protocol", Kind: kind}
	}
	f.kind, f.line, f.value, f.minus, f.cr = kind, 1, 0, false, false
	if len(f.open) == 0 {
		f.spent, f.said = 0, f.said[:0]
	}
	return 1, nil
}

// inHeader reads the length that a string or an aggregate declares.
func (f *Follower) inHeader(p []byte) (int, error) {
	for i, c := range p {
		f.line++
		switch {
		case c == '\n' && f.cr:
			if err := f.declared(); err != nil {
				return i, err
			}
			return i + 1, nil
		case f.cr, f.line > 24:
			return i, f.malformed()
		case c == '\r' && (f.line > 3 || f.line == 3 && !f.minus):
			f.cr = true
		case c == '-' && f.line == 2:
			f.minus = true
		case c >= '0' && c <= '9' && f.value < 1<<56:
			f.value = f.value*10 + int64(c-'0')
		case c >= '0' && c <= '9':
			return i, f.tooLarge("a length of more than 16 digits")
		case c == '?':
			return i, &Error{What: "sends a message of unknown length, which RESP2 does not have"}
		default:
			return i, f.malformed()
		}
	}
	return len(p), nil
}

// declared acts on a whole header.
func (f *Follower) declared() error {
	if f.minus {
		if f.value != 1 {
			return f.malformed()
		}
		f.ended() // a null
		return nil
	}
	kind, n := f.kind, f.value
	cost := n
	switch kind {
	case '*', '~', '>':
		cost = n * elementCost
	case '%', '|':
		cost = n * pairCost
	}
	if n > f.Limit || f.spend(cost+int64(f.line)) != nil {
		return f.tooLarge("a message of more than %d bytes (it declares %c%d)", f.Limit, kind, n)
	}
	switch kind {
	case '$', '=', '!':
		f.skip, f.kind = n+2, 0
		return nil
	case '%':
		n *= 2
	case '|': // pairs that say something about the reply behind them
		n = 2*n + 1
	}
	if n == 0 {
		f.ended()
		return nil
	}
	if len(f.open) == deepest {
		return &Error{What: fmt.Sprintf("sends arrays more than %d deep", deepest)}
	}
	f.open, f.kind = append(f.open, n), 0
	return nil
}

// ended notes that a value is complete, and with it perhaps those around it.
func (f *Follower) ended() {
	f.kind = 0
	for len(f.open) > 0 {
		last := len(f.open) - 1
		if f.open[last]--; f.open[last] > 0 {
			return
		}
		f.open = f.open[:last]
	}
	f.Messages++
}

func (f *Follower) spend(n int64) error {
	if f.spent += n; f.spent > f.Limit {
		return f.tooLarge("a message of more than %d bytes", f.Limit)
	}
	return nil
}

// Said is the latest message, if it was an error: its text without what marks it as
// one, or "".
func (f *Follower) Said() string { return strings.TrimRight(string(f.said), "\r\n") }

// Whole reports whether no message is under way.
func (f *Follower) Whole() bool { return f.kind == 0 && f.skip == 0 && len(f.open) == 0 }

func (f *Follower) tooLarge(format string, args ...any) error {
	return &Error{Large: true, What: "sends " + fmt.Sprintf(format, args...)}
}

func (f *Follower) malformed() error {
	return &Error{What: "sends a length that is no number"}
}
