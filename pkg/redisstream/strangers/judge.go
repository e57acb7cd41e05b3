package strangers

import (
	"hash/fnv"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
)

// Verdict is what becomes of an event of ours beside others' entries.
type Verdict uint8

// The verdicts.
const (
	ToStore Verdict = iota
	Present         // another writer stored it
	Lost            // that one left it out, and stored later events of the same repository
	Own             // stored by our own kind before the cursor was moved back
	Taken           // its number is: an entry of another account has it
)

// Of is the verdict on an event of the batches that were judged last.
func (o *Watch) Of(seq event.Seq) Verdict { return o.verdicts[seq] }

// Unjudged lets all events be stored: those of the next exchange begin or leave a cursor.
func (o *Watch) Unjudged() { o.verdicts = nil }

// Are counts the events of a batch with a verdict, and gives the first and last of them.
func (o *Watch) Are(v Verdict, b *event.Batch) (n int, first, last event.Seq) {
	if len(o.verdicts) == 0 {
		return 0, 0, 0
	}
	for i := range b.Entries {
		if seq := b.Entries[i].Seq; o.verdicts[seq] == v {
			if n++; first == 0 {
				first = seq
			}
			last = seq
		}
	}
	return n, first, last
}

// Judge decides what becomes of the events of batches. trusted says that others
// are known to use the same relay's numbers.
func (o *Watch) Judge(batches []*event.Batch, trusted bool) {
	o.verdicts = nil
	if len(o.left) == 0 {
		return
	}
	mine := map[event.Seq]uint64{}
	latest := map[uint64]event.Seq{}
	for _, b := range batches {
		for i := range b.Entries {
			repo := hashOf(entry.AccountOf(b.Entries[i].Data))
			mine[b.Entries[i].Seq], latest[repo] = repo, 0
		}
	}
	o.verdicts = map[event.Seq]Verdict{}
	for _, e := range o.left {
		if repo, has := mine[e.seq]; has {
			same := e.repo == 0 || e.repo == repo
			if e.seq <= o.again {
				if o.verdicts[e.seq] = Own; !same {
					o.verdicts[e.seq] = Taken
				}
				continue
			}
			o.sameRelay, o.otherRelay = o.sameRelay || same && e.repo != 0, o.otherRelay || !same
			if same {
				o.verdicts[e.seq] = Present
			}
		}
		if high, has := latest[e.repo]; has && e.repo != 0 && e.seq > o.again {
			latest[e.repo] = max(high, e.seq)
		}
	}
	if o.otherRelay || !trusted && !o.sameRelay {
		return
	}
	for seq, repo := range mine {
		if repo != 0 && latest[repo] > seq && o.verdicts[seq] == ToStore {
			o.verdicts[seq] = Lost
		}
	}
}

// hashOf is a DID in eight bytes; 0 is none.
func hashOf(did []byte) uint64 {
	if len(did) == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(did)
	return max(h.Sum64(), 1)
}
