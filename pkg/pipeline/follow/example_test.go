package follow_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Read a relay without a pipeline. This one sends ten events twice and then ends the
// connection; each event is used once.
func ExampleFollower() {
	traffic, err := sim.New(sim.Config{Count: 300})
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()
	faults, err := relayserver.ParseFaults("repeat@100:10,drop@200")
	if err != nil {
		log.Fatal(err)
	}
	server, err := relayserver.Start(relayserver.Config{Log: traffic, Faults: faults})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	endpoint, err := relay.ParseURL(server.URL(), false)
	if err != nil {
		log.Fatal(err)
	}
	source := relay.New(relay.Config{Endpoint: endpoint, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond})

	f := follow.New(event.Position{Start: event.Oldest}, 0, nil)
	defer f.Close()
	resume := func(context.Context) (event.Position, error) {
		at, restarted, _ := f.Resume()
		if restarted {
			return at, errors.New("the relay counts anew")
		}
		return at, nil
	}
	used, dropped := 0, 0
	for chunk, err := range source.Frames(context.Background(), resume) {
		if err != nil {
			log.Fatal(err)
		}
		f.Enter(chunk)
		for _, message := range chunk.Frames {
			if seq, ok := frame.PeekEvent(message.Data); ok && f.Take(seq) == event.Fresh {
				used++
			} else {
				dropped++
			}
		}
		chunk.Release()
		if used == 300 {
			break
		}
	}
	fmt.Println(used, "used,", dropped, "dropped")
	// Output: 300 used, 10 dropped
}
