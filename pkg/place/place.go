package place

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/fault"
	"github.com/fhctl/fhctl/pkg/text"
)

// Kind is how a place is given.
type Kind uint8

// The kinds. Unset is the zero Place: nothing was given.
const (
	Unset  Kind = iota
	Oldest      // the first there is
	Newest      // the last there is now
	Live        // what comes from now on
	Saved       // where the saved cursor stands
	Seq         // a relay's number
	ID          // a stream entry's
	Time        // a moment
)

// Place is a place as it was named. Seq, ID and Time are set for their kinds only.
type Place struct {
	Kind Kind
	Seq  event.Seq
	ID   string // "ms-n", decimal
	Time time.Time
	Text string // as given, for messages; "" when nothing was
}

// Hint says what can be written.
const Hint = "write a seq (7000000123), an entry id (1767225600000-0), a time (2026-01-02T15:04:05Z, or 15:04), how long ago (10m), oldest, newest or live"

// words are the places with a name of their own.
var words = map[string]Kind{
	"oldest": Oldest, "newest": Newest, "live": Live, "saved": Saved,
}

var (
	idForm     = regexp.MustCompile(`^(?:\{[0-9]{1,2}\}:)?([0-9]{1,20}-[0-9]{1,20})$`)
	groupsForm = regexp.MustCompile(`^[0-9]{1,3}(?:,[0-9]{3}){2,}$`) // as progress and tables print a seq
	digitsForm = regexp.MustCompile(`^[0-9]+$`)
	seqForm    = regexp.MustCompile(`^(?i:seq)[:= ](.*)$`)
)

// Parse reads a place. The error is of class usage and says what is wrong with
// the text, beginning with it; its hint says what to write.
func Parse(text string, now time.Time) (Place, error) {
	p := Place{Text: text}
	if kind, ok := words[strings.ToLower(text)]; ok {
		p.Kind = kind
		return p, nil
	}
	if m := seqForm.FindStringSubmatch(text); m != nil {
		return p.number(ungrouped(m[1]))
	}
	if groupsForm.MatchString(text) {
		return p.number(ungrouped(text))
	}
	if digitsForm.MatchString(text) {
		if err := clockNumber(text, now); err != nil {
			return p, err
		}
		return p.number(text)
	}
	if m := idForm.FindStringSubmatch(text); m != nil {
		p.Kind, p.ID = ID, m[1]
		for part := range strings.SplitSeq(p.ID, "-") {
			if _, err := strconv.ParseUint(part, 10, 64); err != nil {
				return p, wrong(text, "is no entry's id: its halves are below 2^64", Hint)
			}
		}
		return p, nil
	}
	at, ok := moment(text, now)
	if !ok {
		return p, wrong(text, "is not a place in a stream", Hint)
	}
	p.Kind, p.Time = Time, at
	return p, nil
}

func ungrouped(digits string) string {
	if groupsForm.MatchString(digits) {
		return strings.ReplaceAll(digits, ",", "")
	}
	return digits
}

// number reads a seq. It forgives the leading zeros that people copy from padded
// logs.
func (p Place) number(digits string) (Place, error) {
	if !digitsForm.MatchString(digits) {
		return p, wrong(p.Text, "is not a seq", "write it like seq:7000000123")
	}
	if short := strings.TrimLeft(digits, "0"); short != "" {
		digits = short
	}
	seq, ok := event.ParseSeq(digits)
	if !ok {
		return p, wrong(p.Text, "is above every seq a relay can send", Hint)
	}
	p.Kind, p.Seq = Seq, seq
	return p, nil
}

// Error is what is wrong with a text: the rest of a sentence that begins with it.
type Error struct{ Text, What string }

// Error is the sentence, with as much of the text as a line holds.
func (e *Error) Error() string { return fmt.Sprintf("%.80q %s", e.Text, e.What) }

func wrong(text, what, hint string) error {
	return fault.New(fault.Usage, &Error{text, what}, hint)
}

// Open reports whether the place bounds nothing as a beginning: nothing was given,
// or the oldest was asked for.
func (p Place) Open() bool { return p.Kind == Unset || p.Kind == Oldest }

// Measured reports whether the place is found by looking into a stream.
func (p Place) Measured() bool { return p.Kind == Newest || p.Kind == ID || p.Kind == Time }

// Behind reports whether p lies behind q by what both say. Places of different
// kinds cannot be compared without a stream.
func (p Place) Behind(q Place) bool {
	if p.Kind != q.Kind {
		return false
	}
	switch p.Kind {
	case Seq:
		return p.Seq > q.Seq
	case Time:
		return p.Time.After(q.Time)
	case ID:
		return compareIDs(p.ID, q.ID) > 0
	}
	return false
}

func compareIDs(a, b string) int {
	ams, an, _ := strings.Cut(a, "-")
	bms, bn, _ := strings.Cut(b, "-")
	if c := compareDigits(ams, bms); c != 0 {
		return c
	}
	return compareDigits(an, bn)
}

func compareDigits(a, b string) int {
	x, _ := strconv.ParseUint(a, 10, 64)
	y, _ := strconv.ParseUint(b, 10, 64)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// String is the place with the moment that was understood, where the text alone
// does not tell it.
func (p Place) String() string {
	moment := text.Time(p.Time)
	said := strings.Replace(strings.ToUpper(p.Text), "T", " ", 1)
	if p.Kind != Time || strings.HasPrefix(moment, said) || strings.HasSuffix(said, "Z") && strings.HasPrefix(said, moment[:len(moment)-1]) {
		return p.Text
	}
	return fmt.Sprintf("%s (%s)", p.Text, moment)
}

// The years of which a clock's number is not taken for a seq.
var firstClock = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)

const lastClock = 366 * 24 * time.Hour // from now

// clockNumber refuses digits that a clock shows: seconds, milliseconds,
// microseconds or nanoseconds since 1970.
func clockNumber(digits string, now time.Time) error {
	at, unit := clockOf(digits, now)
	if unit == "" {
		return nil
	}
	named := at.UTC().Format("2006-01-02T15:04:05Z")
	hint := fmt.Sprintf("for the time write %s, for the seq write seq:%s", named, digits)
	if unit == "milliseconds" {
		hint = fmt.Sprintf("for the time write %s, for the entry id %s-0, for the seq seq:%s", named, digits, digits)
	}
	return wrong(digits, "may be a seq or "+unit+" since 1970", hint)
}

func clockOf(digits string, now time.Time) (at time.Time, unit string) {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return at, ""
	}
	for _, clock := range []struct {
		unit string
		at   time.Time
	}{
		{"seconds", time.Unix(min(n, 1<<40), 0)}, {"milliseconds", time.UnixMilli(min(n, 1<<50))},
		{"microseconds", time.UnixMicro(n)}, {"nanoseconds", time.Unix(0, n)},
	} {
		if !clock.at.Before(firstClock) && clock.at.Before(now.Add(lastClock)) {
			return clock.at, clock.unit
		}
	}
	return at, ""
}

// Text is a seq as a person can type it: with seq: in front where the digits alone
// could be a clock's.
func Text(seq event.Seq, now time.Time) string {
	if _, unit := clockOf(seq.String(), now); unit != "" {
		return "seq:" + seq.String()
	}
	return seq.String()
}
