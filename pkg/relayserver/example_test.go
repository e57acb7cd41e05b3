package relayserver_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
)

// A relay of five events that cuts the connection before the third: its client connects
// again and misses none.
func Example() {
	events := relayserver.NewMemoryLog(0)
	for seq := event.Seq(1); seq <= 5; seq++ {
		message, err := frame.Append(nil, &event.Event{
			Kind: event.KindAccount, Seq: seq, DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"),
			Time: []byte("2026-01-02T15:04:05Z"), Account: event.Account{Active: true},
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := events.Append(seq, message); err != nil {
			log.Fatal(err)
		}
	}
	faults, err := relayserver.ParseFaults("drop@3")
	if err != nil {
		log.Fatal(err)
	}
	server, err := relayserver.Start(relayserver.Config{Log: events, Faults: faults})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	endpoint, err := relay.ParseURL(server.URL(), false)
	if err != nil {
		log.Fatal(err)
	}
	last := event.Position{Start: event.Oldest}
	client := relay.New(relay.Config{Endpoint: endpoint, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond})
	for chunk, err := range client.Frames(context.Background(), func(context.Context) (event.Position, error) { return last, nil }) {
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range chunk.Frames {
			seq, _ := frame.PeekEvent(f.Data)
			fmt.Println("seq", seq)
			last = event.AfterSeq(seq)
		}
		chunk.Release()
		if last.Seq == 5 {
			break
		}
	}
	fmt.Println("faults:", server.Injected())
	for _, request := range server.Requests() {
		fmt.Println("cursor", request.Cursor)
	}
	// Output:
	// seq 1
	// seq 2
	// seq 3
	// seq 4
	// seq 5
	// faults: map[drop:1]
	// cursor 0
	// cursor 2
}
