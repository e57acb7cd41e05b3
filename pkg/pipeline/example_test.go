package pipeline_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/health"
	"github.com/fhctl/fhctl/pkg/pipeline"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// memory is a sink that keeps everything, and forgets it with the process.
type memory struct {
	cursor  event.Seq
	entries []string
	known   map[event.Seq]bool
}

func (m *memory) Resume(context.Context) (event.Resume, error) {
	if m.cursor == 0 {
		return event.Resume{Position: event.Position{Start: event.Oldest}, Why: "nothing is stored yet"}, nil
	}
	return event.Resume{Position: event.AfterSeq(m.cursor), Why: "saved cursor"}, nil
}

func (m *memory) Commit(_ context.Context, batches []*event.Batch) (receipts []event.Receipt, _ error) {
	for _, b := range batches {
		for _, e := range b.Entries {
			if !m.known[e.Seq] {
				m.known[e.Seq] = true
				m.entries = append(m.entries, e.Kind.String()+" "+string(e.Data)) // the batch is used again
			}
		}
		m.cursor = b.Upto
		receipts = append(receipts, event.Receipt{Appended: len(b.Entries), Cursor: m.cursor, Length: int64(len(m.entries))})
	}
	return receipts, nil
}

func (m *memory) Poll(context.Context) (event.Seq, bool, error) { return m.cursor, m.cursor > 0, nil }

func (m *memory) Return(ctx context.Context, seq event.Seq) error { return m.Rebase(ctx, seq) }

func (m *memory) Rebase(_ context.Context, seq event.Seq) error {
	m.cursor = seq
	return nil
}

// Carry a relay's events into a sink until one of them is stored.
func Example() {
	traffic, err := sim.New(sim.Config{Count: 300})
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()
	server, err := relayserver.Start(relayserver.Config{Log: traffic})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	endpoint, err := relay.ParseURL(server.URL(), false)
	if err != nil {
		log.Fatal(err)
	}

	sink := &memory{known: map[event.Seq]bool{}}
	monitor := health.New(health.Config{}) // counts what passes
	err = pipeline.New(pipeline.Config{
		Source: relay.New(relay.Config{Endpoint: endpoint}), Sink: sink, Observer: monitor,
		UntilSeq: 7000000100, // 0 runs until the context is cancelled
	}).Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stored up to", sink.cursor)
	fmt.Println(len(sink.entries) == int(monitor.Snapshot().Appended), sink.entries[0][:60])
	// Output:
	// stored up to 7000000100
	// true commit {"repo":"did:plc:22tf3bezogyr7kjrxak5njp5","ops":[{"a
}
