// Package frame maps one WebSocket message to an event, and back.
//
// Declare a [Decoder], one for each goroutine, and call [Decoder.Decode] for each
// message, with one [event.Event] that is used again and again: what it points to is
// valid until the next call. [PeekSeq] and [PeekEvent] read the seq alone. [Append]
// makes frames.
//
// # Two kinds of failure
//
// A message that is not two CBOR maps, or whose header is unusable, breaks the
// stream (F1, F2): its Reason answers true to Framing. A sound message whose
// event cannot be used costs only that event: a required field is missing or
// has the wrong type, seq or DID are unusable, a limit is passed, or the CAR
// cannot be read. One bad op costs only itself: it stays in the event with a
// Skip reason (B5).
//
// # What is tolerated
//
// Envelopes in any key order and with any well-formed encoding, marked
// [event.FlagEnvelope]; fields, kinds and ops of the future (F3); everything
// listed under "Seen in the wild": an empty since, odd times, missing prevData,
// rev or since, blobs of any form, revs of any age. A key that occurs twice is
// not tolerated where its value would be used, since nobody could say which one
// holds.
//
// # What a commit must have
//
// A DID that consumers accept, a valid seq, an ops array and a blocks byte
// string, which may be empty. rebase, tooBig and blobs are ignored (E2). Time
// is passed on and never judged (E6).
//
// Memory is bounded: nothing is allocated from a declared length, and what one
// large frame needed is kept for a few frames only. A commit's records may be larger than the frame,
// each up to fourteen times its block, and every op may name the same: they are
// made once for each block, and [event.MaxData] bounds them. A Decoder that is Raw
// makes none and leaves it to entry.Encoder, which writes them where they go.
package frame
