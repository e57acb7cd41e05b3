// Package replay plays events again, from a [Source] into a [Target]: [Run] does it, with
// [Options] that say which events are wanted and how fast they come, and returns a
// [Summary].
//
// # Sources
//
// [OpenCapture] reads a capture file, [OpenStream] a range of a Redis stream, [NewRelay]
// a relay, and [NewLog] the simulator or a recording in a relay's place. Those but a
// stream have frames, as the relay signed them; a stream has entries, from which no frame
// can be made again. Any other source is a type with four methods.
//
// # Targets
//
// [CreateCapture] writes frames into a capture file, [AppendTo] entries into a stream,
// [NewLogTarget] frames into a log that a relayserver serves, and [Discard] counts only.
// A target that keeps its position says with After where it goes on: a capture keeps it
// in a file beside its own, a stream in a cursor of its own, see [CursorNames]. Nothing
// is stored twice.
//
// A recording that is served needs no target: [SelectLog] is the part of it that is
// wanted, and [Spacing] the times between its frames.
//
// # What is wanted
//
// A [Selection] has a range, both ends included, and a filter. Seqs of a relay rise, and
// a time is where most events agree that it is: one wrong clock ends nothing. A target
// that takes entries needs Selection.Entries, which makes them of frames.
package replay
