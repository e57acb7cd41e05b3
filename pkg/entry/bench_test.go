package entry_test

import (
	"testing"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/syntax"
)

// BenchmarkAppend builds the entry of a commit with one op.
func BenchmarkAppend(b *testing.B) {
	ev := event.Event{Kind: event.KindCommit, Seq: 7, DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"), Commit: event.Commit{Ops: []event.Op{{
		Action: event.Create, Path: []byte("app.bsky.feed.like/3kaaaaaaaaa2a"), CID: syntax.SumCID(syntax.CodecDAGCBOR, nil),
		Record: []byte(`{"$type":"app.bsky.feed.like","createdAt":"2026-01-02T03:04:05.000Z"}`),
	}}}}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		var ok bool
		if out, ok = entry.Append(out[:0], &ev); !ok {
			b.Fatal("no entry")
		}
	}
}
