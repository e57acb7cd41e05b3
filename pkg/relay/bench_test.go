package relay

import (
	"context"
	"testing"

	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/relaytest"
)

// BenchmarkFrames reads from the bundled relay over a socket; half of the cost
// is the relay's.
func BenchmarkFrames(b *testing.B) {
	log := relaytest.Log(b, 1, 10_000)
	log.End()
	server := relaytest.Start(b, relayserver.Config{Log: log})
	endpoint, err := ParseURL(server.URL(), false)
	if err != nil {
		b.Fatal(err)
	}
	read := 0
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		n := 0
		for chunk, err := range New(Config{Endpoint: endpoint}).Frames(ctx, resumeOldest) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(chunk.Frames)
			chunk.Release()
			if n == 10_000 {
				break
			}
		}
		cancel()
		read += n
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "frames/s")
}
