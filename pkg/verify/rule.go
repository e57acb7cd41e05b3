package verify

import "github.com/fhctl/fhctl/pkg/fault"

// Rule names what a finding is about; a word that stays the same.
type Rule string

// Severity says what a finding means for the verdict.
type Severity string

// An Error is a finding that fails the check. A Warning is legal but worth
// knowing; Config.Strict makes it an Error.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Source is what a check reads, or a set of that.
type Source uint8

// The sources: NewStream, NewFrames and Compare.
const (
	OfStream Source = 1 << iota
	OfCapture
	OfPair
)

// RuleInfo is one row of the table of rules.
type RuleInfo struct {
	Of       Source // where it can be found; several are added
	ID       Rule
	Severity Severity
	Means    string // one sentence, with the rule of the protocol it comes from
	Fix      string // what to do about it, in remedies of package fault
}

// The rules of sequence and cursor.
const (
	SeqInvalid     Rule = "seq-invalid"
	SeqDuplicate   Rule = "seq-duplicate"
	SeqOrder       Rule = "seq-order"
	SeqGap         Rule = "seq-gap"
	EntryDeleted   Rule = "entry-deleted"
	EntriesGone    Rule = "entries-gone"
	RangeTrimmed   Rule = "range-trimmed"
	PartitionWrong Rule = "partition-wrong"
	CursorMissing  Rule = "cursor-missing"
	CursorInvalid  Rule = "cursor-invalid"
	CursorAhead    Rule = "cursor-ahead"
	CursorBehind   Rule = "cursor-behind"
	CursorUnproven Rule = "cursor-unproven"
)

// The rules of one stream entry, as a worker reads it.
const (
	FieldMissing Rule = "field-missing"
	FieldOrder   Rule = "field-order"
	TypeUnknown  Rule = "type-unknown"
	DataJSON     Rule = "data-json"
	DataObject   Rule = "data-object"
	DataKey      Rule = "data-key"
	DataReserved Rule = "data-reserved"
	DataSize     Rule = "data-size"
	DIDSyntax    Rule = "did-syntax"
	HandleDID    Rule = "handle-did"
	HandleSyntax Rule = "handle-syntax"
	OpShape      Rule = "op-shape"
	OpPath       Rule = "op-path"
	OpPathStrict Rule = "op-path-strict"
	CIDSyntax    Rule = "cid-syntax"
	RecordType   Rule = "record-type"
	RecordCasing Rule = "record-casing"
	RecordNull   Rule = "record-null"
	RecordLink   Rule = "record-link"
	RecordNumber Rule = "record-number"
	RecordCID    Rule = "record-cid"
	RevSyntax    Rule = "rev-syntax"
	RevOrder     Rule = "rev-order"
)

// The rules of frames.
const (
	CaptureDamaged  Rule = "capture-damaged"
	FrameUnreadable Rule = "frame-unreadable"
	FrameInvalid    Rule = "frame-invalid"
	FrameOdd        Rule = "frame-odd"
	CARInvalid      Rule = "car-invalid"
	CARRoot         Rule = "car-root"
	BlockHash       Rule = "block-hash"
	OpSkipped       Rule = "op-skipped"
	RecordOdd       Rule = "record-odd"
	CommitBlock     Rule = "commit-block"
	RevFuture       Rule = "rev-future"
	RepoBreak       Rule = "repo-break"
	TreeInvalid     Rule = "tree-invalid"
	TreeOp          Rule = "tree-op"
	TreeInversion   Rule = "tree-inversion"
	TreePartial     Rule = "tree-partial"
	Signature       Rule = "signature"
)

// The rules of comparing two streams.
const (
	AgainstMissing Rule = "against-missing"
	AgainstExtra   Rule = "against-extra"
	AgainstType    Rule = "against-type"
	AgainstData    Rule = "against-data"
	AgainstBytes   Rule = "against-bytes"
	AgainstShape   Rule = "against-shape"
)

// What to do about a finding, as remedies of package fault: fault.Spell finds them.
var (
	readAgain     = fault.Remedy{Do: fault.Ingest}.With("from", "SEQ")
	setCursor     = fault.CursorTo("SEQ")
	lookForSecond = "look for a second writer (" + fault.Remedy{Do: fault.Measure}.String() + ")"

	bridgeFix = "stop the Python bridge, write with fhctl, and read the events again from the relay while it still holds them: " + readAgain
	shapeFix  = "if the Python bridge writes this stream (its entries have record-casing as well), stop it; else find the program that wrote this entry. Read the events again from the relay while it still holds them: " + readAgain
	handleFix = "whoever wrote this passed on, or put in, a DID where no handle was known: the TypeScript producer, or an old fhctl. An unknown handle is stored as null; read the event again from the relay while it still holds it: " + readAgain
	relayFix  = "nothing can be fixed here: the relay sent it like this, and " + fault.Remedy{Do: fault.Ingest}.String() + " skips and counts it"
	keepFix   = "nothing: the relay sent it like this, and " + fault.Remedy{Do: fault.Ingest}.String() + " delivers it as it is"
)

const (
	writerFix = "find the program that wrote this entry; it is not fhctl. Consumers will not take it: read the event again from the relay into a fresh stream if it is still held there"
	fileFix   = "the recording was changed or the relay is at fault: record the same seqs again and compare"
)

// Rules is every rule, in the order of the documentation.
func Rules() []RuleInfo { return append([]RuleInfo(nil), table[:]...) }

var table = [...]RuleInfo{
	{OfStream | OfPair, SeqInvalid, Error, "The seq is not plain decimal digits from 1 to 2^53-1 (Q1).", writerFix},
	{OfStream | OfCapture | OfPair, SeqDuplicate, Error, "The same seq is stored a second time; consumers count it again (G2).",
		lookForSecond + " or a rewound cursor; XDEL STREAM ID removes the later entry if no group has read it yet"},
	{OfStream | OfCapture | OfPair, SeqOrder, Error, "The entry stands behind one with a higher seq (G3).",
		lookForSecond + "; entries cannot be moved, so read them again into a fresh stream if order matters"},
	{OfStream | OfCapture, SeqGap, Warning, "Numbers between two entries are missing. Relays skip numbers (Q1); so do sync events, rejected frames and filters.",
		"if it is wider than usual, compare with the writer's log (skipped and rejected events) and with the relay: " + readAgain + " into another stream, then " + fault.Remedy{Do: fault.Verify}.With("against", "")},
	{OfStream, EntriesGone, Error, "Somebody removed entries that had been stored, and the writer could not read them again: groups that had not read them never will (G1). The ledger of losses beside the cursor says so, or the note that the writer keeps there.",
		"fetch the events again while the relay holds them: stop the writer and move the cursor to before the first (" + setCursor + "); then take the line out: XDEL LEDGER ID"},
	{OfStream, EntryDeleted, Warning, "Somebody deleted entries from inside the stream (XDEL); trimming is not meant. This is the highest of them, as far as Redis tells (from version 7 on).",
		"find out who: consumers delete nothing. Read the events again into another stream if they are needed: " + readAgain},
	{OfStream | OfCapture | OfPair, RangeTrimmed, Warning, "The range that was asked for is held in part only: it begins before, or ends behind, what is stored. The verdict is about the part that is held.",
		"ask for less; what was trimmed can be read again while the relay holds it: " + readAgain + " into another stream"},
	{OfStream, CursorMissing, Error, "There are entries but no cursor: a restarted writer would begin live and leave a hole.",
		"set it to the last stored seq: " + setCursor},
	{OfStream, CursorInvalid, Error, "The cursor is not a seq.", "set it to the last stored seq: " + setCursor},
	{OfStream, CursorAhead, Error, "The cursor is above the last stored seq, and the notes its writer left do not explain it: events were removed or may have been passed over (G1).",
		"set it back to the last stored seq: " + setCursor + ". The relay sends what lies between again; events that yield no entry, such as sync, move the cursor once more"},
	{OfStream, CursorBehind, Error, "The cursor is below the last stored seq: a restarted writer would store events again (G2).",
		"set it to the last stored seq: " + setCursor},

	{OfStream, CursorUnproven, Warning, "The cursor is above the last stored seq. Its writer filters, so it may be right, but nothing it noted proves that nothing was passed over.",
		"nothing, if it was moved on purpose (" + fault.Remedy{Do: fault.ListMoves}.String() + "); the next event that the writer stores settles it"},

	{OfStream, PartitionWrong, Error, "The entry is not in the partition of its account: consumers of two partitions see that account out of order.",
		"look for a writer with another number of partitions (" + fault.Remedy{Do: fault.Measure}.String() + "); entries cannot be moved, so read them again into a fresh set if order matters"},
	{OfStream, FieldMissing, Error, "The entry lacks type, data or seq.", writerFix},
	{OfStream, FieldOrder, Error, "type, data and seq are not the first three fields in that order; workers read by position.", writerFix},
	{OfStream, TypeUnknown, Error, "The type is not commit, identity or account.", writerFix},
	{OfStream, DataJSON, Error, "data is not JSON in UTF-8: workers acknowledge it and lose it.", writerFix},
	{OfStream, DataObject, Error, "data is JSON but not an object: workers retry it, then put it aside.", writerFix},
	{OfStream, DataKey, Error, "data, or an op, lacks a key that workers need, or its value has the wrong type.", writerFix},
	{OfStream, DataReserved, Error, "data has a key type, seq, time or enriched, which overwrites the Kafka bridge's own.", writerFix},
	{OfStream, DataSize, Error, "data, a record, or the number of ops is above the limits of the protocol (E1).", writerFix},
	{OfStream | OfCapture, DIDSyntax, Error, "The DID is not one that workers accept: they skip the whole event.", writerFix},
	{OfStream, HandleDID, Error, "The handle is a DID: it overwrites a good handle. Unknown handles are null.", handleFix},
	{OfStream | OfCapture, HandleSyntax, Warning, "The handle that the relay sent is not a domain name; a writer stores null in its place.", keepFix},
	{OfStream, OpShape, Error, "An op's action is unknown, or its cid and record do not fit its action.", writerFix},
	{OfStream, OpPath, Error, "An op's path is not a collection and a record key with one slash between.", writerFix},
	{OfStream | OfCapture, OpPathStrict, Warning, "An op's path breaks the syntax of collections or record keys (V4). It is delivered as it came.", keepFix},
	{OfStream, CIDSyntax, Error, "An op's cid is not a lower-case base32 CIDv1 of DAG-CBOR with SHA-256 (D5).", writerFix},
	{OfStream, RecordType, Error, "A record, or an object in it that must say what it is, has no string $type: workers cannot route it.", shapeFix},
	{OfStream, RecordCasing, Error, "A record's keys were turned into snake_case, or $type into py_type: the Python bridge's mistake. Workers reject it.", bridgeFix},
	{OfStream, RecordNull, Error, "A record has a null where its block has none: workers reject null for an absent key.", shapeFix},
	{OfStream, RecordLink, Error, "A link, bytes or a blob of a record has not the form {\"$link\"} or {\"$bytes\"}.", shapeFix},
	{OfStream, RecordNumber, Error, "A record has a number that its block cannot have: a fraction, an exponent, or an integer beyond 64 bits (D2, D3).", writerFix},
	{OfStream, RecordCID, Error, "A record does not hash to its op's cid: it is not the block that the author signed.", writerFix},
	{OfStream | OfCapture, RevSyntax, Error, "A rev is not a TID (V2).", keepFix},
	{OfStream | OfCapture, RevOrder, Error, "A repository's rev is not above that of its event before (V2).",
		"if the events repeat under new numbers, the relay was replaced (Q8); otherwise the relay is at fault"},

	{OfCapture, CaptureDamaged, Error, "The capture is cut short or damaged; the frames before are good.", "record it again for the rest"},
	{OfCapture, FrameUnreadable, Error, "The message is not two CBOR maps with a usable header (F1, F2).", relayFix},
	{OfCapture, FrameInvalid, Error, "The event cannot be used: a field is missing, or seq, DID or sizes are out of bounds.", relayFix},
	{OfCapture, FrameOdd, Warning, "The envelope is not canonical CBOR (D1); it is tolerated.", keepFix},
	{OfCapture, CARInvalid, Error, "blocks is not a readable CARv1 (B4).", relayFix},
	{OfCapture, CARRoot, Warning, "The CAR's first root is not the commit (B1); it is tolerated.", keepFix},
	{OfCapture, BlockHash, Error, "A block does not hash to its CID (B3).", fileFix},
	{OfCapture, OpSkipped, Error, "An op's record is missing or cannot be delivered (B5, D1 to D5).", relayFix},
	{OfCapture, RecordOdd, Warning, "A record is not canonical CBOR but has one meaning (D1); it is delivered.", keepFix},
	{OfCapture, CommitBlock, Error, "The commit block is missing or does not say what the event says (V1).", fileFix},
	{OfCapture, RevFuture, Error, "A rev is more than five minutes ahead of the clock (V2).", "check this machine's clock; otherwise the account's host is at fault"},
	{OfCapture, RepoBreak, Warning, "since or prevData do not continue the repository's event before (V3): events between are not in the capture.",
		"nothing, if the capture is filtered or has gaps; otherwise the host reset the repository"},
	{OfCapture, TreeInvalid, Error, "A node of the tree is malformed (V6).", fileFix},
	{OfCapture, TreeOp, Error, "An op says other than the tree does (V4).", fileFix},
	{OfCapture, TreeInversion, Error, "Undoing the ops does not lead to prevData (V5).", fileFix},
	{OfCapture, TreePartial, Error, "A node that is needed to check the ops was not sent (V5).", relayFix},
	{OfCapture, Signature, Error, "The signature does not verify with the account's key (V7).",
		"fetch the DID document again, since keys change; if it still fails, the commit is forged or damaged"},

	{OfPair, AgainstMissing, Error, "The other stream has an entry of this seq, this one has none.",
		"a writer of this stream lost it, filters it, or reads another relay; look for it in the writer's log by its seq"},
	{OfPair, AgainstExtra, Error, "This stream has an entry of this seq, the other has none.",
		"a writer of the other stream lost it, filters it, or reads another relay; look for it in the writer's log by its seq"},
	{OfPair, AgainstType, Error, "Two entries of one seq have different types.", "the streams follow different relays, or a writer is at fault"},
	{OfPair, AgainstData, Error, "Two entries of one seq have different data.", "the streams follow different relays, or a writer is at fault: verify each stream by itself"},
	{OfPair, AgainstBytes, Warning, "Two entries of one seq mean the same in other words: key order, white space or escapes. All such pairs are listed as one.", "nothing: consumers parse both alike"},
	{OfPair, AgainstShape, Warning, "One of two entries has the form of the Python bridge (py_type, snake_case, null for absent keys, hex), and says the same otherwise. All such pairs are listed as one.",
		"nothing beside the bridge: it is why workers reject its records, and fhctl's are exact. What differs beyond the form is against-data"},
}

// infos finds a rule's row.
var infos = func() map[Rule]*RuleInfo {
	found := make(map[Rule]*RuleInfo, len(table))
	for i := range table {
		found[table[i].ID] = &table[i]
	}
	return found
}()
