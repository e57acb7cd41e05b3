package blocks

import (
	"bytes"
	"crypto/sha256"
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
	// seed keeps senders from choosing CIDs that collide in the table.
	seed  maphash.Seed
	want  []wanted
	table [2 * MaxWanted]uint16 // index into want plus one; 0 is free
}

type wanted struct {
	cid, data []byte
	slot      uint16
	state     State
}

// NewFinder makes an empty Finder.
func NewFinder() *Finder {
	return &Finder{seed: maphash.MakeSeed(), want: make([]wanted, 0, MaxWanted)}
}

// Reset forgets what was wanted and found.
func (f *Finder) Reset() {
	for i := range f.want {
		f.table[f.want[i].slot] = 0
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
	slot, _ := f.lookup(cid)
	if len(f.want) == MaxWanted {
		return -1
	}
	f.want = append(f.want, wanted{cid: cid, slot: slot})
	f.table[slot] = uint16(len(f.want))
	return len(f.want) - 1
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
		cid, data, ok := w.Next()
		if !ok {
			return w.Root, w.Err()
		}
		if len(cid) == syntax.CIDLen {
			f.offer(cid, data)
		}
	}
}

func (f *Finder) offer(cid, data []byte) {
	number := f.match(cid)
	if number < 0 || f.want[number].state == Found {
		return
	}
	w := &f.want[number]
	w.state = Damaged
	if sum := sha256.Sum256(data); bytes.Equal(sum[:], cid[syntax.CIDLen-sha256.Size:]) {
		w.state, w.data = Found, data
	}
}

// match is lookup, but most commits want one block and most blocks are not it.
func (f *Finder) match(cid []byte) int {
	if len(f.want) < 2 {
		if len(f.want) == 1 && bytes.Equal(f.want[0].cid, cid) {
			return 0
		}
		return -1
	}
	_, number := f.lookup(cid)
	return number
}

// Block is the wanted block with the number Want gave: part of the CAR given
// to Find, nil unless Found.
func (f *Finder) Block(number int) ([]byte, State) {
	w := &f.want[number]
	return w.data, w.state
}
