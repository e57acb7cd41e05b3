package dagcbor

import (
	"encoding/binary"
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// Major types of CBOR.
const (
	MajorUint byte = iota
	MajorNegative
	MajorBytes
	MajorText
	MajorArray
	MajorMap
	MajorTag
	MajorSimple
)

// Initial bytes of simple values.
const (
	False byte = 0xf4
	True  byte = 0xf5
	Null  byte = 0xf6

	breakByte byte = 0xff
)

// linkTag is the only tag of DAG-CBOR: a byte string of 0x00 and a binary CID.
const linkTag = 42

// Error says what is wrong with a block and where.
type Error struct {
	Reason event.Reason // one of the ReasonRecord… group
	At     int          // bytes into the block, or into its definite form
	Detail string       // quotes nothing from the block
}

// Error is the detail with its place.
func (e *Error) Error() string {
	return fmt.Sprintf("%s at byte %d (%s)", e.Detail, e.At, e.Reason)
}

// Head is the start of a CBOR item: its major type and argument.
type Head struct {
	Major byte
	// Arg is the value of an integer, the length of a string, the count of
	// a container, the number of a tag, or the bits of a simple value.
	Arg uint64
	// Long: the argument is not in its shortest form (D1).
	Long bool
	// Indefinite: no length is declared; Arg is 0. A break byte reads as an
	// indefinite MajorSimple.
	Indefinite bool
}

// ReadHead reads the head at data[at:]. next is where the item's content
// begins; it is 0 when the head is truncated or uses a reserved form.
func ReadHead(data []byte, at int) (h Head, next int) {
	if uint(at) >= uint(len(data)) {
		return h, 0
	}
	first := data[at]
	h.Major = first >> 5
	info := first & 0x1f
	at++
	switch {
	case info < 24:
		h.Arg = uint64(info)
		return h, at
	case info == 24:
		if at >= len(data) {
			return h, 0
		}
		h.Arg = uint64(data[at])
		h.Long = h.Arg < 24
		return h, at + 1
	case info < 28:
		return readWide(h, data, at, 1<<(info-24))
	case info == 31 && h.Major != MajorUint && h.Major != MajorNegative && h.Major != MajorTag:
		h.Indefinite = true
		return h, at
	}
	return h, 0
}

// readWide reads arguments of two, four and eight bytes.
func readWide(h Head, data []byte, at, width int) (Head, int) {
	if len(data)-at < width {
		return h, 0
	}
	switch width {
	case 2:
		h.Arg = uint64(binary.BigEndian.Uint16(data[at:]))
		h.Long = h.Arg <= 0xff
	case 4:
		h.Arg = uint64(binary.BigEndian.Uint32(data[at:]))
		h.Long = h.Arg <= 0xffff
	default:
		h.Arg = binary.BigEndian.Uint64(data[at:])
		h.Long = h.Arg <= 0xffff_ffff
	}
	return h, at + width
}

// AppendHead appends the shortest head of the given major type and argument.
func AppendHead(dst []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg <= 0xff:
		return append(dst, major|24, byte(arg))
	case arg <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case arg <= 0xffff_ffff:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

// AppendText appends a text string.
func AppendText(dst []byte, text string) []byte {
	return append(AppendHead(dst, MajorText, uint64(len(text))), text...)
}

// AppendLink appends tag 42 around a binary CID.
func AppendLink(dst, cid []byte) []byte {
	dst = append(dst, 0xd8, linkTag)
	dst = AppendHead(dst, MajorBytes, uint64(len(cid)+1))
	return append(append(dst, 0), cid...)
}

// LinkCID is the binary CID inside the content of a tag 42: a zero byte, then
// one well-formed CID and nothing else (D5). It is nil otherwise.
func LinkCID(content []byte) []byte {
	if len(content) < 2 || content[0] != 0 || syntax.CIDSize(content[1:]) != len(content)-1 {
		return nil
	}
	return content[1:]
}
