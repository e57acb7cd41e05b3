package endtest

import (
	"fmt"
	"regexp"
	"sync"

	"github.com/fhctl/fhctl/pkg/event"
)

// item is an event of the relay's log that must become an entry.
type item struct {
	seq        event.Seq
	kind, data string
}

// oracle says what the stream must be. It is asked after every command that the
// store has run, while nothing else runs.
type oracle struct {
	store *store

	mu     sync.Mutex // guards log, newest and wrong
	log    []item
	newest event.Seq // of any event the relay has made
	wrong  string    // the first thing that was not as it must be

	memory
}

// memory is what the oracle knows of the store's content; it goes back with it.
type memory struct {
	lastID  string
	lastSeq event.Seq // of the newest entry; 0 while there is none
	passed  event.Seq // every item up to here is accounted for
	cold    bool      // a process has started while there was no cursor
	flushed bool      // everything was taken away; the next cursor tells how far back
	unaided bool      // a process has started while there was no side key
	moves   int       // changes in the operator's history
	undone  event.Seq // what was passed before the last move or rollback; 0 once an entry followed it
	again   int       // entries stored once more, by right
	owed    event.Seq // the first of a stream that was deleted, until reading has gone back below it
	strange string    // what a stranger wrote into the cursor's key; "" when nobody did
	set     event.Seq // where a writer or an operator had left a cursor that is gone, as the side key tells
	adopted event.Seq // entries up to here may be taken for a bridge's that ran before: none has to be stored again
}

// made notes that the relay has made an event; want is nil when it yields no
// entry.
func (o *oracle) made(seq event.Seq, want *item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.newest = seq
	if want != nil {
		o.log = append(o.log, *want)
	}
}

func (o *oracle) complain(format string, args ...any) {
	if o.wrong == "" {
		o.wrong = fmt.Sprintf(format, args...)
		o.store.counts.tell("wrong: %s", o.wrong)
	}
}

func (o *oracle) verdict() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wrong
}

// next is the first item above seq; nil when the relay has made none yet.
func (o *oracle) next(seq event.Seq) *item {
	low, high := 0, len(o.log)
	for low < high {
		if mid := (low + high) / 2; o.log[mid].seq > seq {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low == len(o.log) {
		return nil
	}
	return &o.log[low]
}

// due is the first item above seq that has to be stored.
func (o *oracle) due(seq event.Seq) *item { return o.next(max(seq, o.adopted)) }

// check looks at what changed since the last command.
func (o *oracle) check() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.operator()
	o.entries()
	text, err := o.store.redis.Get(cursorKey)
	if err != nil {
		return // there is none, or something else is there
	}
	if o.strange != "" && text == o.strange {
		return // nobody has followed it yet, and nobody may
	}
	if cursor, ok := event.ParseSeq(text); ok {
		o.strange = ""
		o.cursor(cursor)
	}
}

// operator sees a move of the cursor at the moment it is made: reading begins
// again from there, whatever was stored before.
func (o *oracle) operator() {
	changes, _ := o.store.redis.Stream(historyKey)
	if len(changes) <= o.moves {
		return
	}
	o.moves = len(changes)
	for i, values := 0, changes[len(changes)-1].Values; i+1 < len(values); i += 2 {
		if to, ok := event.ParseSeq(values[i+1]); values[i] == "after" && ok {
			o.undone = max(o.passed, o.undone)
			o.passed, o.flushed, o.cold = to, false, false
		}
	}
}

// entries demands that each new entry is the next item (G1, G2, G3).
func (o *oracle) entries() {
	entries, _ := o.store.redis.Stream(streamKey)
	first := len(entries)
	for first > 0 && entries[first-1].ID != o.lastID {
		first--
	}
	if o.lastID == "" {
		first = 0
	}
	for _, e := range entries[first:] {
		o.lastID = e.ID
		o.store.counts.add("entries")
		o.entry(e.ID, e.Values)
	}
}

func (o *oracle) entry(id string, values []string) {
	if len(values) < 6 || values[0] != "type" || values[2] != "data" || values[4] != "seq" {
		o.complain("entry %s has fields %.200q", id, values)
		return
	}
	seq, _ := event.ParseSeq(values[5])
	if o.owed > 0 {
		o.complain("G1: entry %s holds seq %s, but the stream was deleted, and what it held from %s on was not read again", id, seq, o.owed)
	}
	want := o.next(o.passed)
	if o.cold && len(o.log) > 0 && seq == o.log[0].seq && o.passed >= seq {
		// Without a cursor a process begins where it was told: at the oldest.
		o.again++
		o.passed, want, o.cold, o.flushed = 0, &o.log[0], false, false
	}
	if due := o.due(o.passed); want != nil && seq > want.seq && (due == nil || seq <= due.seq) {
		want = o.next(seq - 1) // those before it are there
	}
	switch {
	case want == nil || seq < want.seq:
		o.complain("G2/G3: entry %s holds seq %s, but everything up to %s is stored", id, seq, o.passed)
	case seq > want.seq:
		o.complain("G1: entry %s holds seq %s, but seq %s comes first and is missing", id, seq, want.seq)
	case values[1] != want.kind || values[3] != want.data:
		o.complain("entry %s, seq %s, holds %s %.200s, want %s %.200s", id, seq, values[1], values[3], want.kind, want.data)
	}
	o.store.counts.tell("entry %s, seq %s", id, seq)
	o.lastSeq, o.passed, o.undone = seq, max(o.passed, seq), 0
}

// cursor demands that the cursor passes nothing that is missing (G1).
func (o *oracle) cursor(c event.Seq) {
	if o.owed > 0 {
		if c >= o.owed {
			return // nobody has noticed yet
		}
		o.passed, o.owed = c, 0
	}
	if o.cold || o.flushed || o.unaided && c == 0 {
		// It was gone, or the note that it was once asked to begin at the
		// oldest was. Where it comes back reading begins: never above what
		// was stored, which the next check sees.
		o.cold, o.flushed, o.passed = false, false, min(c, o.passed)
		if c == 0 {
			o.unaided = false // by now; another writer may have written a side key before
		}
	}
	if o.set > 0 && c == o.set {
		o.passed = c // the side key told of it
	}
	o.set = 0
	if next := o.due(o.passed); next != nil && c >= next.seq {
		o.complain("G1: the cursor is %s, but seq %s is not stored", c, next.seq)
	}
	if c > max(o.newest, o.passed) {
		o.complain("the cursor is %s, but the relay has made only %s", c, o.newest)
	}
}

// rolledBack is told with the store's turn held. Writers still believe what was
// stored before, until they see what is left of it.
func (o *oracle) rolledBack(to memory) {
	to.undone = max(o.passed, o.undone)
	o.memory = to
}

// unnoted is told when the side key is taken away: whoever starts now takes the cursor
// for a bridge's, and entries above it for what that one stored.
func (o *oracle) unnoted() {
	o.mu.Lock()
	defer o.mu.Unlock()
	entries, _ := o.store.redis.Stream(streamKey)
	for _, e := range entries {
		if seq, ok := event.ParseSeq(e.Values[5]); ok {
			o.adopted = max(o.adopted, seq)
		}
	}
}

// emptied is told after FLUSHALL, with the store's turn held.
func (o *oracle) emptied(unheard bool) {
	o.lastID, o.lastSeq, o.moves, o.adopted = "", 0, 0, 0
	o.bereft(unheard)
}

// vanished is told when the stream is deleted under its cursor, with the store's turn
// held. No group had acknowledged any of it, for there is none.
func (o *oracle) vanished(first event.Seq) {
	o.lastID, o.lastSeq, o.undone, o.adopted, o.owed = "", 0, 0, 0, first
}

// bereft is told when the cursor is taken away. Reading goes on from where the side
// key tells that it was left, or from the newest entry; without one, from as far
// back as the writer knows to go. A writer that has heard of no stored batch yet begins
// where it was told.
func (o *oracle) bereft(unheard bool) {
	side, _ := o.store.redis.Get(sideKey)
	if told := regexp.MustCompile(`"(?:set|upto)":"?(\d+)`).FindStringSubmatch(side); told != nil {
		o.set, _ = event.ParseSeq(told[1])
	}
	o.passed, o.undone = max(o.passed, o.undone), 0
	if o.lastSeq > 0 {
		o.passed = o.lastSeq
	} else {
		o.flushed = true
	}
	o.cold = o.cold || unheard
}

// complete is nil once everything the relay made is accounted for and stored.
func (o *oracle) complete() error {
	o.store.turn.Lock()
	defer o.store.turn.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if next := o.due(o.passed); next != nil {
		return fmt.Errorf("seq %s is not stored; everything up to %s is", next.seq, o.passed)
	}
	if text, _ := o.store.redis.Get(cursorKey); text != max(o.newest, o.passed).String() {
		return fmt.Errorf("the cursor is %q, the relay's newest event %s", text, o.newest)
	}
	return nil
}
