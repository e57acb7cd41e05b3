package block

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
)

// window bounds the encoder's memory, in bytes.
const window = MaxSize

// Packer makes blocks. Add frames, then Pack them, write what that gave, and
// Commit. It is not safe for concurrent use.
type Packer struct {
	zst    *zstd.Encoder
	raw    []byte
	packed []byte
	next   Block // of what was added since the last Commit, without sizes
	first  event.Seq
	before int64 // unpacked bytes before it
	alone  int   // unpacked bytes of what PackAlone packed
	usual  int   // blocks without a giant frame since one had it
}

// pieceSize is how much of a frame PackAlone packs at once, in bytes: one block of zstd, for
// which the encoder needs no history.
const pieceSize = 128 << 10

// giantKept is for how many blocks the memory that a giant frame needed is kept: where
// one came more will, and each would leave as much behind as it takes.
const giantKept = 16

// NewPacker begins behind the seq after; 0 is the beginning.
func NewPacker(after event.Seq) *Packer {
	zst, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return &Packer{zst: zst, next: Block{After: after, Last: after}}
}

// Continue goes on behind the block last of a capture whose first seq is known.
func (p *Packer) Continue(last *Block, first event.Seq) {
	p.first = first
	p.next = Block{Number: last.Number, Before: last.Before, Frames: last.Frames, Last: last.Last}
	p.advance()
}

// advance turns from a block to the one behind it.
func (p *Packer) advance() {
	b := &p.next
	p.next = Block{Number: b.Number + 1, Before: b.Before + int64(b.Frames), After: b.Last, Last: b.Last}
	p.before += int64(len(p.raw) + p.alone)
	p.alone = 0
	if p.usual++; len(p.raw) > 2*MaxSize {
		p.usual = 0
	}
	p.raw = p.raw[:0]
	if cap(p.raw) > 2*MaxSize && p.usual > giantKept {
		p.raw, p.packed = nil, nil
	}
}

// Add adds a frame, copying it. A frame above MaxFrame is refused, and so is one
// that the block has no room for: Pack first.
func (p *Packer) Add(data []byte) error {
	if len(data) > MaxFrame {
		return fmt.Errorf("a frame of %d bytes is above the limit of %d", len(data), MaxFrame)
	}
	if p.Full() {
		return errors.New("the block is full")
	}
	if need := len(p.raw) + 4 + len(data); need > 2*MaxSize && cap(p.raw) < need {
		p.raw = append(make([]byte, 0, MaxUnpacked), p.raw...) // what any block may need, once
	}
	p.raw = append(le.AppendUint32(p.raw, uint32(len(data))), data...)
	p.next.Frames++
	p.notice(data)
	return nil
}

// notice notes the seq of a frame.
func (p *Packer) notice(data []byte) {
	if seq, ok := frame.PeekSeq(data); ok {
		p.next.Last = max(p.next.Last, seq)
		if p.first == 0 {
			p.first = seq
		}
	}
}

// PackAlone makes a block of one frame without copying it, however large that is: put
// takes the block's bytes behind the descriptor, piece by piece. Nothing may be Pending.
// Where it fails, the Packer is where it was; else Commit, as after Pack.
func (p *Packer) PackAlone(data []byte, put func(piece []byte) error) (descriptor []byte, b Block, err error) {
	if len(data) > MaxFrame || p.Pending() > 0 {
		return nil, b, fmt.Errorf("a frame of %d bytes cannot have a block of its own", len(data))
	}
	before, first := p.next, p.first
	p.next.Frames = 1
	p.notice(data)
	b = p.next
	for part := le.AppendUint32(nil, uint32(len(data))); len(part) > 0; {
		p.packed = p.zst.EncodeAll(part, p.packed[:0])
		if err := put(p.packed); err != nil {
			p.next, p.first = before, first
			return nil, b, err
		}
		b.Raw, b.Packed, b.Sum = b.Raw+len(part), b.Packed+len(p.packed), addSum(b.Sum, p.packed)
		part = data[:min(len(data), pieceSize)]
		data = data[len(part):]
	}
	p.alone = b.Raw
	return b.Append(nil), b, nil
}

// MeasureAlone is what PackAlone would make of a frame: its descriptor and its block. It
// packs the frame and keeps nothing, so that the descriptor can be written first.
func (p *Packer) MeasureAlone(data []byte) (descriptor []byte, b Block, err error) {
	before, first := p.next, p.first
	descriptor, b, err = p.PackAlone(data, func([]byte) error { return nil })
	p.next, p.first, p.alone = before, first, 0
	return descriptor, b, err
}

// Full reports whether the block has its size.
func (p *Packer) Full() bool {
	return int64(len(p.raw)) >= min(max(Size, p.before/16), MaxSize)
}

// Size is what waits for Pack, in unpacked bytes.
func (p *Packer) Size() int { return len(p.raw) }

// Pending is how many frames wait for Pack.
func (p *Packer) Pending() int { return p.next.Frames }

// Pack is the block of what was added, as a descriptor and a zstd frame; they lie behind
// each other, and Whole is both. The bytes are the Packer's until the next call.
func (p *Packer) Pack() (descriptor, packed []byte, b Block) {
	var room [DescriptorSize]byte
	p.packed = p.zst.EncodeAll(p.raw, append(p.packed[:0], room[:]...))
	packed = p.packed[DescriptorSize:]
	b = p.next
	b.Raw, b.Packed, b.Sum = len(p.raw), len(packed), Sum(packed)
	return b.Append(p.packed[:0]), packed, b
}

// Whole is what the last Pack gave, in one piece.
func (p *Packer) Whole() []byte { return p.packed }

// Commit says that the block was written.
func (p *Packer) Commit() { p.advance() }

// End is the end mark of a capture that ends here, its index at offset.
func (p *Packer) End(offset int64) *End {
	return &End{Index: offset, Blocks: p.next.Number, Frames: p.next.Before, First: p.first, Last: p.next.After}
}

// Unpacker takes blocks apart. It is not safe for concurrent use.
type Unpacker struct {
	// Giant gives memory of MaxUnpacked bytes for the next block with a giant frame that a
	// Walker reads, or nil while there is none. Without Giant it is made.
	Giant func() []byte

	zst   *zstd.Decoder
	raw   []byte
	giant []byte // what Giant gave
	usual int    // blocks without a giant frame since one had it
}

// NewUnpacker makes one; Close frees it.
func NewUnpacker() *Unpacker {
	zst, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(MaxUnpacked))
	if err != nil {
		panic(err) // the options are constants
	}
	return &Unpacker{zst: zst}
}

// Unpack checks a zstd frame against its descriptor and unpacks it. The bytes
// are the Unpacker's until the next call.
func (u *Unpacker) Unpack(b *Block, packed []byte) ([]byte, error) {
	if len(packed) != b.Packed || Sum(packed) != b.Sum {
		return nil, errSum
	}
	switch u.usual++; {
	case b.Raw > 2*MaxSize: // with a giant frame: what any block may need, once
		if u.usual = 0; cap(u.raw) < MaxUnpacked {
			u.raw = make([]byte, 0, MaxUnpacked)
		}
	case cap(u.raw) > 2*MaxSize && u.usual > giantKept:
		u.raw = nil
	}
	if cap(u.raw) < b.Raw {
		u.raw = make([]byte, 0, b.Raw+b.Raw/8)
	}
	raw, err := u.zst.DecodeAll(packed, u.raw[:0])
	if err != nil {
		return nil, err
	}
	u.raw = raw
	if len(raw) != b.Raw {
		return nil, fmt.Errorf("a block of %d bytes holds %d", b.Raw, len(raw))
	}
	return raw, b.checkFrames(raw)
}

// ErrNoMemory: Giant has no memory at the moment.
var ErrNoMemory = errors.New("there is no memory for a giant frame yet")

// giant reports whether the block takes more memory than is kept for usual ones.
func (b *Block) giant() bool { return b.Raw > 2*MaxSize || b.Frames == 1 && b.Raw > 4+MaxSize }

// unpackGiant is Unpack of what in gives, for a block with a giant frame: what is packed
// is not in memory as a whole.
func (u *Unpacker) unpackGiant(b *Block, in io.Reader) ([]byte, error) {
	if u.giant == nil && u.Giant == nil {
		u.giant = make([]byte, 0, MaxUnpacked)
	}
	if u.giant == nil {
		if u.giant = u.Giant(); u.giant == nil {
			return nil, ErrNoMemory
		}
	}
	packed := &summed{in: in}
	if err := u.zst.Reset(packed); err != nil {
		return nil, err
	}
	raw := u.giant[:b.Raw]
	_, err := io.ReadFull(u.zst, raw)
	if err == nil {
		if _, err = io.ReadFull(u.zst, make([]byte, 1)); err == io.EOF {
			err = nil
		} else if err == nil {
			err = fmt.Errorf("a block of %d bytes holds more", b.Raw)
		}
	}
	if err != nil {
		return nil, err
	}
	if packed.size != b.Packed || packed.sum != b.Sum {
		return nil, errSum
	}
	return raw, b.checkFrames(raw)
}

// summed keeps the checksum of what is read.
type summed struct {
	in   io.Reader
	size int
	sum  uint32
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.size, s.sum = s.size+n, addSum(s.sum, p[:n])
	return n, err
}

// checkFrames checks that a block is made of as many frames as it says.
func (b *Block) checkFrames(raw []byte) error {
	n, rest := 0, raw
	for ; len(rest) > 0; n++ {
		if len(rest) < 4 || int64(le.Uint32(rest)) > int64(len(rest)-4) || le.Uint32(rest) > MaxFrame {
			return errors.New("a frame is longer than its block")
		}
		rest = rest[4+le.Uint32(rest):]
	}
	if n != b.Frames {
		return fmt.Errorf("a block of %d frames holds %d", b.Frames, n)
	}
	return nil
}

// InGiant reports whether what Giant gave is in use, for the block read last.
func (u *Unpacker) InGiant() bool { return u.giant != nil }

// Detach leaves what Giant gave to the caller; nil where it is not in use.
func (u *Unpacker) Detach() []byte {
	giant := u.giant
	u.giant = nil
	return giant
}

// Close frees the decoder.
func (u *Unpacker) Close() { u.zst.Close() }

// Frames ranges over what Unpack gave.
func Frames(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(raw) >= 4 {
			n := 4 + int(le.Uint32(raw))
			if !yield(raw[4:n:n]) {
				return
			}
			raw = raw[n:]
		}
	}
}
