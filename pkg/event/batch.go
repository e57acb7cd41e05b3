package event

import "time"

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

	arena []byte
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset(after Position) {
	*b = Batch{After: after, Entries: b.Entries[:0], Time: b.Time[:0], arena: b.arena[:0]}
}

// Add copies data into the batch as its next entry and moves the watermark.
func (b *Batch) Add(seq Seq, kind Kind, data []byte) {
	start := len(b.arena)
	if cap(b.arena)-start < len(data) {
		// Earlier entries keep pointing into the old array, which stays
		// valid; only the new bytes go to a larger one.
		b.arena = make([]byte, 0, max(2*cap(b.arena), len(data), 64<<10))
		start = 0
	}
	b.arena = append(b.arena, data...)
	b.Entries = append(b.Entries, Entry{Seq: seq, Kind: kind, Data: b.arena[start:len(b.arena):len(b.arena)]})
	b.Bytes += len(data)
	b.Upto = seq
}

// Cap is the memory the batch keeps for reuse, in bytes.
func (b *Batch) Cap() int { return cap(b.arena) }
