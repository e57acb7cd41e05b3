package health

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
)

// What the status page remembers. All of it is bounded, whatever relay, Redis
// and records say.
const (
	keepNotes   = 30
	keepRejects = 20
	keepLatest  = 10
	latestEach  = 500 * time.Millisecond
	latestBytes = 16 << 10 // larger entries are shown without what they hold
	maxDetail   = 240      // bytes of a detail that are kept
)

// ring keeps the last of what was added, at most its limit.
type ring[T any] struct {
	limit int
	items []T // oldest first
}

func (r *ring[T]) add(item T) {
	if len(r.items) == r.limit {
		copy(r.items, r.items[1:])
		r.items = r.items[:len(r.items)-1]
	}
	r.items = append(r.items, item)
}

// newest copies the items, newest first.
func (r *ring[T]) newest() []T {
	out := make([]T, len(r.items))
	for i, item := range r.items {
		out[len(out)-1-i] = item
	}
	return out
}

// tone is how a status is coloured; a word always says the same.
type tone string

const (
	toneGood tone = "good"
	toneWait tone = "wait" // passes by itself, or is wanted
	toneBad  tone = "bad"  // somebody should look
	tonePale tone = "pale" // neither
)

// note is something that happened to the process, for the page's journal.
type note struct {
	at     time.Time // of the first
	last   time.Time
	times  int
	tone   tone
	what   string
	detail string
}

// note adds a note, or counts the newest one up when the same happens again, so
// that an outage of hours does not push out what went before. m.mu is held.
func (t *tally) note(now time.Time, tone tone, what, detail string) {
	detail = shown(detail)
	if n := len(t.notes.items); n > 0 {
		if last := &t.notes.items[n-1]; last.what == what {
			last.times++
			last.last, last.detail = now, detail
			return
		}
	}
	t.notes.add(note{at: now, last: now, times: 1, tone: tone, what: what, detail: detail})
}

// jotLink notes a change of the relay connection. m.mu is held.
func (t *tally) jotLink(now time.Time, link event.Link, wasUp bool) {
	switch {
	case link.State == event.LinkUp && !wasUp:
		t.note(now, toneGood, "Connected to the relay", "from "+link.From.String())
	case link.State == event.LinkHeld:
		t.note(now, toneBad, "Reading is held: "+t.held, plain(link.Err))
	case link.State == event.LinkDown && wasUp:
		t.note(now, toneWait, "Relay connection ended", detailOf(link.Cause, link.Err, link.Retry))
	case link.State == event.LinkDown:
		t.note(now, toneBad, "Relay cannot be reached", detailOf(link.Cause, link.Err, link.Retry))
	}
}

// jotStore notes that Redis stopped or started taking batches. m.mu is held.
func (t *tally) jotStore(now time.Time, store event.Store) {
	switch {
	case !store.Up && store.Cause == "full":
		t.note(now, toneBad, "The stream is full", detailOf("waiting for readers", store.Err, store.Retry))
	case !store.Up:
		t.note(now, toneBad, "Redis does not take batches", detailOf(store.Cause, store.Err, store.Retry))
	case t.storeSeen && !t.store.Up:
		t.note(now, toneGood, "Redis takes batches again", fmt.Sprintf("after %d tries", store.Attempt))
	}
}

// jotRole notes that another process leads now, or this one does. m.mu is held.
func (t *tally) jotRole(now time.Time, r event.Role) {
	switch {
	case t.roleSeen && t.role.Leading == r.Leading:
	case r.Leading:
		t.note(now, toneGood, "Leading", "this process stores")
	default:
		t.note(now, toneWait, "Standing by", r.By+" leads")
	}
}

// refusal is a reject as the page shows it.
type refusal struct {
	at     time.Time
	reason event.Reason
	seq    event.Seq
	detail string
	bytes  int
}

// latest keeps a sample of stored entries. It has a lock of its own, which
// Stored never waits for: the page may read entries under it.
type latest struct {
	mu    sync.Mutex
	next  time.Time
	slots [keepLatest]glimpse
	at    int // of the oldest slot
}

// glimpse is one sampled entry.
type glimpse struct {
	at   time.Time
	kind event.Kind
	seq  event.Seq
	data []byte // empty for a large entry
	size int
	read bool // the fields below are filled in
	did  string
	what string
	path string
}

// sample copies the batch's last entry, twice a second.
func (l *latest) sample(now time.Time, b *event.Batch) {
	if len(b.Entries) == 0 || !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	if now.Before(l.next) {
		return
	}
	l.next = now.Add(latestEach)
	e := &b.Entries[len(b.Entries)-1]
	g := &l.slots[l.at]
	l.at = (l.at + 1) % len(l.slots)
	*g = glimpse{at: now, kind: e.Kind, seq: e.Seq, size: len(e.Data), data: g.data[:0]}
	if len(e.Data) <= latestBytes {
		g.data = append(g.data, e.Data...)
	}
}

// newest gives copies without data, newest first.
func (l *latest) newest() []glimpse {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []glimpse
	for i := range l.slots {
		g := &l.slots[(l.at+len(l.slots)-1-i)%len(l.slots)]
		if g.at.IsZero() {
			break
		}
		g.describe()
		found := *g
		found.data = nil
		out = append(out, found)
	}
	return out
}

// describe reads what the entry holds, once.
func (g *glimpse) describe() {
	if g.read {
		return
	}
	g.read = true
	var outline entry.Outline
	if len(g.data) == 0 || outline.Read(string(g.data)) != nil {
		return
	}
	g.did = shown(strings.Clone(outline.DID))
	if len(outline.Ops) > 0 {
		op := &outline.Ops[0]
		g.what, g.path = shown(strings.Clone(op.Action)), shown(strings.Clone(op.Path))
	}
	if more := len(outline.Ops) - 1; more > 0 {
		g.what = fmt.Sprintf("%s +%d", g.what, more)
	}
}
