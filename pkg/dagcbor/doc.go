// Package dagcbor maps DAG-CBOR to canonical atproto JSON and to Go values, and
// back. It is the only door to fxamacker/cbor.
//
// Declare a [Transcoder], one for each goroutine, and call [Transcoder.AppendJSON] for
// each block of a record. [Unmarshal] and [Marshal] are for Go values, [Check] only
// judges.
//
// # What is delivered
//
// A record is delivered when its bytes have one exact meaning that atproto JSON
// can express. Unsorted map keys, integers and lengths that are longer than
// they need be, and indefinite lengths leave the meaning intact: such a record
// is delivered and marked non-canonical. Everything else that D1 to D4 forbid
// makes the meaning doubtful or inexpressible, and the record is refused:
// duplicate keys, keys that are not text, tags other than 42, a tag 42 that
// holds no CID, floats of any width, integers outside int64, text that is not
// UTF-8, undefined and other simple values, truncated or trailing bytes, and
// whatever exceeds the limits below. Links keep whatever well-formed CID they
// hold, also one that is not atproto's (D5). Maps that merely look like the
// JSON of a link or of bytes pass through, as all unknown $ fields do (J1).
//
// Check is the strict reading: it refuses what D1 forbids, whether or not it
// could be delivered.
//
// # JSON
//
// Keys keep the block's order. Links are {"$link":"b…"}, bytes are
// {"$bytes":"…"} in unpadded standard base64 (J1). null, false, 0 and empty
// values stay (J2). Text is copied byte for byte, without Unicode
// normalisation or HTML escaping; only quote, backslash and the C0 controls are
// escaped (J4). Integers are plain digits.
//
// # Limits
//
// No declared length is trusted: it is compared with the bytes that follow
// before anything is done with it. Nothing recurses deeper than MaxDepth.
package dagcbor
