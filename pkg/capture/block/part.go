package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/fhctl/fhctl/pkg/event"
)

// Version is the format this package writes, and the highest it reads.
const Version = 1

// Tags of parts.
const (
	TagHeader = "FHZH"
	TagBlock  = "FHZB"
	TagIndex  = "FHZI"
	TagEnd    = "FHZE"
)

// Sizes, in bytes.
const (
	HeadSize   = 16 // of a part, before its body
	sumSize    = 4
	headerBody = 8
	blockBody  = 48
	entrySize  = 24
	endBody    = 40

	HeaderSize     = HeadSize + headerBody + sumSize
	DescriptorSize = HeadSize + blockBody + sumSize
	EndSize        = HeadSize + endBody + sumSize
)

// Limits of what a reader takes memory for, whatever a file says.
const (
	// MaxEntries bounds an index.
	MaxEntries = 1 << 16
	// MaxPart bounds a part's body, in bytes.
	MaxPart = MaxEntries * entrySize
	// MaxFrame is the message limit of the protocol (C9).
	MaxFrame = 5_000_000
	// Size is when the first blocks of a file are full, in unpacked bytes. A
	// block grows to a sixteenth of what is before it, up to MaxSize: a cut
	// costs little of a small file, and a large one packs better.
	Size    = 128 << 10
	MaxSize = 1 << 20
	// MaxUnpacked is the largest block: the frame that fills it may be any.
	MaxUnpacked = MaxSize + 4 + MaxFrame
	// MaxPacked is what zstd may make of it.
	MaxPacked = MaxUnpacked + MaxUnpacked>>8 + 1024
)

const (
	magic     = 0x184D2A5F
	zstdMagic = 0xFD2FB528
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the checksum of the format.
func Sum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// addSum goes on with the checksum of what comes before data.
func addSum(sum uint32, data []byte) uint32 { return crc32.Update(sum, castagnoli, data) }

var le = binary.LittleEndian

// Kind is what a run of bytes begins with.
type Kind uint8

// The kinds of beginnings.
const (
	Garbage Kind = iota
	Ours         // a part of this format
	Foreign      // a skippable frame of somebody else
	Zstd         // a zstd frame
)

// Begins tells by 8 bytes, or more, what they begin.
func Begins(head []byte) Kind {
	switch m := le.Uint32(head); {
	case m == magic:
		return Ours
	case m&^0xf == magic&^0xf:
		return Foreign
	case m == zstdMagic:
		return Zstd
	}
	return Garbage
}

// ForeignSize is how many bytes follow the 8 with which a skippable frame begins.
func ForeignSize(head []byte) int64 { return int64(le.Uint32(head[4:])) }

// LooksOurs reports whether a tag of this format stands where a part's would, 8
// bytes behind its beginning.
func LooksOurs(head []byte) bool {
	if len(head) < 12 {
		return false
	}
	switch string(head[8:12]) {
	case TagHeader, TagBlock, TagIndex, TagEnd:
		return true
	}
	return false
}

var (
	errSum  = errors.New("a checksum does not match")
	errSize = errors.New("a part has not the size of its kind")
)

// appendPart appends a part.
func appendPart(dst []byte, tag string, body func(dst []byte) []byte) []byte {
	start := len(dst)
	dst = le.AppendUint32(dst, magic)
	dst = append(append(dst, 0, 0, 0, 0), tag...)
	dst = append(dst, 0, 0, 0, 0)
	dst = body(dst)
	le.PutUint32(dst[start+4:], uint32(len(dst)-start-8+sumSize))
	le.PutUint32(dst[start+12:], Sum(dst[start:start+12]))
	return le.AppendUint32(dst, Sum(dst[start+HeadSize:]))
}

// Head reads a part's first HeadSize bytes: its tag, and the size of its body
// with the checksum behind it.
func Head(head []byte) (tag string, rest int, err error) {
	if le.Uint32(head[12:]) != Sum(head[:12]) {
		return "", 0, errSum
	}
	tag, rest = string(head[8:12]), int(int64(le.Uint32(head[4:]))-(HeadSize-8))
	fixed := map[string]int{TagHeader: headerBody, TagBlock: blockBody, TagEnd: endBody}[tag]
	if rest < sumSize || rest-sumSize > MaxPart || fixed > 0 && rest != fixed+sumSize || tag == TagIndex && (rest-sumSize)%entrySize != 0 {
		return "", 0, errSize
	}
	return tag, rest, nil
}

// body checks what follows a head.
func body(data []byte) ([]byte, error) {
	n := len(data) - sumSize
	if le.Uint32(data[n:]) != Sum(data[:n]) {
		return nil, errSum
	}
	return data[:n], nil
}

// CheckBody checks the body of a part of another kind, with its checksum.
func CheckBody(data []byte) error {
	_, err := body(data)
	return err
}

// AppendHeader appends a header.
func AppendHeader(dst []byte) []byte {
	return appendPart(dst, TagHeader, func(dst []byte) []byte {
		return le.AppendUint32(le.AppendUint32(dst, Version), 0)
	})
}

// Newer is the error of a header of a later version.
type Newer struct{ Version uint32 }

// Error names both versions.
func (e *Newer) Error() string {
	return fmt.Sprintf("it has version %d of the format, and this program reads up to %d", e.Version, Version)
}

// ParseHeader checks a header's body: its error is *Newer for another version.
func ParseHeader(data []byte) error {
	data, err := body(data)
	if err != nil {
		return err
	}
	if v := le.Uint32(data); v != Version {
		return &Newer{v}
	}
	return nil
}

// Block is a descriptor: what one block holds, and where it stands.
type Block struct {
	Number int64     // from 0
	Before int64     // frames before it
	After  event.Seq // the highest seq before it
	Last   event.Seq // the highest seq up to its end
	Frames int       // in it
	Raw    int       // unpacked bytes
	Packed int       // bytes of the zstd frame
	Sum    uint32    // of those
}

// Append appends the descriptor as a part.
func (b *Block) Append(dst []byte) []byte {
	return appendPart(dst, TagBlock, func(dst []byte) []byte {
		for _, n := range []int64{b.Number, b.Before, int64(b.After), int64(b.Last)} {
			dst = le.AppendUint64(dst, uint64(n))
		}
		for _, n := range []uint32{uint32(b.Frames), uint32(b.Raw), uint32(b.Packed), b.Sum} {
			dst = le.AppendUint32(dst, n)
		}
		return dst
	})
}

// ParseBlock reads a descriptor's body. Its sizes are within the limits.
func ParseBlock(data []byte) (b Block, err error) {
	if data, err = body(data); err != nil {
		return b, err
	}
	b = Block{
		Number: int64(le.Uint64(data)), Before: int64(le.Uint64(data[8:])),
		After: event.Seq(le.Uint64(data[16:])), Last: event.Seq(le.Uint64(data[24:])),
		Frames: int(le.Uint32(data[32:])), Raw: int(le.Uint32(data[36:])), Packed: int(le.Uint32(data[40:])), Sum: le.Uint32(data[44:]),
	}
	if b.Raw > MaxUnpacked || b.Packed > MaxPacked || b.Packed < 8 || b.Frames > b.Raw/4 || b.Number < 0 || b.Before < 0 || b.After < 0 || b.Last < b.After {
		return b, errors.New("a block has impossible sizes")
	}
	return b, nil
}

// Follows reports whether b is the block behind a.
func (b *Block) Follows(a *Block) bool {
	return b.Number == a.Number+1 && b.Before == a.Before+int64(a.Frames) && b.After == a.Last
}

// Entry is where in the file a block begins, by what lies before it.
type Entry struct {
	Offset int64     // of its descriptor
	Before int64     // frames
	After  event.Seq // the highest seq
}

// Index finds blocks. It is built as blocks are written; of a file with more
// than MaxEntries it keeps every second, fourth … block.
type Index struct {
	Entries []Entry // rising
	stride  int64
}

// Add notes a block that begins at offset.
func (x *Index) Add(b *Block, offset int64) {
	x.stride = max(x.stride, 1)
	if b.Number%x.stride != 0 {
		return
	}
	if len(x.Entries) == MaxEntries {
		for i := range MaxEntries / 2 {
			x.Entries[i] = x.Entries[2*i]
		}
		x.Entries = x.Entries[:MaxEntries/2]
		x.stride *= 2
		if b.Number%x.stride != 0 {
			return
		}
	}
	x.Entries = append(x.Entries, Entry{Offset: offset, Before: b.Before, After: b.After})
}

// Append appends the index as a part.
func (x *Index) Append(dst []byte) []byte {
	return appendPart(dst, TagIndex, func(dst []byte) []byte {
		for _, e := range x.Entries {
			dst = le.AppendUint64(le.AppendUint64(le.AppendUint64(dst, uint64(e.Offset)), uint64(e.Before)), uint64(e.After))
		}
		return dst
	})
}

// ParseIndex reads an index's body; entries must rise and lie before limit.
func ParseIndex(data []byte, limit int64) (*Index, error) {
	data, err := body(data)
	if err != nil {
		return nil, err
	}
	x := &Index{Entries: make([]Entry, 0, len(data)/entrySize)}
	last := Entry{Offset: -1}
	for ; len(data) > 0; data = data[entrySize:] {
		e := Entry{Offset: int64(le.Uint64(data)), Before: int64(le.Uint64(data[8:])), After: event.Seq(le.Uint64(data[16:]))}
		if e.Offset <= last.Offset || e.Offset >= limit || e.Before < last.Before || e.After < last.After {
			return nil, errors.New("the index does not rise")
		}
		x.Entries, last = append(x.Entries, e), e
	}
	return x, nil
}

// Find is the last entry before which no seq is above after; false when there
// is none.
func (x *Index) Find(after event.Seq) (e Entry, ok bool) {
	low, high := 0, len(x.Entries)
	for low < high {
		if mid := (low + high) / 2; x.Entries[mid].After <= after {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return e, false
	}
	return x.Entries[low-1], true
}

// End is the end mark: without it a file was cut, or is being written.
type End struct {
	Index  int64 // offset of the index
	Blocks int64
	Frames int64
	First  event.Seq // of the first frame that has one; 0 when none has
	Last   event.Seq // the highest
}

// Append appends the end mark as a part.
func (e *End) Append(dst []byte) []byte {
	return appendPart(dst, TagEnd, func(dst []byte) []byte {
		for _, n := range []int64{e.Index, e.Blocks, e.Frames, int64(e.First), int64(e.Last)} {
			dst = le.AppendUint64(dst, uint64(n))
		}
		return dst
	})
}

// ParseEnd reads an end mark's body.
func ParseEnd(data []byte) (e End, err error) {
	if data, err = body(data); err != nil {
		return e, err
	}
	e = End{
		Index: int64(le.Uint64(data)), Blocks: int64(le.Uint64(data[8:])), Frames: int64(le.Uint64(data[16:])),
		First: event.Seq(le.Uint64(data[24:])), Last: event.Seq(le.Uint64(data[32:])),
	}
	if e.Index < HeaderSize || e.Blocks < 0 || e.Frames < 0 || e.First < 0 || e.Last < 0 {
		return e, errors.New("the end mark has impossible numbers")
	}
	return e, nil
}
