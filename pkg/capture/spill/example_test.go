package spill_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/fhctl/fhctl/pkg/capture/spill"
	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Put the disk between a relay and whoever reads it. A reader that keeps up, as this one
// does, gets frames from memory.
func Example() {
	dir, err := os.MkdirTemp("", "spill")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	traffic, err := sim.New(sim.Config{Count: 200})
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

	source, err := spill.Open(spill.Config{
		Source: relay.New(relay.Config{Endpoint: endpoint}), Dir: dir, MaxBytes: 1 << 30,
		Owner: spill.Owner{Relay: endpoint.Host(), Stream: "firehose:events", Cursor: "firehose:python_cursor"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close() // what lies on disk stays for the next run

	last, events := event.Position{Start: event.Oldest}, 0
	resume := func(context.Context) (event.Position, error) { return last, nil }
	for chunk, err := range source.Frames(context.Background(), resume) {
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range chunk.Frames {
			if seq, ok := frame.PeekEvent(f.Data); ok {
				last = event.AfterSeq(seq)
				events++
			}
		}
		chunk.Release()
		source.Stored(last.Seq) // nothing up to here is needed on disk any more
		if events == 200 {
			break
		}
	}
	fmt.Println(events, "events, the last is", last.Seq)
	// Output: 200 events, the last is 7000000211
}
