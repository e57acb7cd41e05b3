package relay_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Read a relay from the oldest event it holds. The source connects, and connects again
// from the position that resume gives, until the loop is left or its context ends.
func Example() {
	traffic, err := sim.New(sim.Config{Count: 1000})
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()
	server, err := relayserver.Start(relayserver.Config{Log: traffic})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	endpoint, err := relay.ParseURL(server.URL(), false) // usually wss://HOST
	if err != nil {
		log.Fatal(err)
	}
	source := relay.New(relay.Config{
		Endpoint: endpoint, UserAgent: "example/1.0", IdleTimeout: relay.DefaultIdleTimeout,
	})

	last := event.Position{Start: event.Oldest}
	resume := func(context.Context) (event.Position, error) { return last, nil }
	events := 0
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
		chunk.Release() // its memory is used again
		if events == 1000 {
			break
		}
	}
	fmt.Println(events, "events, the last is", last.Seq)
	// Output: 1000 events, the last is 7000001062
}

func ExampleParseURL() {
	for _, text := range []string{"relay.example", "wss://relay.example/xrpc/com.atproto.sync.subscribeRepos/", "ws://relay.example"} {
		endpoint, err := relay.ParseURL(text, false)
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		fmt.Println(endpoint.URL(event.AfterSeq(7000000123)))
	}
	// Output:
	// wss://relay.example/xrpc/com.atproto.sync.subscribeRepos?cursor=7000000123
	// wss://relay.example/xrpc/com.atproto.sync.subscribeRepos?cursor=7000000123
	// refused: relay URL: cleartext is for loopback only
}
