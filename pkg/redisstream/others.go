package redisstream

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/reader"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
)

// others is what a Writer knows of entries that writers other than fhctl added with
// seqs above the cursor: a bridge that ran before this Writer, or runs beside it.
// What those hold is not stored a second time, and what they left out is stored
// unless it would come behind a later event of the same repository.
//
// Only what may still be needed is kept: entries above the cursor, mostOthers of
// them at a time. All of it can be read again from the stream: the side key says
// behind which id such entries begin (othersFrom) and how high their seqs go
// (othersTo), so that a process that dies midway is followed exactly.
type others struct {
	watching   bool // entries are looked for before each exchange
	left       []other
	looked     reader.ID // entries up to here were looked at; "" none were
	more       bool      // entries behind looked wait until some of left are done with
	sameRelay  bool      // an entry of theirs was the very event with that seq
	otherRelay bool      // one was not: their numbers mean something else
	sign       time.Time // when something of them was seen last
	verdicts   map[event.Seq]verdict
	again      event.Seq // entries up to here are our own: see Writer.Return
	most       int       // bounds left: mostOthers, less in tests
	teller     teller
}

// other is one entry that is not ours.
type other struct {
	id   reader.ID
	seq  event.Seq
	repo uint64 // hash of the DID; 0 when the entry does not tell it
}

// verdict is what becomes of an event of ours beside others' entries.
type verdict uint8

const (
	toStore verdict = iota
	isPresent
	isLost
	isOwn   // stored by our own kind before a Return
	isTaken // its number is
)

const (
	// mostOthers bounds how many entries of others are held in memory; the rest is
	// read when some of these are done with.
	mostOthers = 1 << 17
	// mostLooked is how far back the stream is searched when others are met for the
	// first time.
	mostLooked = 250_000
	// lookPage is how many entries one call looks at.
	lookPage = 1000
	// othersGone is how long nothing of others must be seen until they are no
	// longer looked for. A bridge saves its cursor every few seconds.
	othersGone = 30 * time.Second
)

// watch begins to look for others before each exchange.
func (o *others) watch() {
	if !o.watching {
		o.watching, o.looked, o.left, o.more = true, "", o.left[:0], false
		o.sameRelay, o.otherRelay = false, false
	}
	o.sign = time.Now()
}

// unwatch forgets them.
func (o *others) unwatch() {
	o.watching, o.looked, o.left, o.more, o.verdicts, o.again = false, "", nil, false, nil, 0
}

// from is the id behind which entries that are still needed begin.
func (o *others) from() reader.ID {
	if len(o.left) > 0 {
		if id, ok := o.left[0].id.Previous(); ok {
			return id
		}
		return "0-0"
	}
	return o.looked
}

// note adds to a side key that others' entries lie above a cursor.
func (o *others) note(head []byte, cursor event.Seq) []byte {
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

// done drops what the cursor has passed.
func (o *others) done(cursor event.Seq) {
	o.left = slices.DeleteFunc(o.left, func(e other) bool { return e.seq <= cursor })
}

// judge decides what becomes of the events of batches. trusted says that others
// are known to use the same relay's numbers.
func (o *others) judge(batches []*event.Batch, trusted bool) {
	o.verdicts = nil
	if len(o.left) == 0 {
		return
	}
	mine := map[event.Seq]uint64{}
	latest := map[uint64]event.Seq{}
	for _, b := range batches {
		for i := range b.Entries {
			repo := hashOf(entry.AccountOf(b.Entries[i].Data))
			mine[b.Entries[i].Seq], latest[repo] = repo, 0
		}
	}
	o.verdicts = map[event.Seq]verdict{}
	for _, e := range o.left {
		if repo, has := mine[e.seq]; has {
			same := e.repo == 0 || e.repo == repo
			if e.seq <= o.again {
				if o.verdicts[e.seq] = isOwn; !same {
					o.verdicts[e.seq] = isTaken
				}
				continue
			}
			o.sameRelay, o.otherRelay = o.sameRelay || same && e.repo != 0, o.otherRelay || !same
			if same {
				o.verdicts[e.seq] = isPresent
			}
		}
		if high, has := latest[e.repo]; has && e.repo != 0 && e.seq > o.again {
			latest[e.repo] = max(high, e.seq)
		}
	}
	if o.otherRelay || !trusted && !o.sameRelay {
		return
	}
	for seq, repo := range mine {
		if repo != 0 && latest[repo] > seq && o.verdicts[seq] == toStore {
			o.verdicts[seq] = isLost
		}
	}
}

// hashOf is a DID in eight bytes; 0 is none.
func hashOf(did []byte) uint64 {
	if len(did) == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(did)
	return max(h.Sum64(), 1)
}

// watch looks for what others did since the last exchange, if there are any, and
// judges the batches that are about to be sent.
func (w *Writer) watch(ctx context.Context, batches []*event.Batch) error {
	o := &w.others
	if !o.watching || w.at.expected == "" || w.at.jump {
		o.verdicts = nil
		return nil
	}
	var found event.Seq
	var present bool
	var stored *script.Side
	err := w.config.retry(ctx, "read cursor", func(ctx context.Context) error {
		text, has, side, err := w.readState(ctx)
		if err != nil {
			return err
		}
		stored = side
		found, present = event.ParseSeq(text)
		present = present && has
		return nil
	})
	if err != nil || !present {
		return err // what is wrong with the cursor is for the append to find
	}
	if stored == nil && w.hasSide && found == w.acked {
		return w.restore(ctx, w.acked.String(), found.String()) // ours vanished: the cursor is no bridge's
	}
	if stored != nil {
		o.again = max(o.again, event.Seq(stored.Again))
	}
	own := ownOr(stored, min(found, w.acked))
	if err := w.findOthers(ctx, own, stored); err != nil {
		return err
	}
	if found != own {
		if err := w.disputed(ctx, own, found, stored); err != nil {
			return err
		}
	}
	o.done(own)
	o.judge(batches, w.config.Identity.Relay == script.BridgeRelay)
	if len(o.left) > 0 {
		o.sign = time.Now()
	} else if !o.more && (time.Since(o.sign) > othersGone || o.again > 0 && o.again <= own) {
		o.unwatch()
	}
	return nil
}

// ownOr is where one of our kind left the cursor, or otherwise where that is not known.
func ownOr(stored *script.Side, otherwise event.Seq) event.Seq {
	if stored != nil && stored.OwnKnown {
		return stored.Own
	}
	return otherwise
}

// findOthers reads entries that were added since the last look, and keeps those above a
// cursor. The first look finds out where to begin.
func (w *Writer) findOthers(ctx context.Context, cursor event.Seq, stored *script.Side) error {
	o := &w.others
	start := "(" + string(o.looked)
	if o.looked == "" {
		first, err := w.firstOther(ctx, cursor, stored)
		if err != nil {
			return err
		}
		start = string(first)
	}
	for {
		if o.more = len(o.left) >= o.most; o.more {
			return nil
		}
		page, err := w.scan(ctx, "XRANGE", start, "+", cursor, "")
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
		if page.Looked < lookPage {
			return nil
		}
	}
}

// firstOther is where entries of others begin that lie above a cursor: where the
// side key says that a former look had begun, or the lowest such entry of those
// behind the beginning of this epoch, no more than mostLooked of them.
func (w *Writer) firstOther(ctx context.Context, cursor event.Seq, stored *script.Side) (reader.ID, error) {
	o := &w.others
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
	for looked := 0; looked < mostLooked; {
		page, err := w.scan(ctx, "XREVRANGE", start, string(low), cursor, "")
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
		if page.Looked < lookPage {
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

// scan looks at no more than lookPage entries.
func (w *Writer) scan(ctx context.Context, command, from, to string, cursor event.Seq, wanted string) (found script.Scanned, err error) {
	err = w.config.retry(ctx, "look for other writers' entries", func(ctx context.Context) (err error) {
		found, err = script.Scan{Command: command, From: from, To: to, Count: lookPage, Cursor: cursor, Wanted: wanted}.Run(ctx, w.client, w.config.StreamKey)
		return err
	})
	return found, err
}

// tellLost tells of events that another writer left out and that cannot be stored
// any more, since it stored later ones of the same repositories (G7).
func (w *Writer) tellLost(b *event.Batch) {
	n, first, last := 0, event.Seq(0), event.Seq(0)
	for i := range b.Entries {
		if seq := b.Entries[i].Seq; w.others.verdicts[seq] == isLost {
			if n++; first == 0 {
				first = seq
			}
			last = seq
		}
	}
	if n > 0 {
		w.others.teller.lost(w.config.Alarm, n, first, last)
	}
}

func rangeOf(first, last event.Seq) string {
	if first == last {
		return "seq " + first.String()
	}
	return fmt.Sprintf("seq %s to %s", first, last)
}
