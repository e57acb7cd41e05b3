package blocks

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fhctl/fhctl/pkg/dagcbor"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// ErrCAR is under every error about CAR bytes (B4).
var ErrCAR = errors.New("not a readable CARv1")

// The reasons are made once, so that refusing costs no allocation.
var (
	errVarint  = fmt.Errorf("%w: truncated or over-long varint", ErrCAR)
	errZero    = fmt.Errorf("%w: zero-length header or section", ErrCAR)
	errPastEnd = fmt.Errorf("%w: length past the end", ErrCAR)
	errCID     = fmt.Errorf("%w: bad CID", ErrCAR)
	errHeader  = fmt.Errorf("%w: bad header", ErrCAR)
	errVersion = fmt.Errorf("%w: version is not 1", ErrCAR)
	errRoots   = fmt.Errorf("%w: missing or empty roots", ErrCAR)
)

// Walker steps through the sections of CAR bytes in order. It copies nothing:
// what it returns points into the bytes it was given.
type Walker struct {
	// Root is the first root of the header, a binary CID.
	Root []byte
	data []byte
	at   int
	err  error
}

// Walk reads the header (B1) and stands before the first section. Hashes are
// not checked.
func Walk(car []byte) (Walker, error) {
	w := Walker{data: car}
	end, err := w.frame()
	if err != nil {
		return Walker{}, err
	}
	if w.Root, err = header(car[w.at:end]); err != nil {
		return Walker{}, err
	}
	w.at = end
	return w, nil
}

// Next is the next section. ok is false at the end and on an error; Err tells
// them apart.
func (w *Walker) Next() (cid, data []byte, ok bool) {
	if w.at >= len(w.data) || w.err != nil {
		return nil, nil, false
	}
	end, err := w.frame()
	if err != nil {
		w.err = err
		return nil, nil, false
	}
	section := w.data[w.at:end:end]
	w.at = end
	if commonCID(section) {
		return section[:syntax.CIDLen:syntax.CIDLen], section[syntax.CIDLen:], true
	}
	n := syntax.CIDSize(section)
	if n == 0 {
		w.err = errCID
		return nil, nil, false
	}
	return section[:n:n], section[n:], true
}

// pass steps over sections of the usual form until one whose hash begins with
// first, as little-endian bytes. Whatever else it meets is Next's to judge. A
// commit brings some thirty blocks of which one is wanted, so this loop, not
// Next, sees nearly all of them.
func (w *Walker) pass(first uint64) {
	data, at := w.data, w.at
	for len(data)-at >= 2+syntax.CIDLen {
		length, n := shortVarint(data[at:])
		start := at + n
		if n == 0 || length < syntax.CIDLen || length > uint64(len(data)-start) || !commonCID(data[start:]) ||
			digest(data[start:]) == first {
			break
		}
		at = start + int(length)
	}
	w.at = at
}

// Err is why Next stopped, nil at the end of the bytes.
func (w *Walker) Err() error { return w.err }

// frame reads a varint length at w.at, leaves w.at behind it, and returns the
// end of what it announces.
func (w *Walker) frame() (end int, err error) {
	rest := w.data[w.at:]
	length, n := shortVarint(rest)
	if n == 0 {
		if length, n = syntax.Uvarint(rest); n <= 0 {
			return 0, errVarint
		}
	}
	if length == 0 {
		return 0, errZero
	}
	if length > uint64(len(rest)-n) {
		return 0, errPastEnd
	}
	w.at += n
	return w.at + int(length), nil
}

// shortVarint reads the lengths that nearly all sections have, of one byte or
// two; n is 0 for others.
func shortVarint(data []byte) (length uint64, n int) {
	if len(data) < 2 {
		return 0, 0
	}
	low, high := uint64(data[0]), uint64(data[1])
	switch {
	case low < 0x80:
		return low, 1
	case high-1 < 0x7f: // from 1 to 0x7f
		return low&0x7f | high<<7, 2
	}
	return 0, 0
}

// commonCID reports whether an atproto CID begins the section.
func commonCID(section []byte) bool {
	// Version 1, SHA-256 of 32 bytes, whichever codec of one byte.
	const form, codec = 0x2012_0001, 0x0000_7f00
	return len(section) >= syntax.CIDLen && binary.LittleEndian.Uint32(section)&^codec == form
}

// The header of nearly every commit: one root, an atproto CID, between these.
const (
	headerStart = "\xa2\x65roots\x81\xd8\x2a\x58\x25\x00"
	headerEnd   = "\x67version\x01"
)

// header is the first root of a CARv1 header.
func header(data []byte) ([]byte, error) {
	const root = len(headerStart)
	if len(data) == root+syntax.CIDLen+len(headerEnd) && string(data[:root]) == headerStart &&
		string(data[root+syntax.CIDLen:]) == headerEnd {
		cid := data[root : root+syntax.CIDLen : root+syntax.CIDLen]
		if commonCID(cid) {
			return cid, nil
		}
	}
	return slowHeader(data)
}

// slowHeader accepts any map with version 1 and at least one root, in any
// order and with other keys, so that an odd but clear header loses nothing.
func slowHeader(data []byte) ([]byte, error) {
	end, _, err := dagcbor.Skip(data, 0)
	h, at := dagcbor.ReadHead(data, 0)
	if err != nil || end != len(data) || h.Major != dagcbor.MajorMap {
		return nil, errHeader
	}
	var root []byte
	var version uint64
	for range h.Arg {
		name, value := dagcbor.ReadHead(data, at)
		if name.Major != dagcbor.MajorText {
			return nil, errHeader
		}
		value += int(name.Arg)
		switch string(data[value-int(name.Arg) : value]) {
		case "version":
			if v, _ := dagcbor.ReadHead(data, value); v.Major == dagcbor.MajorUint {
				version = v.Arg
			}
		case "roots":
			root = firstRoot(data, value)
		}
		at, _, _ = dagcbor.Skip(data, value)
	}
	switch {
	case version != 1:
		return nil, errVersion
	case root == nil:
		return nil, errRoots
	}
	return root, nil
}

// firstRoot is the first of an array of links, all of which must be links.
func firstRoot(data []byte, at int) (root []byte) {
	list, at := dagcbor.ReadHead(data, at)
	if list.Major != dagcbor.MajorArray {
		return nil
	}
	for i := range list.Arg {
		cid, end := link(data, at)
		if cid == nil {
			return nil
		}
		if i == 0 {
			root = cid
		}
		at = end
	}
	return root
}

// link is the CID of the tag 42 at data[at:], which is known to be
// well-formed; nil when something else is there.
func link(data []byte, at int) (cid []byte, end int) {
	tag, at := dagcbor.ReadHead(data, at)
	if tag.Major != dagcbor.MajorTag || tag.Arg != 42 {
		return nil, 0
	}
	content, at := dagcbor.ReadHead(data, at)
	if content.Major != dagcbor.MajorBytes {
		return nil, 0
	}
	end = at + int(content.Arg)
	return dagcbor.LinkCID(data[at:end:end]), end
}
