// Package block is the format of captures and of spilled frames: frames packed
// into blocks, each of which says what it holds and can be checked by itself.
// It works on bytes and opens no file.
//
// To write, call [NewPacker], [Packer.Add] and [Packer.Pack], or [Packer.PackAlone] for a
// large frame; to read, [Head] for each
// part, [ParseBlock] and [Unpacker.Unpack], or a [Walker], which does all of it on a
// file. Most programs want package capture instead.
//
// # Layout
//
//	capture = header block* index end
//	block   = descriptor zstd-frame*
//
// Header, descriptor, index and end are parts: zstd skippable frames, which every
// zstd decoder passes over. What it gives is what the zstd frames hold: repeated,
// the length of a frame (32 bits) and the frame. A frame is never divided between
// two blocks. A block is one zstd frame, or, with a giant frame, several in a row. All
// numbers are little-endian.
//
//	part       = magic 184D2A5F (32), length of what follows (32), tag (4 bytes),
//	             CRC-32C of the 12 bytes before (32), body, CRC-32C of the body (32)
//	FHZH body  = version (32), flags (32)
//	FHZB body  = number of the block from 0 (64), frames before it (64), highest
//	             seq before it (64), highest seq up to its end (64), frames (32),
//	             unpacked bytes (32), bytes of the zstd frames (32), their CRC-32C (32)
//	FHZI body  = per entry: offset of a descriptor (64), frames before it (64),
//	             highest seq before it (64)
//	FHZE body  = offset of the index (64), blocks (64), frames (64), first seq (64),
//	             highest seq (64)
//
// An index has at most [MaxEntries] entries: of a larger file each stands for
// several blocks. Parts with other tags are passed over, and so are skippable
// frames of others.
package block
