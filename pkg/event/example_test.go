package event_test

import (
	"fmt"

	"github.com/fhctl/fhctl/pkg/event"
)

// A batch as a sink gets it, and the receipt that it gives for it.
func ExampleBatch() {
	var batch event.Batch
	batch.Reset(event.AfterSeq(7000000122))
	batch.Add(7000000123, event.KindIdentity, []byte(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","handle":"cat.example"}`))
	batch.Add(7000000125, event.KindAccount, []byte(`{"did":"did:plc:aaaabbbbccccddddeeeeffff","active":true}`))

	for _, e := range batch.Entries {
		fmt.Println(e.Seq, e.Kind, len(e.Data))
	}
	receipt := event.Receipt{Appended: len(batch.Entries), Cursor: batch.Upto, Length: 2}
	fmt.Println("after", batch.After, "up to", receipt.Cursor)
	// Output:
	// 7000000123 identity 65
	// 7000000125 account 56
	// after 7000000122 up to 7000000125
}

func ExampleParseSeq() {
	for _, text := range []string{"7000000123", "-1", "9007199254740992"} {
		seq, ok := event.ParseSeq(text)
		fmt.Println(seq, ok)
	}
	// Output:
	// 7000000123 true
	// 0 false
	// 9007199254740992 false
}
