package pipeline_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline"
)

// forgetful is a Sink that stores nothing.
type forgetful struct{ receipts []event.Receipt }

func (*forgetful) Resume(context.Context) (event.Resume, error) {
	return event.Resume{Position: event.Position{Start: event.Oldest}}, nil
}

func (f *forgetful) Commit(_ context.Context, batches []*event.Batch) ([]event.Receipt, error) {
	f.receipts = f.receipts[:0]
	for _, b := range batches {
		f.receipts = append(f.receipts, event.Receipt{Appended: len(b.Entries), Cursor: b.Upto})
	}
	return f.receipts, nil
}

func (*forgetful) Poll(context.Context) (event.Seq, bool, error) { return 0, true, nil }
func (*forgetful) Rebase(context.Context, event.Seq) error       { return nil }
func (*forgetful) Return(context.Context, event.Seq) error       { return nil }

// BenchmarkRun is what the pipeline itself costs an event: identities, which
// decode fast, from a source in memory into a sink that forgets them.
func BenchmarkRun(b *testing.B) {
	for _, decoders := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("decoders-%d", decoders), func(b *testing.B) {
			source := &fakeRelay{chunk: 64, conns: []connection{
				func(_ context.Context, _ event.Position, send func(...[]byte) bool) {
					run := make([][]byte, 64)
					for seq := event.Seq(1); seq <= event.Seq(b.N); {
						n := 0
						for ; n < len(run) && seq <= event.Seq(b.N); n++ {
							run[n] = identity(seq)
							seq++
						}
						if !send(run[:n]...) {
							return
						}
					}
				},
			}}
			sink, seen := &forgetful{}, &recorder{}
			b.ResetTimer()
			if err := pipeline.New(pipeline.Config{Source: source, Sink: sink, Observer: seen, Decoders: decoders}).Run(b.Context()); err != nil {
				b.Fatal(err)
			}
			if seen.stored != b.N {
				b.Fatalf("%d of %d stored", seen.stored, b.N)
			}
		})
	}
}
