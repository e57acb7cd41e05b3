package redisstream

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
)

// batch continues at after with the given seqs.
func batch(at event.Position, seqs ...event.Seq) *event.Batch {
	b := &event.Batch{}
	b.Reset(at)
	if at.Start == event.After {
		b.Upto = at.Seq
	}
	for _, seq := range seqs {
		b.Add(seq, event.KindCommit, fmt.Appendf(nil, `{"repo":"did:plc:x","ops":[],"n":%d}`, seq))
	}
	b.Time = append(b.Time, "2026-01-02T03:04:05Z"...)
	return b
}

// run is a batch of consecutive seqs from first to last.
func run(at event.Position, first, last event.Seq) *event.Batch {
	var seqs []event.Seq
	for seq := first; seq <= last; seq++ {
		seqs = append(seqs, seq)
	}
	return batch(at, seqs...)
}

// watermark is a batch without entries.
func watermark(at event.Position, upto event.Seq) *event.Batch {
	b := batch(at)
	b.Upto = upto
	return b
}

var live = event.Position{}

const relay = "relay.example"
