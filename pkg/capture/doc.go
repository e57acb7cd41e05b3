// Package capture keeps frames in files and reads them back.
//
// A capture is one zstd stream. Inside it, repeated until the end: the length
// of a frame as an unsigned 32-bit little-endian number, then the frame, which
// is one WebSocket message exactly as it arrived. There is no header and no
// index; order is arrival order. Several zstd streams one after the other read
// as one.
//
// Reader goes forward once. Writer makes a new file and shows it under its
// name only when it is complete; CreatePartial, Checkpoint and Resume let
// several runs make one. Log serves a capture as a relay would, to any number
// of consumers.
//
// Foreign files are bounded: a frame above MaxFrame is refused before memory
// for it is taken, and the zstd window is limited, so that reading takes a few
// megabytes whatever the file says. No goroutine is started.
package capture
