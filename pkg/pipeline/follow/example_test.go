package follow_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/pipeline/follow"
	"github.com/fhctl/fhctl/pkg/relay"
	"github.com/fhctl/fhctl/pkg/relayserver"
	"github.com/fhctl/fhctl/pkg/sim"
)

// Read a relay without a pipeline. This one sends ten events twice, one with a seq far
// above the others, and then ends the connection; each true event comes once.
func ExampleEvents() {
	traffic, err := sim.New(sim.Config{Count: 300})
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()
	faults, err := relayserver.ParseFaults("repeat@100:10,leap@150:1000000000,drop@200")
	if err != nil {
		log.Fatal(err)
	}
	server, err := relayserver.Start(relayserver.Config{Log: traffic, Faults: faults})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	open := func(link func(event.Link)) (follow.Source, error) {
		endpoint, err := relay.ParseURL(server.URL(), false)
		if err != nil {
			return nil, err
		}
		return relay.New(relay.Config{Endpoint: endpoint, Notify: link, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond}), nil
	}
	used, repeated := 0, 0
	o := follow.Options{From: event.Position{Start: event.Oldest}, Repeated: func() { repeated++ }}
	for item, err := range follow.Events(context.Background(), open, o) {
		if err != nil {
			log.Fatal(err)
		}
		if item.Seq > 0 {
			used++
		}
		if used == 300 {
			break
		}
	}
	fmt.Println(used, "used,", repeated, "dropped")
	// Output: 300 used, 10 dropped
}
