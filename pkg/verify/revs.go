package verify

import (
	"encoding/binary"
	"hash/maphash"
	"strings"
)

// revs remembers the last event of repositories: a fixed table of 8 MiB, in
// which a repository replaces another that shares its place. What is forgotten
// is not judged.
type revs struct{ slots []repo }

const revSlots = 1 << 18 // a power of two

// repo is where a repository stands. The zero value is none.
type repo struct {
	did  uint64 // hash
	tid  uint64 // the rev's number
	data uint64 // the first bytes of the tree's hash; 0 when unknown
	// known tells a repository of rev 0 from none.
	known bool
}

// The seed keeps foreign DIDs from choosing their places.
var repoSeed = maphash.MakeSeed()

// see returns what was known of a repository and remembers its new state. Rev
// is a valid TID. A state that is not newer than the known one is not kept.
func (r *revs) see(did, rev string, data []byte) (before repo) {
	if r.slots == nil {
		r.slots = make([]repo, revSlots)
	}
	now := repo{did: maphash.String(repoSeed, did), tid: number(rev), data: short(data), known: true}
	slot := &r.slots[now.did%revSlots]
	if slot.known && slot.did == now.did {
		before = *slot
		if now.tid <= before.tid {
			return before
		}
	}
	*slot = now
	return before
}

// short is enough of a tree's CID to tell it from others.
func short(cid []byte) uint64 {
	if len(cid) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(cid[len(cid)-8:])
}

const tidDigits = "234567abcdefghijklmnopqrstuvwxyz"

// number is a TID's value: thirteen digits of five bits, in the same order.
func number(tid string) (n uint64) {
	for _, c := range []byte(tid) {
		n = n<<5 | uint64(strings.IndexByte(tidDigits, c))
	}
	return n
}

// rev is the TID again.
func (r repo) rev() string {
	var text [13]byte
	for i := range text {
		text[len(text)-1-i] = tidDigits[r.tid>>(5*i)&31]
	}
	return string(text[:])
}
