// Package spill stands between a source of frames and the pipeline. While the
// pipeline takes frames it passes them on. When it does not, because the stream
// is full or Redis is away, frames go to capture files in a directory, and from
// there into the pipeline in order once it takes them again; then the stage is
// out of the way again. Memory stays bounded, and the relay's window does not
// run out meanwhile.
//
// Call [Open] with the source, then range over [Source.Frames] as over the source's
// own, and tell [Source.Stored] what need not be kept.
//
// # Files
//
//	owner.json             whose frames these are; one relay and cursor
//	lock                   held while a process uses the directory
//	NUMBER-PREV-LAST.fhz   a segment: the frames above seq PREV, up to LAST
//	NUMBER-PREV.partial    the segment being written
//
// A segment is the header and the blocks of a capture (see [block]); each chunk
// that is spilled is a block or several. It is deleted once the sink has stored
// its last seq. Segments are islands: between LAST of one and PREV of the next may
// lie frames that never touched the disk. After a restart those are read from the
// relay before the next island is.
//
// Names are opened beneath the directory, links are not followed, and files and
// directory must belong to the user this process runs as.
//
// # Damage
//
// A block is checked before its first frame is handed on. Where one fails, or a
// file is missing, short or unreadable, the relay is asked for what lies between
// the last good seq and the next sound block on disk; it is logged, and told as
// event.AlarmSpillDamaged. Nothing unchecked is handed on.
//
// Files of versions before blocks are one zstd stream with a checksum at its end:
// a complete one is read to its end first and used if that is right. One that was
// being written has no checksum: it is renamed to NAME.unchecked, and the relay is
// asked.
//
// # Crash
//
// Each chunk is handed to the operating system, so that kill -9 costs none. What
// a crash of the machine cuts off is above the cursor and is read again. Frames
// that were in memory when spilling began are read from the relay again as well:
// they are behind the first island.
//
// # Limits
//
// At [Config.MaxBytes], or when the disk takes no more, the stage stops reading and
// keeps what it has; the relay may then hang up, and reading goes on behind the
// last frame spilled.
package spill
