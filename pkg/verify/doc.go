// Package verify folds entries and frames into findings: what breaks the
// contract with consumers, or the protocol, where it stands, and how to fix it.
//
// Call [NewStream] and [Stream.Entry], or [NewFrames] and [Frames.Frame], for each
// item, and then Close; [Compare] reads both its streams by itself.
//
// [Stream] reads the entries of a Redis stream in stored order, [Frames] the frames
// of a capture, [Compare] two streams side by side. Each is given one item after
// the other, reports through [Config.Report] as it goes, and returns a Summary of
// what it covered. [Rules] lists everything that can be found; docs/verify.md
// shows the same table.
//
// # What is proven
//
// An op's cid is the hash of its record's block. A stored record is therefore
// turned back into DAG-CBOR (package block) and hashed: if that gives the cid, the record is
// exactly the block, and nothing inside it is questioned: a null, a key in
// snake_case or an odd map is then the author's own. Only if it does not, the
// record is searched for what became of it, in this order: keys in snake_case or
// py_type, nulls, a missing $type, links and bytes of another form. Undoing the
// first two and hashing again proves them; where that fails they are still
// named in records of app.bsky, chat.bsky and com.atproto, whose lexicons have
// neither. What is left is reported as another record than the cid names.
//
// # Memory
//
// Bounded, whatever the length of the stream. Sequence numbers rise, so that
// one above the running maximum is fresh. One at or below it is looked for among
// the last 65,536, which are kept; further back, in a sparse index with one
// place per 4,096 entries (it halves itself when it has 8,192), whose stretch of
// the stream is read again through Config.Reread. Revisions are remembered for
// as many repositories as fit in a fixed table.
//
// Nothing here does I/O of its own, starts a goroutine, or is safe for
// concurrent use. The clock is read only to know revisions of the future.
package verify
