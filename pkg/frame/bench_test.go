package frame_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/blocks"
	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/thirdparty"
)

func benchmark(b *testing.B, frames [][]byte) {
	var d frame.Decoder
	var ev event.Event
	var out []byte
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	b.SetBytes(int64(size / len(frames)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := d.Decode(frames[i], &ev); err != nil {
			b.Fatal(err)
		}
		out, _ = entry.Append(out[:0], &ev)
		if i++; i == len(frames) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}

func BenchmarkDecodeReal(b *testing.B) { benchmark(b, thirdparty.Frames(b)) }

// posts is a commit that creates n posts of size bytes of text each.
func posts(tb testing.TB, n, size int) []byte {
	tb.Helper()
	var list []blocks.Block
	ev := &event.Event{Kind: event.KindCommit, Seq: 7, DID: []byte(did), Time: []byte("2026-01-02T03:04:05.000Z"),
		Commit: event.Commit{CID: commitBlock.CID, Rev: []byte("3kaaaaaaaaa2a"), Since: []byte("3kaaaaaaaaa22")}}
	for i := range n {
		r := record(tb, fmt.Sprintf("%06d%s", i, strings.Repeat("x", size-6)))
		list = append(list, r)
		ev.Commit.Ops = append(ev.Commit.Ops, event.Op{Action: event.Create, Path: fmt.Appendf(nil, "app.bsky.feed.post/3k%06daaaaa", i), CID: r.CID})
	}
	ev.Commit.Blocks = car(list...)
	out, err := frame.Append(nil, ev)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// BenchmarkDecodeGrows shows how the cost of a commit follows its ops and the
// size of its records.
func BenchmarkDecodeGrows(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("ops-%d", n), func(b *testing.B) { benchmark(b, [][]byte{posts(b, n, 200)}) })
	}
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("text-%d", size), func(b *testing.B) { benchmark(b, [][]byte{posts(b, 1, size)}) })
	}
}
