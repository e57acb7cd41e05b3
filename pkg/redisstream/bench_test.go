package redisstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/redisstream/internal/storetest"
	"github.com/fhctl/fhctl/pkg/redisstream/keyspace"
	"github.com/fhctl/fhctl/pkg/redistest"
)

// BenchmarkCommit stores batches of 500 events of about 500 bytes, at the cap,
// with a healthy group; "in flight" is batches per exchange.
func BenchmarkCommit(b *testing.B) {
	for _, kind := range []string{"real", "embedded"} {
		for _, flight := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/in-flight-%d", kind, flight), func(b *testing.B) {
				server := redistest.StartEmbedded
				if kind == "real" {
					redistest.RequireReal(b)
					server = func(t testing.TB) *redistest.Server { return redistest.Start(t) }
				}
				k := newKit(b, server(b))
				w, _ := k.open(func(c *Config) { c.MaxLen = 20_000 })
				k.Do("xgroup", "create", keyspace.DefaultStream, "g", "$", "mkstream")
				data := []byte(`"` + strings.Repeat("x", 500) + `"`)
				next, at := event.Seq(1), storetest.Live
				batches := make([]*event.Batch, flight)
				for i := range batches {
					batches[i] = &event.Batch{}
				}
				fill := func() {
					for _, batch := range batches {
						batch.Reset(at)
						for range 500 {
							batch.Add(next, event.KindCommit, data)
							next++
						}
						at = event.AfterSeq(batch.Upto)
					}
				}
				ctx := b.Context()
				for range 20_000 / 500 / flight {
					fill()
					if _, err := w.Commit(ctx, batches); err != nil {
						b.Fatal(err)
					}
				}
				if err := k.Client.Do(ctx, "xgroup", "destroy", keyspace.DefaultStream, "g").Err(); err != nil {
					b.Fatal(err)
				}
				k.Do("xgroup", "create", keyspace.DefaultStream, "g", "$")
				start := next
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					fill()
					if _, err := w.Commit(ctx, batches); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(next-start)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
