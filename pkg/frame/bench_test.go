package frame_test

import (
	"testing"

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
