// Package pipeline moves events from a source of frames to a
// sink, in order, with backpressure and a clean stop.
//
// Call [New] and [Pipeline.Run]. What is needed is a source of frames, as package relay
// has it, a [Sink], and an observer, as package health has it.
//
//	source ─chunks→ decoders ─marks→ sequencer ─batches→ writer → sink
//
// One goroutine reads. Several decode, which is everything costly: CBOR, CAR,
// hashes, JSON. One sequencer takes their work back in the order it was read,
// drops repeats, judges resets, and fills batches. One writer hands batches to
// the sink, several at a time when they wait. Order in is order out, so a
// position is a single number and needs no bookkeeping.
//
// What is in flight is bounded by count and by bytes; a full queue stops the
// reader and so the socket. When a connection breaks the source asks for the
// position to resume from and is answered only after every frame it yielded
// has been sequenced.
//
// A run is a series of generations. A generation begins at the sink's cursor;
// when the sink finds that the cursor moved ([event.Moved]), everything in flight
// is dropped and a new generation begins where the sink says. That restores
// guarantees G1 to G3 of the project, whatever Redis forgot.
package pipeline
