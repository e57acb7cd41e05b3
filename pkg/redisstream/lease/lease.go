package lease

import (
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// Lasts is how long a writer leads after its last sign of life. It
	// bounds how long nobody stores when a leader dies.
	Lasts = 1500 * time.Millisecond
	// RenewEach is how often a leader with nothing to store renews.
	RenewEach = Lasts / 3
	// FrozenAfter is how long a lease may stay as it is, by the clock of one that
	// stands by, before its writer is taken for dead, whatever Redis's clock
	// says. It is longer than a leader takes to renew when it waits for room.
	FrozenAfter = 2 * Lasts
	// SideWithin is how long the side key of a cursor that another writer moves may be
	// missing: the leader writes it again with its next batch.
	SideWithin = 2 * Lasts
)

// Lease is what a writer knows of who leads. The zero Lease takes no part. One goroutine
// at a time.
type Lease struct {
	// ID is this writer's in the lease; "" takes no part.
	ID string
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time

	state   State
	renewed time.Time // when Redis last gave or prolonged it
	// another is set once another writer has moved the cursor.
	another bool
	// seen is the lease of another as it was last read, and seenSince when first.
	seen      string
	seenSince time.Time
	// sideMissingSince is since when the cursor followed has had no side key.
	sideMissingSince time.Time
}

// New gives each writer an id of its own, NAME/RANDOM/PID@WHERE: a process
// that was restarted under the same name is another writer. Without a name it takes no
// part.
func New(name string) Lease {
	if name == "" {
		return Lease{}
	}
	return Lease{ID: fmt.Sprintf("%s/%s/%d@%s", name, strings.ToLower(rand.Text()[:8]), os.Getpid(), pidSpace())}
}

func (l *Lease) now() time.Time {
	if l.Clock != nil {
		return l.Clock()
	}
	return time.Now()
}

// State is the state that the answers so far led to.
func (l *Lease) State() State { return l.state }

// Leads reports whether this writer leads; one that takes no part always does.
func (l *Lease) Leads() bool { return l.ID == "" || l.state == Leading }

// Followed reports whether another writer leads, or did and its end is not dealt with.
func (l *Lease) Followed() bool { return l.state == Following || l.state == Unsure }

// AnotherHasLed reports whether another writer has moved the cursor: a place this
// run was asked to begin from is then a thing of the past.
func (l *Lease) AnotherHasLed() bool { return l.another }

// NoteAnother notes that another writer has moved the cursor.
func (l *Lease) NoteAnother() { l.another = true }

// RenewalDue reports whether a leader that stores nothing has to renew.
func (l *Lease) RenewalDue() bool { return l.now().Sub(l.renewed) >= RenewEach }

// RunOut reports whether the lease has run out, as far as this writer knows.
func (l *Lease) RunOut() bool { return l.now().Sub(l.renewed) > Lasts }

// Take goes to the state that an answer leads to, and tells what is to be done.
func (l *Lease) Take(a Answer) Action {
	if l.ID == "" {
		return Nothing
	}
	if a == NoSideElsewhere && l.state == Unsure && l.now().Sub(l.sideMissingSince) > SideWithin {
		a = NoSideForLong
	}
	step := Table(l.state, a)
	switch {
	case step.Next == Leading && a <= GivenDisputed:
		l.renewed, l.seen = l.now(), ""
	case step.Next == Unsure && l.state != Unsure:
		l.sideMissingSince = l.now()
	}
	l.state = step.Next
	return step.Do
}

// Frozen reports whether another's lease has not been renewed for so long that it
// ought to have expired: Redis's clock was set back, or stands.
func (l *Lease) Frozen(lease string) bool {
	if lease != l.seen {
		l.seen, l.seenSince = lease, l.now()
		return false
	}
	_, counted := Parse(lease)
	return counted && l.now().Sub(l.seenSince) > FrozenAfter
}

// Name is the name in an id, which is all that people want to read.
func Name(id string) string {
	parts := strings.Split(id, "/")
	return strings.Join(parts[:max(1, len(parts)-2)], "/")
}

// Parse splits a lease into a writer's id and whether a number behind it rises
// with each renewal; older versions wrote the id alone.
func Parse(lease string) (id string, counted bool) {
	if i := strings.LastIndexByte(lease, '#'); i >= 0 {
		return lease[:i], true
	}
	return lease, false
}

// Dead reports whether the writer with that lease is a process of this machine that
// has ended. It is false whenever that cannot be known.
func Dead(lease string) bool {
	id, _ := Parse(lease)
	i := strings.LastIndexByte(id, '/')
	pid, where, ok := strings.Cut(id[i+1:], "@")
	n, err := strconv.Atoi(pid)
	return ok && err == nil && n > 0 && where != "" && where == pidSpace() && ended(n)
}
