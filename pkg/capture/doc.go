// Package capture keeps frames in files and reads them back.
//
// Call [Create] to record and [Open] to read; [OpenLog] serves a recording to consumers
// that begin at any seq. A frame that a Reader gives is valid until the next one.
//
// A frame is one WebSocket message exactly as it arrived; order is arrival order.
// They lie in blocks with checksums, between a header and an index with an end
// mark: see [block]. All of that is in zstd skippable frames, so that any zstd
// decoder gives, repeated until the end, the length of a frame as an unsigned
// 32-bit little-endian number, then the frame. Captures of earlier versions are
// that alone, without blocks; they are read as well. Several captures one after
// the other read as one.
//
// [Reader] goes forward once. [Writer] makes a new file and shows it under its
// name only when it is complete; [CreatePartial], [Writer.Checkpoint] and [Resume] let
// several runs make one. [Log] serves a capture as a relay would, to any number
// of consumers.
//
// A file is whole, cut or damaged. Cut means that it ends too early: what is
// before is good. Damage is found before a frame of the damaged block is given.
// A capture of an earlier version has no end mark and one checksum behind all of
// it, so there both are found late, if at all.
//
// Foreign files are bounded: what a file declares is believed up to the limits of
// [block], and memory is taken as bytes come, so that reading takes a few
// megabytes whatever the file says. No goroutine is started.
package capture
