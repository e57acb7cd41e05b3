package event

import "time"

// MaxData bounds the data of one entry, in bytes. A commit may carry 2,000,000
// bytes of blocks (E1), and text of control characters, which is the text that
// grows most, becomes six bytes of JSON for each of its own: a commit that names
// each of its blocks once fits, whatever text they hold, and a megabyte is left for
// paths and CIDs. What may not fit is one block that many ops name, or empty byte
// strings by the hundred thousand, each of which becomes fourteen bytes. Such an
// event is rejected with ReasonLimit. Without a bound 200 ops that name one block
// would make three gigabytes of 2 MB, which neither Redis nor a consumer takes.
const MaxData = 13_000_000

// Entry is one event as consumers read it: the contract's three fields.
type Entry struct {
	Seq  Seq
	Kind Kind   // commit, identity or account; String gives the type field
	Data []byte // one JSON object; memory of the Batch
}

// Batch is what a sink stores as a unit: entries in relay order and the
// position they reach. A batch without entries only moves the position, since
// some sequence numbers yield no entry.
//
// The pipeline owns a batch and reuses it once the sink has returned.
type Batch struct {
	// After is the position the batch continues: every event up to and
	// including it is in earlier batches. Live or Oldest only on the first
	// batch of a stream that has no cursor.
	After Position
	// Upto is the watermark: the last seq this batch accounts for, at least
	// the seq of its last entry.
	Upto    Seq
	Entries []Entry
	// Time is the informal time of the last event, as sent; may be empty.
	Time []byte
	// Arrived is when the first event of the batch was read from the wire.
	Arrived time.Time
	// Bytes is the size of all Data.
	Bytes int
	// Lent is set when the batch holds Data that is not its own; see Lend.
	Lent bool

	arena []byte
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset(after Position) {
	clear(b.Entries) // they may point into memory that the arena has outgrown
	*b = Batch{After: after, Entries: b.Entries[:0], Time: b.Time[:0], arena: b.arena[:0]}
}

// Add copies data into the batch as its next entry and moves the watermark.
func (b *Batch) Add(seq Seq, kind Kind, data []byte) {
	start := len(b.arena)
	if cap(b.arena)-start < len(data) {
		// Earlier entries keep pointing into the old array, which stays
		// valid; only the new bytes go to a larger one.
		b.arena = make([]byte, 0, max(min(2*cap(b.arena), maxArena), len(data), minArena))
		start = 0
	}
	b.arena = append(b.arena, data...)
	b.add(seq, kind, b.arena[start:len(b.arena):len(b.arena)])
}

// Lend is Add for data so large that it is not copied. It must stay as it is for
// as long as the batch is used; Lent then says that somebody waits for it.
func (b *Batch) Lend(seq Seq, kind Kind, data []byte) {
	b.Lent = true
	b.add(seq, kind, data)
}

func (b *Batch) add(seq Seq, kind Kind, data []byte) {
	b.Entries = append(b.Entries, Entry{Seq: seq, Kind: kind, Data: data})
	b.Bytes += len(data)
	b.Upto = seq
}

// Truncate takes back the entries above a seq, which becomes the watermark.
func (b *Batch) Truncate(upto Seq) {
	n := len(b.Entries)
	for n > 0 && b.Entries[n-1].Seq > upto {
		n--
		b.Bytes -= len(b.Entries[n].Data)
	}
	clear(b.Entries[n:])
	b.Entries, b.Upto = b.Entries[:n], upto
}

// The memory of a batch, in bytes: what it begins with, and up to where it doubles.
const (
	minArena = 64 << 10
	maxArena = 512 << 10
)

// Cap is the memory the batch keeps for reuse, in bytes.
func (b *Batch) Cap() int { return cap(b.arena) }
