package event

import "fmt"

// Reason says why a frame or an op was not delivered. The set is closed, so
// reasons may be metric labels.
type Reason uint8

// Reasons that reject a whole frame, then reasons that skip one op.
const (
	ReasonNone Reason = iota

	// The frame is not what one WebSocket message must be (F1, F2, D1).
	// These end the connection; see Reason.Framing.
	ReasonEmpty    // no bytes
	ReasonText     // a text message
	ReasonOversize // above the message limit (C9)
	ReasonFraming  // not exactly two CBOR maps
	ReasonCBOR     // bytes that are not CBOR, or over a decoder limit
	ReasonHeader   // the header lacks op, or t where op is 1

	// The frame is sound but its event is not; only the event is lost.
	ReasonLexicon // a required field is missing or has the wrong type
	ReasonSeq     // seq missing, not positive, or 2^53 and above (Q1)
	ReasonDID     // did or repo is not a DID consumers accept
	ReasonLimit   // blocks, ops or JSON over the limits (E1)
	ReasonCAR     // blocks is not a readable CARv1 (B4)
	ReasonLeap    // seq far above the last one, and what followed disproved it

	// One op is skipped, its siblings are delivered.
	ReasonOpShape      // action, path or cid unusable
	ReasonOpCID        // the op's CID is not one that can be checked (D5)
	ReasonBlockMissing // no block has the op's CID (B5)
	ReasonBlockHash    // the block's bytes do not hash to its CID (B3)
	ReasonRecordCBOR   // the block is not decodable DAG-CBOR (D1)
	ReasonRecordNumber // a float, or an integer outside int64 (D2, D3)
	ReasonRecordText   // text that is not UTF-8: no JSON can carry it
	ReasonRecordLimit  // too deep, too large, too many elements (D4, E1)
	ReasonRecordType   // no string $type, so consumers cannot route it
	reasonCount
)

// Reasons is how many reasons there are: a size for tables indexed by Reason.
const Reasons = int(reasonCount)

var reasonNames = [Reasons]string{
	"none",
	"empty", "text", "oversize", "framing", "cbor", "header",
	"lexicon", "seq", "did", "limit", "car", "seq_leap",
	"op_shape", "op_cid", "block_missing", "block_hash",
	"record_cbor", "record_number", "record_text", "record_limit", "record_type",
}

// String is the reason's metric label and file-name part.
func (r Reason) String() string { return reasonNames[r] }

// Framing reports whether the frame broke the stream itself, so that the
// reader reconnects from the last good position and passes over the frame only
// after a few attempts without progress (F6).
func (r Reason) Framing() bool { return r >= ReasonEmpty && r <= ReasonHeader }

// Op reports whether the reason concerns one op rather than a whole frame.
func (r Reason) Op() bool { return r >= ReasonOpShape }

// Reject is a frame that yields no event. It is an error for decoders to
// return and a fact for pipelines to count.
type Reject struct {
	Reason Reason
	Seq    Seq    // 0 when it could not be read
	Detail string // for people; may quote nothing from the frame's text
}

// Error names the reason first, as metrics and files do.
func (r *Reject) Error() string {
	if r.Seq > 0 {
		return fmt.Sprintf("reject frame seq %d: %s: %s", r.Seq, r.Reason, r.Detail)
	}
	return fmt.Sprintf("reject frame: %s: %s", r.Reason, r.Detail)
}
