// Package frame maps one WebSocket message to an event, and back.
//
// Declare a [Decoder], one for each goroutine, and call [Decoder.Decode] for each
// message, with one event.Event that is used again and again: what it points to is
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
// event.FlagEnvelope; fields, kinds and ops of the future (F3); everything
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
// made once for each block, and event.MaxData bounds them. A Decoder that is Raw
// makes none and leaves it to entry.Encoder, which writes them where they go.
package frame

import "github.com/fhctl/fhctl/pkg/event"

// Limits on one commit or sync (E1).
const (
	MaxBlocks     = 2_000_000 // bytes of a commit's CAR
	MaxOps        = 200       // ops of a commit
	MaxSyncBlocks = 10_000    // bytes of a sync's CAR
	MaxTime       = 64        // bytes of an event's time; a longer one is none
)

// header is what the first of the two maps says.
type header struct {
	op    int64
	label []byte // t as sent, with its '#'; nil when absent
}

// kind is the event kind the header announces (F2, F3, F4).
func (h *header) kind() event.Kind {
	switch {
	case h.op == -1:
		return event.KindError
	case h.op != 1:
		return event.KindUnknown
	}
	switch string(h.label) {
	case "#commit":
		return event.KindCommit
	case "#sync":
		return event.KindSync
	case "#identity":
		return event.KindIdentity
	case "#account":
		return event.KindAccount
	case "#info":
		return event.KindInfo
	}
	return event.KindUnknown
}
