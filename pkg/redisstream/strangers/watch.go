package strangers

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// Watch is what a writer knows of entries that writers of other kinds added with
// seqs above the cursor: a bridge that ran before this writer, or runs beside it.
// What those hold is not stored a second time, and what they left out is stored
// unless it would come behind a later event of the same repository.
//
// Only what may still be needed is kept: entries above the cursor, Most of
// them at a time. All of it can be read again from the stream: the side key says
// behind which id such entries begin (othersFrom) and how high their seqs go
// (othersTo), so that a process that dies midway is followed exactly.
//
// A Watch has no lock: whoever holds the writer's may use it.
type Watch struct {
	Stream
	Most  int              // bounds the entries that are kept in memory
	Clock func() time.Time // what tells how long nothing was seen

	watching   bool // entries are looked for before each exchange
	left       []other
	looked     reader.ID // entries up to here were looked at; "" none were
	more       bool      // entries behind looked wait until some of left are done with
	sameRelay  bool      // an entry of theirs was the very event with that seq
	otherRelay bool      // one was not: their numbers mean something else
	sign       time.Time // when something of them was seen last
	verdicts   map[event.Seq]Verdict
	again      event.Seq // entries up to here are our own: see OwnUpTo
}

// New watches a stream once Start is called.
func New(s Stream) Watch { return Watch{Stream: s, Most: mostOthers, Clock: time.Now} }

// other is one entry that is not ours.
type other struct {
	id   reader.ID
	seq  event.Seq
	repo uint64 // hash of the DID; 0 when the entry does not tell it
}

const (
	// mostOthers bounds how many entries of others are held in memory; the rest is
	// read when some of these are done with.
	mostOthers = 1 << 17
	// othersGone is how long nothing of others must be seen until they are no
	// longer looked for. A bridge saves its cursor every few seconds.
	othersGone = 30 * time.Second
)

// Start begins to look for others before each exchange, or tells that one of them was
// heard of again.
func (o *Watch) Start() {
	if !o.watching {
		o.watching, o.looked, o.left, o.more = true, "", o.left[:0], false
		o.sameRelay, o.otherRelay = false, false
	}
	o.sign = o.Clock()
}

// Stop forgets them.
func (o *Watch) Stop() {
	o.watching, o.looked, o.left, o.more, o.verdicts, o.again = false, "", nil, false, nil, 0
}

// Watching reports whether others are looked for.
func (o *Watch) Watching() bool { return o.watching }

// Some reports whether entries of others are known, or may still be found, above the
// cursor.
func (o *Watch) Some() bool { return len(o.left) > 0 || o.more }

// Kept is how many entries are kept in memory.
func (o *Watch) Kept() int { return len(o.left) }

// OwnUpTo says that entries up to a seq are our own, stored before the cursor was moved
// back over them. They are looked for like those of others.
func (o *Watch) OwnUpTo(seq event.Seq) { o.again = max(o.again, seq) }

// From is the id behind which entries that are still needed begin.
func (o *Watch) From() reader.ID {
	if len(o.left) > 0 {
		if id, ok := o.left[0].id.Previous(); ok {
			return id
		}
		return "0-0"
	}
	return o.looked
}

// Note adds to a side key that others' entries lie above a cursor.
func (o *Watch) Note(head []byte, cursor event.Seq) []byte {
	if !o.watching {
		return head
	}
	to := event.Seq(0)
	for i := range o.left {
		to = max(to, o.left[i].seq)
	}
	if o.more {
		to = max(to, cursor+1) // how high they go is not known yet
	}
	if to <= cursor {
		return head
	}
	if o.again > cursor {
		head = strconv.AppendInt(append(head, `,"again":`...), int64(o.again), 10)
	}
	return strconv.AppendInt(append(head, `,"othersTo":`...), int64(to), 10)
}

// Rest ends the watch once nothing of others lies above the cursor and nothing was seen of
// them for long.
func (o *Watch) Rest(cursor event.Seq) {
	if len(o.left) > 0 {
		o.sign = o.Clock()
	} else if !o.more && (o.Clock().Sub(o.sign) > othersGone || o.again > 0 && o.again <= cursor) {
		o.Stop()
	}
}

// Done drops what the cursor has passed.
func (o *Watch) Done(cursor event.Seq) {
	o.left = slices.DeleteFunc(o.left, func(e other) bool { return e.seq <= cursor })
}

// Find reads entries that were added since the last look, and keeps those above a
// cursor. The first look finds out where to begin. It waits for Redis.
func (o *Watch) Find(ctx context.Context, cursor event.Seq, stored *script.Side) error {
	start := "(" + string(o.looked)
	if o.looked == "" {
		first, err := o.firstOther(ctx, cursor, stored)
		if err != nil {
			return err
		}
		start = string(first)
	}
	for {
		if o.more = len(o.left) >= o.Most; o.more {
			return nil
		}
		page, err := o.scan(ctx, "XRANGE", start, "+", cursor, "")
		if err != nil {
			return err
		}
		for _, e := range page.Above {
			o.left = append(o.left, other{id: reader.ID(e.ID), seq: e.Seq, repo: hashOf([]byte(e.DID))})
		}
		if page.Looked > 0 {
			o.looked = reader.ID(page.Last)
			start = "(" + page.Last
		}
		if page.Looked < LookPage {
			return nil
		}
	}
}

// firstOther is where entries of others begin that lie above a cursor: where the
// side key says that a former look had begun, or the lowest such entry of those
// behind the beginning of this epoch, no more than MostLooked of them.
func (o *Watch) firstOther(ctx context.Context, cursor event.Seq, stored *script.Side) (reader.ID, error) {
	low := reader.ID("-")
	if stored != nil {
		if _, ok := reader.ParseID(stored.OthersFrom); ok {
			low = "(" + reader.ID(stored.OthersFrom)
		}
		if stored.OthersTo > int64(cursor) {
			return low, nil
		}
	}
	first, start := reader.ID(""), "+"
	for looked := 0; looked < MostLooked; {
		page, err := o.scan(ctx, "XREVRANGE", start, string(low), cursor, "")
		if err != nil {
			return "", err
		}
		if n := len(page.Above); n > 0 {
			first = reader.ID(page.Above[n-1].ID)
		}
		if page.Looked > 0 && o.looked == "" {
			o.looked = reader.ID(page.First)
		}
		looked += page.Looked
		start = "(" + page.Last
		if page.Looked < LookPage {
			break
		}
	}
	if first == "" { // nothing: go on from the newest entry
		if o.looked == "" {
			return low, nil
		}
		return "(" + o.looked, nil
	}
	return first, nil
}
