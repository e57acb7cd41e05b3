package pipeline

import (
	"hash/maphash"
	"strings"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
)

// revs remembers the last rev of recently active repositories, to know events
// again that come under new numbers after a host became another relay (Q8). It
// judges only then: in steady flow the sequence alone decides, and a commit is
// never withheld because of its rev.
//
// The memory is a fixed 2 MiB: enough for minutes of the whole network, so a
// relay that replays hours repeats what is older than that. It does not survive
// a restart.
type revs struct {
	slots []repoRev
	until time.Time // repeats are expected until events are as late as this
}

const revSlots = 1 << 17 // a power of two

// repoRev is a repository's rev, both as numbers. The zero value is none.
type repoRev struct{ repo, rev uint64 }

// The seed keeps an attacker from choosing DIDs that share a slot.
var repoSeed = maphash.MakeSeed()

func newRepoRev(did, rev []byte) repoRev {
	number, ok := revNumber(rev)
	if !ok {
		return repoRev{}
	}
	return repoRev{repo: maphash.Bytes(repoSeed, did), rev: number}
}

const revAlphabet = "234567abcdefghijklmnopqrstuvwxyz"

var revDigits = func() (digits [256]int8) {
	for i := range digits {
		digits[i] = int8(strings.IndexByte(revAlphabet, byte(i)))
	}
	return digits
}()

// revNumber is a TID's value: thirteen digits of five bits, order kept. The
// first digit of a valid rev is at most "j" (V2), so it fits.
func revNumber(rev []byte) (n uint64, ok bool) {
	if len(rev) != 13 || rev[0] > 'j' {
		return 0, false
	}
	for _, c := range rev {
		digit := revDigits[c]
		if digit < 0 {
			return 0, false
		}
		n = n<<5 | uint64(digit)
	}
	return n, true
}

// repeats reports whether the mark is a commit that was delivered before, under
// another number; otherwise it remembers the commit.
func (r *revs) repeats(m *mark) bool {
	if m.repo == (repoRev{}) {
		return false
	}
	if r.slots == nil {
		r.slots = make([]repoRev, revSlots)
	}
	slot := &r.slots[m.repo.repo%revSlots]
	known := slot.repo == m.repo.repo && m.repo.rev <= slot.rev
	if known && r.expecting(m.time) {
		return true
	}
	if !known {
		*slot = m.repo
	}
	return false
}

// caughtUp is how much later than those events one may claim to be to end the
// suspicion: a time far off says nothing (E6).
const caughtUp = 10 * time.Minute

// expecting ends the suspicion once events are as late as those stored before
// the numbering changed.
func (r *revs) expecting(now []byte) bool {
	if r.until.IsZero() {
		return false
	}
	at, ok := event.ParseTime(string(now))
	if ok && at.After(r.until) && at.Before(r.until.Add(caughtUp)) {
		r.until = time.Time{}
	}
	return !r.until.IsZero()
}
