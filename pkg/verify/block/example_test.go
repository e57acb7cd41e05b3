package block_test

import (
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/jsonscan"
	"github.com/fhctl/fhctl/pkg/verify/block"
)

// Find the CID of a record whose keys another program has put in an order of its own.
func Example() {
	const data = `{"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"create","path":"app.bsky.feed.like/3kaaaaaaaaa2a",
		"record":{"createdAt":"2026-01-02T03:04:05.000Z","$type":"app.bsky.feed.like"}}]}`
	var tape block.Tape
	if tape.Parse(data) != jsonscan.Whole {
		log.Fatal("this is no JSON, or more than a tape holds")
	}
	ops := tape.Get(0, "ops")
	for _, op := range tape.Elements(ops) {
		record := tape.Get(op, "record")
		encoder := block.Encoder{Tape: &tape}
		fmt.Printf("%s as it stands\n", encoder.CID(record, block.Form{}))
		fmt.Printf("%s in canonical order\n", encoder.CID(record, block.Form{Sort: true}))
		fmt.Println("at", tape.Path(0, record))
	}
	// Output:
	// bafyreic5pr762e7mql44vafljd5bmpplkljvt2sjsah7gv4rkwwproa4tm as it stands
	// bafyreidgw3ei2p65yrnitpnymf777eunwt6t2y5rtidvtbia4ffh6srkl4 in canonical order
	// at ops[0].record
}
