package sim_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/event"
	"github.com/fhctl/fhctl/pkg/frame"
	"github.com/fhctl/fhctl/pkg/sim"
)

// The same settings make the same frames, byte for byte, in any process.
func Example() {
	cfg, err := sim.ParseURL("sim://?rate=0&count=500&seed=7")
	if err != nil {
		log.Fatal(err)
	}
	traffic, err := sim.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer traffic.Close()

	kinds := map[event.Kind]int{}
	var decoder frame.Decoder
	var ev event.Event
	for range 500 {
		_, message, err := traffic.Next(context.Background(), ev.Seq)
		if err != nil {
			log.Fatal(err)
		}
		if err := decoder.Decode(message, &ev); err != nil {
			log.Fatal(err)
		}
		kinds[ev.Kind]++
	}
	fmt.Println(cfg.Series())
	for _, kind := range []event.Kind{event.KindCommit, event.KindIdentity, event.KindAccount, event.KindSync} {
		fmt.Println(kind, kinds[kind])
	}
	// Output:
	// sim:seed=7,rate=0,accounts=200
	// commit 491
	// identity 3
	// account 3
	// sync 3
}
