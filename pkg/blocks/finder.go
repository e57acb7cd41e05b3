package blocks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"

	"github.com/fhctl/fhctl/pkg/syntax"
)

// MaxWanted is how many different CIDs one Finder can look for: more than the
// ops of a commit (E1).
const MaxWanted = 256

// State is what a Finder knows of a wanted block.
type State uint8

// The states of a wanted block.
const (
	Missing State = iota // no section has its CID (B5)
	Damaged              // a section has it, but other bytes (B3)
	Found                // its bytes hash to the CID
)

// Finder finds the blocks of wanted CIDs in one pass over a CAR. Reset, Want
// each, Find, then ask Block. It allocates nothing once created; it is not safe
// for concurrent use.
type Finder struct {
	want []wanted
	// The table serves more than a few wanted blocks. The seed keeps senders
	// from choosing CIDs that collide in it.
	seed  maphash.Seed
	table [2 * MaxWanted]uint16 // index into want plus one; 0 is free
}

type wanted struct {
	cid, data []byte
	digest    uint64 // the first bytes of the CID's hash
	slot      uint16
	state     State
}

// few is how many wanted blocks are told apart faster one by one than by table:
// most commits want one.
const few = 4

// NewFinder makes an empty Finder.
func NewFinder() *Finder {
	return &Finder{seed: maphash.MakeSeed(), want: make([]wanted, 0, MaxWanted)}
}

// Reset forgets what was wanted and found.
func (f *Finder) Reset() {
	if len(f.want) > few {
		for i := range f.want {
			f.table[f.want[i].slot] = 0
		}
	}
	clear(f.want)
	f.want = f.want[:0]
}

// Want adds a CID of atproto's form (syntax.StrictCID) and returns its number
// for Block; a CID that is already wanted keeps its number. It is -1 for other
// CIDs and beyond MaxWanted. The Finder reads cid until Reset.
func (f *Finder) Want(cid []byte) int {
	if len(cid) != syntax.CIDLen || !syntax.StrictCID(cid, cid[1]) {
		return -1
	}
	if known := f.match(cid); known >= 0 {
		return known
	}
	number := len(f.want)
	switch {
	case number == MaxWanted:
		return -1
	case number == few: // from here on the table is used
		for i := range f.want {
			f.enter(i)
		}
	}
	f.want = append(f.want, wanted{cid: cid, digest: digest(cid)})
	if number >= few {
		f.enter(number)
	}
	return number
}

// enter puts a wanted block into the table.
func (f *Finder) enter(number int) {
	w := &f.want[number]
	w.slot, _ = f.lookup(w.cid)
	f.table[w.slot] = uint16(number + 1)
}

// digest is the first bytes of the hash in an atproto CID.
func digest(cid []byte) uint64 {
	return binary.LittleEndian.Uint64(cid[syntax.CIDLen-sha256.Size : syntax.CIDLen])
}

// lookup is the number of a wanted CID, or -1 and the slot where it would be.
func (f *Finder) lookup(cid []byte) (slot uint16, number int) {
	const mask = uint16(len(f.table) - 1)
	slot = uint16(maphash.Bytes(f.seed, cid)) & mask
	for ; f.table[slot] != 0; slot = (slot + 1) & mask {
		number = int(f.table[slot]) - 1
		if bytes.Equal(f.want[number].cid, cid) {
			return slot, number
		}
	}
	return slot, -1
}

// Find walks car to its end and keeps the wanted blocks. Where a CID occurs
// more than once, the first block that hashes to it wins. The error is under
// ErrCAR; root is the header's first root.
func (f *Finder) Find(car []byte) (root []byte, err error) {
	w, err := Walk(car)
	if err != nil {
		return nil, err
	}
	for {
		if len(f.want) == 1 {
			w.pass(f.want[0].digest)
		}
		cid, data, ok := w.Next()
		if !ok {
			return w.Root, w.Err()
		}
		if len(cid) != syntax.CIDLen {
			continue
		}
		if number := f.match(cid); number >= 0 {
			f.offer(number, data)
		}
	}
}

// offer takes data for a wanted block if it has the right hash.
func (f *Finder) offer(number int, data []byte) {
	w := &f.want[number]
	if w.state == Found {
		return
	}
	w.state = Damaged
	if sum := sha256.Sum256(data); bytes.Equal(sum[:], w.cid[syntax.CIDLen-sha256.Size:]) {
		w.state, w.data = Found, data
	}
}

// match is the number of a wanted CID, or -1.
func (f *Finder) match(cid []byte) int {
	if len(f.want) > few {
		_, number := f.lookup(cid)
		return number
	}
	first := digest(cid)
	for i := range f.want {
		if f.want[i].digest == first && bytes.Equal(f.want[i].cid, cid) {
			return i
		}
	}
	return -1
}

// Block is the wanted block with the number Want gave: part of the CAR given
// to Find, nil unless Found.
func (f *Finder) Block(number int) ([]byte, State) {
	w := &f.want[number]
	return w.data, w.state
}
