package entry_test

import (
	"fmt"
	"log"

	"github.com/fhctl/fhctl/pkg/entry"
	"github.com/fhctl/fhctl/pkg/event"
)

// What a writer stores, and what a worker makes of it.
func Example() {
	ev := event.Event{
		Kind: event.KindCommit, Seq: 7000000123, DID: []byte("did:plc:aaaabbbbccccddddeeeeffff"),
		Commit: event.Commit{Ops: []event.Op{{Action: event.Delete, Path: []byte("app.bsky.feed.like/3kbbbbbbbbb2b")}}},
	}
	data, ok := entry.Append(nil, &ev)
	if !ok {
		log.Fatal("the event yields no entry")
	}
	fmt.Printf("%s\n", data)

	e, err := entry.Parse(ev.Kind.String(), data)
	if err != nil {
		log.Fatal(err)
	}
	for _, op := range e.Commit.Ops {
		fmt.Println(e.DID(), op.Action, op.Collection())
	}
	fmt.Println("partition", entry.Partition(data, 4), "of 4")
	// Output:
	// {"repo":"did:plc:aaaabbbbccccddddeeeeffff","ops":[{"action":"delete","path":"app.bsky.feed.like/3kbbbbbbbbb2b"}]}
	// did:plc:aaaabbbbccccddddeeeeffff delete app.bsky.feed.like
	// partition 1 of 4
}

// An Outline looks at entries of any writer, also at those that Parse refuses.
func ExampleOutline() {
	var outline entry.Outline
	if err := outline.Read(`{"repo":"did:plc:aaaabbbbccccddddeeeeffff","more":1,"ops":[{"action":"delete","path":"app.bsky.feed.like/3kbbbbbbbbb2b"}]}`); err != nil {
		log.Fatal(err)
	}
	for _, op := range outline.Ops {
		fmt.Println(outline.DID, op.Action, op.Key())
	}
	// Output: did:plc:aaaabbbbccccddddeeeeffff delete 3kbbbbbbbbb2b
}
