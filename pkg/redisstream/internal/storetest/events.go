package storetest

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
)

// Batch continues at after with the given seqs.
func Batch(at event.Position, seqs ...event.Seq) *event.Batch {
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

// Run is a batch of consecutive seqs from first to last.
func Run(at event.Position, first, last event.Seq) *event.Batch {
	var seqs []event.Seq
	for seq := first; seq <= last; seq++ {
		seqs = append(seqs, seq)
	}
	return Batch(at, seqs...)
}

// Watermark is a batch without entries.
func Watermark(at event.Position, upto event.Seq) *event.Batch {
	b := Batch(at)
	b.Upto = upto
	return b
}

// Live is where a writer without a cursor begins.
var Live = event.Position{}

// Relay is whose events they are.
const Relay = "relay.example"
