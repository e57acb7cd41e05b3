package redisstream

import (
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/lease"
	"github.com/fhctl/fhctl/pkg/redisstream/partitions"
	"github.com/fhctl/fhctl/pkg/redisstream/script"
	"github.com/fhctl/fhctl/pkg/redisstream/strangers"
)

// call is one call of the append script, and what becomes of the batch by it.
type call struct {
	script.Call
	// stored is the seq of the last entry in the stream after this call.
	stored int64
	// Entries that are left out: foreign are in the stream already, by another writer,
	// lost were left out by that one.
	// ours are our own, of before a Return.
	foreign, lost, ours int
}

// continuation says what a batch continues from.
type continuation struct {
	expected string // the stored cursor; "" starts where none is
	jump     bool   // leave expected for the batch's own start, as requested
	epoch    int64
}

// build fills in the arguments for storing b. full sends the script's text
// rather than its digest. After is the last entry stored before this call: what a
// former try of later batches was to store must not be noted as stored.
func (k *call) build(w *Writer, b *event.Batch, at continuation, after int64, full bool) {
	if len(b.Time) > 0 { // a batch without entries says nothing new
		w.time = append(w.time[:0], b.Time...)
	}
	k.foreign, k.lost, k.ours, k.stored = 0, 0, 0, after
	for i := len(b.Entries) - 1; i >= 0; i-- {
		if w.others.Of(b.Entries[i].Seq) == strangers.ToStore {
			k.stored = int64(b.Entries[i].Seq)
			break
		}
	}
	low := w.floor
	if at.expected == "" {
		low.Began(partitions.Base(b)) // already now: this may be the only batch
	}
	id, side := &w.config.Identity, k.Side[:0]
	k.Append = script.Append{
		Expected: at.expected, Start: int64(partitions.Base(b)), Upto: int64(b.Upto), Epoch: at.epoch,
		Side:   w.others.Note(w.config.head(side, w.time, k.stored, int64(b.Upto), low), b.Upto),
		MaxLen: w.config.MaxLen, Limit: w.limit, Policy: w.retention.policy,
		Relay: id.Relay, Filter: id.Filter, Partitions: int64(id.partitions()), Adopt: script.Flag(w.config.adopts()),
		Writer: w.lease.ID, Lease: lease.Lasts.Milliseconds(),
	}
	switch {
	case at.jump:
		k.Mode = script.Jump
	case w.hadEntries:
		k.Mode = script.Held
	}
	if w.others.Watching() {
		k.Aware, k.From = "1", string(w.others.From())
	}
	k.Begin(w.keyArgs, len(b.Entries), full)
	for i := range b.Entries {
		e := &b.Entries[i]
		switch w.others.Of(e.Seq) {
		case strangers.Present:
			k.foreign++
		case strangers.Own:
			k.ours++
		case strangers.Lost, strangers.Taken:
			k.lost++
		default:
			k.Add(e.Seq, e.Kind, e.Data)
		}
	}
}
